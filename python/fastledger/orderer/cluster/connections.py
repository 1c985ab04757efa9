# SPDX-License-Identifier: Apache-2.0
"""Connections to other orderers, one for each node (Fabric: ``cluster.ConnectionStore``).

A server is trusted if its certificate comes from a CA of the orderers' organizations, and has the
key that the configuration gives it. A connection that cannot be made is not tried again at once.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import grpc.aio

from fastledger.comm import ClientLimits, ClientTls, GrpcChannel
from fastledger.common.errors import ConnectionFailed
from fastledger.orderer.cluster.expiration import with_cure
from fastledger.orderer.cluster.metrics import EGRESS_TLS_CONNECTION_COUNT
from fastledger.orderer.cluster.node import RemoteNode

PAUSE_FACTOR = 1.6
"""What a pause grows by with each attempt that fails, as in gRPC."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses between attempts to connect to a node that is away: ``General.Backoff``.

    The default longest pause is shorter than gRPC's two minutes: a node that comes back is needed.
    """

    base_s: float = 0.1
    most_s: float = 2.0


@dataclass(frozen=True, slots=True)
class ClusterIdentity:
    """By what this node is known to the others, and whom it trusts beside the channels' CAs.

    Attributes:
        cert: PEM chain that it shows when it dials.
        key: Its private key.
        roots: PEM of ``General.Cluster.RootCAs``.
        time_shift_s: Servers' certificates are judged as of so long ago.
    """

    cert: bytes
    key: bytes
    roots: bytes = b""
    time_shift_s: float = 0.0


@dataclass(slots=True)
class _Failure:
    reason: str
    pause_s: float
    until: float


class Connections:
    """Dials nodes, and keeps what it has dialed."""

    def __init__(
        self,
        identity: ClusterIdentity,
        roots: Callable[[], bytes],
        *,
        timeout_s: float,
        backoff: Backoff | None = None,
        limits: ClientLimits | None = None,
    ) -> None:
        """Connect to nobody yet.

        Args:
            identity: What this node shows.
            roots: Gives the PEM of the TLS CAs of the channels' orderers, at each attempt.
            timeout_s: How long a node may take to answer.
            backoff: Pauses after a failure.
            limits: Keepalive, and the size of messages.
        """
        self._identity = identity
        self._roots = roots
        self._timeout_s = timeout_s
        self._backoff = backoff or Backoff()
        self._limits = limits or ClientLimits()
        self._made: dict[tuple[str, bytes], GrpcChannel] = {}
        self._failed: dict[tuple[str, bytes], _Failure] = {}
        self._dialing: dict[tuple[str, bytes], asyncio.Lock] = {}

    async def to(self, node: RemoteNode) -> GrpcChannel:
        """Return the connection to a node, made if there is none.

        Raises:
            ConnectionFailed: There is none to be had, or the last attempt has just failed.
        """
        key = node.address, node.server_key
        async with self._dialing.setdefault(key, asyncio.Lock()):
            if key not in self._made:
                self._check_pause(key)
                self._made[key] = await self._dial(key)
                self._count()
        return self._made[key]

    async def lost(self, channel: GrpcChannel) -> None:
        """Forget a connection on which a call has failed; the next call makes another."""
        for key in [key for key, made in self._made.items() if made is channel]:
            del self._made[key]
        self._count()
        await channel.close()

    async def keep(self, nodes: set[RemoteNode]) -> None:
        """Close the connections to all but these nodes."""
        wanted = {(node.address, node.server_key) for node in nodes}
        for key in set(self._made) - wanted:
            await self._made.pop(key).close()
        for key in (set(self._failed) | set(self._dialing)) - wanted:
            self._failed.pop(key, None)
            self._dialing.pop(key, None)
        self._count()

    async def _dial(self, key: tuple[str, bytes]) -> GrpcChannel:
        address, server_key = key
        identity = self._identity
        try:
            tls = ClientTls(
                identity.roots + self._roots(),
                identity.cert,
                identity.key,
                server_key=server_key,
                time_shift_s=identity.time_shift_s,
            )
            channel = GrpcChannel(address, tls, self._limits)
        except ConnectionFailed as error:
            raise self._failure(key, str(error)) from error
        try:
            await channel.connect(self._timeout_s)
        except grpc.aio.AioRpcError as error:
            await channel.close()
            raise self._failure(key, with_cure(str(error.details()))) from error
        except BaseException:
            await channel.close()
            raise
        self._failed.pop(key, None)
        return channel

    def _failure(self, key: tuple[str, bytes], reason: str) -> ConnectionFailed:
        last, backoff = self._failed.get(key), self._backoff
        pause_s = min(last.pause_s * PAUSE_FACTOR, backoff.most_s) if last else backoff.base_s
        until = asyncio.get_running_loop().time() + pause_s
        self._failed[key] = _Failure(reason, pause_s, until)
        return ConnectionFailed(reason)

    def _check_pause(self, key: tuple[str, bytes]) -> None:
        failed = self._failed.get(key)
        if failed is not None and asyncio.get_running_loop().time() < failed.until:
            raise ConnectionFailed(failed.reason)

    def _count(self) -> None:
        EGRESS_TLS_CONNECTION_COUNT.set(len(self._made))
