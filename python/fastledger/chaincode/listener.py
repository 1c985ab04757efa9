# SPDX-License-Identifier: Apache-2.0
"""Serves ``protos.ChaincodeSupport``: where chaincodes dial the peer."""

import grpc

from fastledger.chaincode.launcher.instance import Serve
from fastledger.chaincode.stream import GrpcStream
from fastledger.comm import GrpcServer, TlsConfig
from fastledger.protos.peer.chaincode_shim_pb2 import ChaincodeMessage
from fastledger.protos.peer.chaincode_shim_pb2_grpc import (
    ChaincodeSupportServicer,
    add_ChaincodeSupportServicer_to_server,
)

STOP_GRACE_S = 0.5


class RegisterService(ChaincodeSupportServicer):
    """The servicer; a peer also adds it to the server at ``peer.chaincodeListenAddress``."""

    def __init__(self, serve: Serve, expected_ccid: str | None = None) -> None:
        """Hand every stream to ``serve``."""
        self._serve = serve
        self._expected = expected_ccid

    async def Register(  # type: ignore[override]  # grpc.aio also takes a plain coroutine
        self,
        request_iterator: object,
        context: "grpc.aio.ServicerContext[ChaincodeMessage, ChaincodeMessage]",
    ) -> None:
        """Converse with one chaincode."""
        del request_iterator
        await self._serve(GrpcStream(context), self._expected)


class Listener:
    """A server of its own for one chaincode, or for those that Docker or dev mode runs."""

    def __init__(
        self,
        serve: Serve,
        *,
        expected_ccid: str | None = None,
        tls: TlsConfig | None = None,
    ) -> None:
        """Nothing listens yet."""
        self._service = RegisterService(serve, expected_ccid)
        self._tls = tls
        self._server: GrpcServer | None = None

    async def start(self, address: str) -> int:
        """Listen; return the port, which counts for TCP.

        Raises:
            ConnectionFailed: The address cannot be had.
        """
        server = GrpcServer(address, self._tls)
        server.add(lambda services: add_ChaincodeSupportServicer_to_server(self._service, services))
        await server.start()
        self._server = server
        return server.port

    async def stop(self) -> None:
        """Hang up."""
        if self._server is not None:
            await self._server.stop(STOP_GRACE_S)
