# SPDX-License-Identifier: Apache-2.0
"""Channels to other nodes (Fabric: ``internal/pkg/comm/config.go``).

A dial waits until the connection stands. What cannot get better by waiting, such as a refused
connection or a name that nobody knows, fails at once; the rest fails after the timeout.
"""

import asyncio
import socket
import ssl
import time
from typing import Any

import grpc.aio

from fastledger.comm.channel import GrpcChannel
from fastledger.comm.limits import ClientLimits
from fastledger.comm.tls import ClientTls
from fastledger.common.errors import ConnectionFailed

DEFAULT_TIMEOUT_S = 3.0
"""``peer.client.connTimeout``."""

_PROBE_TIMEOUT_S = 1.0


_LIMITS = ClientLimits()


async def dial(
    address: str,
    tls: ClientTls | None = None,
    *,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    limits: ClientLimits = _LIMITS,
) -> GrpcChannel:
    """Connect to ``host:port``; without ``tls`` in plain text.

    Raises:
        ConnectionFailed: Nobody there, the handshake failed, or the timeout passed.
    """
    try:
        channel = GrpcChannel(address, tls, limits)
    except ConnectionFailed as error:
        raise ConnectionFailed(_refusal(str(error))) from error
    try:
        await channel.connect(timeout_s)
    except grpc.aio.AioRpcError:
        await channel.close()
        reason = await asyncio.to_thread(why, address, tls)
        raise ConnectionFailed(_refusal(reason)) from None
    except BaseException:
        await channel.close()
        raise
    return channel


def _refusal(reason: str) -> str:
    return f"failed to create new connection: {reason}"


def why(address: str, tls: ClientTls | None = None) -> str:
    """Say why nobody can connect to an address, in the words of Fabric's clients."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdigit():
        return f"address {address}: it must be host:port"
    deadline = time.monotonic() + _PROBE_TIMEOUT_S
    try:
        with socket.create_connection((host, int(port)), timeout=_PROBE_TIMEOUT_S) as probe:
            if tls is None:
                return "context deadline exceeded: the server answers, but not in plain-text gRPC"
            family, place = probe.family, probe.getpeername()
        # On a connection of its own: Python leaves one open that is lost while it is wrapped.
        with socket.socket(family) as unused:
            return _why_no_handshake(unused, place, host, tls, deadline)
    except socket.gaierror as error:
        return f'{_DIALING} lookup {host}: {error.strerror}"'
    except TimeoutError:
        return f'{_DIALING} dial tcp {address}: i/o timeout"'
    except OSError as error:
        text = (error.strerror or str(error)).lower()
        return f'{_DIALING} dial tcp {address}: connect: {text}"'


_DIALING = 'connection error: desc = "transport: error while dialing:'


def _why_no_handshake(
    unused: socket.socket, place: Any, host: str, tls: ClientTls, deadline: float
) -> str:
    context = ssl.create_default_context(cadata=tls.roots.decode("ascii"))
    context.set_alpn_protocols(["h2"])
    unused.settimeout(max(0.1, deadline - time.monotonic()))
    try:
        with context.wrap_socket(unused, server_hostname=tls.override or host) as probe:
            probe.connect(place)
            wanted = "" if tls.cert else "; the server may want a client certificate"
            return f"context deadline exceeded: the TLS handshake succeeds, but not gRPC{wanted}"
    except ssl.SSLCertVerificationError as error:
        return f"authentication handshake failed: {error.verify_message}"
    except (OSError, ValueError) as error:
        return f"authentication handshake failed: {error}"
