# SPDX-License-Identifier: Apache-2.0
"""Calls to an orderer."""

import asyncio
from collections import deque

import grpc.aio

from fastledger.client.connection import Connection
from fastledger.client.stream import BlockStream
from fastledger.client.target import Target, rpc_failed
from fastledger.common.errors import BroadcastRefused
from fastledger.protos.common.common_pb2 import Envelope, Status
from fastledger.protos.orderer.ab_pb2 import BroadcastResponse
from fastledger.protos.orderer.ab_pb2_grpc import AtomicBroadcastStub
from fastledger.protoutil.signer import Signer


class Orderer(Connection):
    """A connection to an orderer; use it as a context, or close it."""

    def __init__(self, target: Target, channel: grpc.aio.Channel) -> None:
        """Take over a channel."""
        super().__init__(target, channel)
        self._stub = AtomicBroadcastStub(channel)

    @staticmethod
    async def connect(target: Target) -> "Orderer":
        """Dial; raises ConnectionFailed."""
        return Orderer(target, await target.connect("orderer"))

    async def broadcast(self, envelope: Envelope) -> None:
        """Have a transaction ordered.

        Raises:
            BroadcastRefused: The orderer did not take it.
            RpcFailed: The call failed.
        """
        call = self._stub.Broadcast()
        try:
            await call.write(envelope)
            response = await call.read()
        except grpc.aio.AioRpcError as error:
            raise rpc_failed(error) from error
        finally:
            call.cancel()
        if not isinstance(response, BroadcastResponse):
            raise BroadcastRefused("UNKNOWN", "the orderer ended the stream without an answer")
        if response.status != Status.SUCCESS:
            raise BroadcastRefused(Status.Name(response.status), response.info)

    def open_broadcast(self) -> "BroadcastStream":
        """Open one stream for many envelopes: a stream of its own costs each several times more."""
        return BroadcastStream(self._stub.Broadcast())

    def blocks(self, channel_id: str, signer: Signer, *, best_effort: bool = False) -> BlockStream:
        """Open a stream for blocks by number."""
        return BlockStream(
            self._stub.Deliver(),
            channel_id,
            signer,
            self.target.certificate_hash,
            best_effort=best_effort,
        )


class BroadcastStream:
    """A Broadcast stream that stays open; the orderer answers in the order of the envelopes."""

    def __init__(self, call: "grpc.aio.StreamStreamCall[Envelope, BroadcastResponse]") -> None:
        """Take over the call."""
        self._call = call
        self._waiting: deque[asyncio.Future[BroadcastResponse]] = deque()
        self._writing = asyncio.Lock()
        self._reader = asyncio.create_task(self._read())

    async def send(self, envelope: Envelope) -> None:
        """Have a transaction ordered.

        Raises:
            BroadcastRefused: The orderer did not take it, after which it ends the stream.
            RpcFailed: The stream failed.
        """
        answer = asyncio.get_running_loop().create_future()
        async with self._writing:
            if self._reader.done():
                raise BroadcastRefused("UNKNOWN", "the orderer has ended the stream")
            self._waiting.append(answer)
            try:
                await self._call.write(envelope)
            except grpc.aio.AioRpcError as error:
                raise rpc_failed(error) from error
        response = await answer
        if response.status != Status.SUCCESS:
            raise BroadcastRefused(Status.Name(response.status), response.info)

    def cancel(self) -> None:
        """End the stream."""
        self._call.cancel()

    async def _read(self) -> None:
        ended: Exception = BroadcastRefused("UNKNOWN", "the orderer has ended the stream")
        try:
            async for response in self._call:
                self._waiting.popleft().set_result(response)
        except grpc.aio.AioRpcError as error:
            ended = rpc_failed(error)
        finally:
            for waiting in self._waiting:
                if not waiting.done():
                    waiting.set_exception(ended)
