# SPDX-License-Identifier: Apache-2.0
"""Channels to other nodes (Fabric: ``internal/pkg/comm/config.go``).

A dial waits until the connection stands. What cannot get better by waiting, such as a refused
connection or a name that nobody knows, fails at once; the rest fails after the timeout.
"""

import asyncio
import socket
import ssl
import time
from dataclasses import dataclass

import grpc
import grpc.aio

from fastledger.comm.tls import ClientTls
from fastledger.common.errors import ConnectionFailed

DEFAULT_TIMEOUT_S = 3.0
"""``peer.client.connTimeout``."""

MAX_MESSAGE_BYTES = 100 * 1024 * 1024
"""Largest message in either direction, as in every Fabric node and client."""

_PROBE_TIMEOUT_S = 1.0


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """Keepalive and message limits of a channel; the defaults are Fabric's.

    Attributes:
        max_message_bytes: Largest message sent or received.
        keepalive_s: Ping an idle connection that often; a Fabric server allows one per minute.
        keepalive_timeout_s: Give the connection up when a ping is not answered for so long.
        max_reconnect_backoff_s: Longest pause between two attempts to connect again.
    """

    max_message_bytes: int = MAX_MESSAGE_BYTES
    keepalive_s: float = 60
    keepalive_timeout_s: float = 20
    max_reconnect_backoff_s: float = 120

    def options(self, override: str = "") -> list[tuple[str, str | int]]:
        """Return gRPC's channel arguments."""
        options: list[tuple[str, str | int]] = [
            ("grpc.max_send_message_length", self.max_message_bytes),
            ("grpc.max_receive_message_length", self.max_message_bytes),
            ("grpc.keepalive_time_ms", int(self.keepalive_s * 1000)),
            ("grpc.keepalive_timeout_ms", int(self.keepalive_timeout_s * 1000)),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.max_pings_without_data", 0),
            ("grpc.max_reconnect_backoff_ms", int(self.max_reconnect_backoff_s * 1000)),
            # The environment's proxy is not for nodes of the same network.
            ("grpc.enable_http_proxy", 0),
            # A channel of its own per dial: two identities never share a connection.
            ("grpc.use_local_subchannel_pool", 1),
        ]
        if override:
            options.append(("grpc.ssl_target_name_override", override))
        return options


_LIMITS = ClientLimits()


async def dial(
    address: str,
    tls: ClientTls | None = None,
    *,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    limits: ClientLimits = _LIMITS,
) -> grpc.aio.Channel:
    """Connect to ``host:port``; without ``tls`` in plain text.

    Raises:
        ConnectionFailed: Nobody there, the handshake failed, or the timeout passed.
    """
    if tls is None:
        channel = grpc.aio.insecure_channel(address, options=limits.options())
    else:
        channel = grpc.aio.secure_channel(
            address, tls.grpc_credentials(), options=limits.options(tls.override)
        )
    try:
        # Unlike wait_for, this never takes a connection's failure for an answer to a cancellation.
        async with asyncio.timeout(timeout_s):
            await _until_ready(channel)
    except (TimeoutError, _GivenUp):
        await channel.close()
        reason = await asyncio.to_thread(why, address, tls)
        raise ConnectionFailed(_refusal(reason)) from None
    except BaseException:
        await channel.close()
        raise
    return channel


async def _until_ready(channel: grpc.aio.Channel) -> None:
    state = channel.get_state(try_to_connect=True)
    while state is not grpc.ChannelConnectivity.READY:
        if state is grpc.ChannelConnectivity.TRANSIENT_FAILURE:
            raise _GivenUp
        await channel.wait_for_state_change(state)
        state = channel.get_state(try_to_connect=True)


def dial_blocking(
    address: str,
    tls: ClientTls | None = None,
    *,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    limits: ClientLimits = _LIMITS,
) -> grpc.Channel:
    """Connect as :func:`dial` does, without an event loop: for commands that do one thing."""
    if tls is None:
        channel = grpc.insecure_channel(address, options=limits.options())
    else:
        channel = grpc.secure_channel(
            address, tls.grpc_credentials(), options=limits.options(tls.override)
        )
    watch = _Watch()
    channel.subscribe(watch.on_change, try_to_connect=True)
    ready = watch.wait(timeout_s)
    channel.unsubscribe(watch.on_change)
    if ready:
        return channel
    channel.close()
    raise ConnectionFailed(_refusal(why(address, tls)))


class _GivenUp(Exception):
    """The connection failed; waiting on would not help."""


class _Watch:
    """Waits for a channel's first verdict."""

    def __init__(self) -> None:
        import threading

        self._decided = threading.Event()
        self._ready = False

    def on_change(self, state: grpc.ChannelConnectivity) -> None:
        if state is grpc.ChannelConnectivity.READY:
            self._ready = True
            self._decided.set()
        elif state is grpc.ChannelConnectivity.TRANSIENT_FAILURE:
            self._decided.set()

    def wait(self, timeout_s: float) -> bool:
        return self._decided.wait(timeout_s) and self._ready


def _refusal(reason: str) -> str:
    return f"failed to create new connection: {reason}"


def why(address: str, tls: ClientTls | None = None) -> str:
    """Say why nobody can connect to an address: gRPC keeps the reason to itself."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdigit():
        return f"address {address}: it must be host:port"
    deadline = time.monotonic() + _PROBE_TIMEOUT_S
    try:
        with socket.create_connection((host, int(port)), timeout=_PROBE_TIMEOUT_S) as probe:
            if tls is None:
                return "context deadline exceeded: the server answers, but not in plain-text gRPC"
            return _why_no_handshake(probe, host, tls, deadline)
    except socket.gaierror as error:
        return f'{_DIALING} lookup {host}: {error.strerror}"'
    except TimeoutError:
        return f'{_DIALING} dial tcp {address}: i/o timeout"'
    except OSError as error:
        text = (error.strerror or str(error)).lower()
        return f'{_DIALING} dial tcp {address}: connect: {text}"'


_DIALING = 'connection error: desc = "transport: error while dialing:'


def _why_no_handshake(probe: socket.socket, host: str, tls: ClientTls, deadline: float) -> str:
    context = ssl.create_default_context(cadata=tls.roots.decode("ascii"))
    context.set_alpn_protocols(["h2"])
    probe.settimeout(max(0.1, deadline - time.monotonic()))
    try:
        with context.wrap_socket(probe, server_hostname=tls.override or host):
            wanted = "" if tls.cert else "; the server may want a client certificate"
            return f"context deadline exceeded: the TLS handshake succeeds, but not gRPC{wanted}"
    except ssl.SSLCertVerificationError as error:
        return f"authentication handshake failed: {error.verify_message}"
    except (OSError, ValueError) as error:
        return f"authentication handshake failed: {error}"
