# SPDX-License-Identifier: Apache-2.0
"""gRPC servers with Fabric's limits (Fabric: ``internal/pkg/comm/server.go``)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import grpc
import grpc.aio

from fastledger.comm.client import MAX_MESSAGE_BYTES
from fastledger.comm.tls import TlsConfig
from fastledger.common.errors import ConnectionFailed

MAX_METADATA_BYTES = 16 * 1024
"""Largest header block of a call; Fabric's clients send under 200 bytes."""

MAX_STREAMS_PER_CONNECTION = 2500
"""Calls at a time on one connection; ``peer.limits.concurrency`` bounds them per service."""


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Keepalive and message limits of a server; the defaults are Fabric's.

    Attributes:
        max_message_bytes: Largest message received or sent.
        keepalive_s: Ping a silent client that often.
        keepalive_timeout_s: Close its connection when a ping is not answered for so long.
        min_ping_interval_s: A client that pings more often is cut off.
    """

    max_message_bytes: int = MAX_MESSAGE_BYTES
    keepalive_s: float = 7200
    keepalive_timeout_s: float = 20
    min_ping_interval_s: float = 60

    def options(self) -> list[tuple[str, int]]:
        """Return gRPC's server arguments."""
        return [
            ("grpc.max_send_message_length", self.max_message_bytes),
            ("grpc.max_receive_message_length", self.max_message_bytes),
            ("grpc.keepalive_time_ms", int(self.keepalive_s * 1000)),
            ("grpc.keepalive_timeout_ms", int(self.keepalive_timeout_s * 1000)),
            ("grpc.keepalive_permit_without_calls", 1),
            (
                "grpc.http2.min_ping_interval_without_data_ms",
                int(self.min_ping_interval_s * 1000),
            ),
            ("grpc.max_metadata_size", MAX_METADATA_BYTES),
            ("grpc.max_concurrent_streams", MAX_STREAMS_PER_CONNECTION),
            # Two nodes must not share a port unnoticed.
            ("grpc.so_reuseport", 0),
        ]


class GrpcServer:
    """A server to which rooms add their services.

    ::

        server = GrpcServer("0.0.0.0:7051", tls)
        server.add(lambda grpc_server: add_EndorserServicer_to_server(endorser, grpc_server))
        await server.start()
    """

    def __init__(
        self,
        address: str,
        tls: TlsConfig | None = None,
        *,
        limits: ServerLimits | None = None,
        interceptors: Sequence[grpc.aio.ServerInterceptor] = (),
        client_roots: Callable[[], bytes] | None = None,
    ) -> None:
        """Prepare a server for ``host:port``; port 0 takes a free one.

        ``client_roots`` gives the PEM of more CAs of clients, at each handshake.
        """
        self._client_roots = client_roots
        self._address = address
        self._tls = tls
        self._limits = limits or ServerLimits()
        self._interceptors = interceptors
        self._services: list[Callable[[grpc.aio.Server], None]] = []
        self._server: grpc.aio.Server | None = None
        self._port = 0

    @property
    def port(self) -> int:
        """The port it listens at, once it was started."""
        return self._port

    @property
    def address(self) -> str:
        """``host:port`` it listens at, once it was started."""
        return f"{self._address.rpartition(':')[0]}:{self._port}"

    def add(self, register: Callable[[grpc.aio.Server], None]) -> None:
        """Add a service: hand in what calls the generated ``add_…Servicer_to_server``."""
        self._services.append(register)

    async def start(self) -> None:
        """Listen and serve, in the running event loop.

        Raises:
            ConnectionFailed: The address is taken, or not this machine's.
        """
        server = grpc.aio.server(
            options=self._limits.options(), interceptors=list(self._interceptors)
        )
        for register in self._services:
            register(server)
        self._port = self._bind(server)
        await server.start()
        self._server = server

    async def stop(self, grace_s: float | None = None) -> None:
        """Take no more calls, and end those under way after ``grace_s`` seconds."""
        if self._server is not None:
            await self._server.stop(grace_s)

    async def wait(self) -> None:
        """Return when the server was stopped."""
        if self._server is not None:
            await self._server.wait_for_termination()

    def _bind(self, server: grpc.aio.Server) -> int:
        try:
            if self._tls is None:
                port = server.add_insecure_port(self._address)
            else:
                port = server.add_secure_port(
                    self._address, self._tls.grpc_credentials(self._client_roots)
                )
        except RuntimeError:
            port = 0
        if not port:
            raise ConnectionFailed(
                f"cannot listen at {self._address}: the port is taken, or the address is not "
                "one of this machine; name another, or stop the node that has it"
            )
        return port
