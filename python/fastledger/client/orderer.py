# SPDX-License-Identifier: Apache-2.0
"""Calls to an orderer."""

import grpc.aio

from fastledger.client.connection import Connection
from fastledger.client.stream import BlockStream
from fastledger.client.target import Target, rpc_failed
from fastledger.comm import Broadcaster, GrpcChannel, StreamLost
from fastledger.common.errors import BroadcastRefused, FastledgerError
from fastledger.protos.common.common_pb2 import Envelope, Status
from fastledger.protos.orderer.ab_pb2_grpc import AtomicBroadcastStub
from fastledger.protoutil.signer import Signer


class Orderer(Connection):
    """A connection to an orderer; use it as a context, or close it."""

    def __init__(self, target: Target, channel: GrpcChannel) -> None:
        """Take over a channel."""
        super().__init__(target, channel)
        self._stub = AtomicBroadcastStub(channel)
        self._broadcaster = Broadcaster(self._connected, target.address)

    @staticmethod
    async def connect(target: Target) -> "Orderer":
        """Dial; raises ConnectionFailed."""
        return Orderer(target, await target.connect("orderer"))

    async def _connected(self, _address: str) -> GrpcChannel:
        return self.channel

    async def broadcast(self, envelope: Envelope) -> None:
        """Have a transaction ordered.

        Raises:
            BroadcastRefused: The orderer did not take it.
            RpcFailed: The call failed.
        """
        try:
            response = await self._broadcaster.send(envelope.SerializeToString())
        except FastledgerError as error:
            if isinstance(error.__cause__, grpc.aio.AioRpcError):
                raise rpc_failed(error.__cause__) from error
            if isinstance(error, StreamLost):
                raise BroadcastRefused("UNKNOWN", str(error)) from error
            raise
        if response.status != Status.SUCCESS:
            raise BroadcastRefused(Status.Name(response.status), response.info)

    def blocks(self, channel_id: str, signer: Signer, *, best_effort: bool = False) -> BlockStream:
        """Open a stream for blocks by number."""
        return BlockStream(
            self._stub.Deliver(),
            channel_id,
            signer,
            self.target.certificate_hash,
            best_effort=best_effort,
        )
