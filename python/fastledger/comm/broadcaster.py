# SPDX-License-Identifier: Apache-2.0
"""One long Broadcast stream to an orderer, for many envelopes.

A stream of its own for each envelope would cost either side several times as much.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

import grpc.aio
from google.protobuf.message import DecodeError

from fastledger.comm.channel import GrpcChannel
from fastledger.comm.client_call import Conversing
from fastledger.common.errors import FastledgerError
from fastledger.protos.common.common_pb2 import Status
from fastledger.protos.orderer.ab_pb2 import BroadcastResponse

BROADCAST = "/orderer.AtomicBroadcast/Broadcast"

MAX_PENDING = 10_000
"""Envelopes that may wait for an orderer's answer."""

Connect = Callable[[str], Awaitable[GrpcChannel]]


class StreamLost(FastledgerError):
    """The stream ended before the orderer answered.

    Attributes:
        ignored: The orderer has not looked at the envelope.
    """

    def __init__(self, reason: str, *, ignored: bool) -> None:
        """Say why."""
        super().__init__(reason)
        self.ignored = ignored


class Broadcaster:
    """Sends envelopes to one orderer; it answers in their order."""

    def __init__(self, connect: Connect, address: str) -> None:
        """Nothing is connected yet."""
        self._connect = connect
        self._address = address
        self._stream: _Stream | None = None
        self._opening = asyncio.Lock()

    async def send(self, envelope: bytes) -> BroadcastResponse:
        """Return the orderer's answer; what stood behind a refused one is sent again, once.

        Raises:
            FastledgerError: No answer came. A :class:`StreamLost` has the gRPC error as its cause,
                if there was one.
        """
        try:
            return await self._send(envelope)
        except StreamLost as lost:
            # An orderer ends the stream with its first refusal, whosever that was.
            if not lost.ignored:
                raise
            return await self._send(envelope)

    async def _send(self, envelope: bytes) -> BroadcastResponse:
        async with self._opening:
            stream = self._stream
            if stream is None or stream.over:
                channel = await self._connect(self._address)
                stream = self._stream = _Stream(channel, self._address)
        return await stream.send(envelope)


class _Stream:
    """One Broadcast call."""

    def __init__(self, channel: GrpcChannel, address: str) -> None:
        self._address = address
        self._call: Conversing = channel.stream_stream(BROADCAST)()
        self._pending: deque[asyncio.Future[BroadcastResponse]] = deque()
        self._refused = False
        self._reading = asyncio.create_task(self._read())

    @property
    def over(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._refused or self._call.done()

    async def send(self, envelope: bytes) -> BroadcastResponse:
        if len(self._pending) >= MAX_PENDING:
            raise FastledgerError(f"{MAX_PENDING} transactions wait for {self._address} already")
        answer: asyncio.Future[BroadcastResponse] = asyncio.get_running_loop().create_future()
        try:
            await self._call.write(envelope)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError) as error:
            raise self._lost(ignored=True) from error
        # Nothing came between writing and this: answers come in the same order.
        self._pending.append(answer)
        return await answer

    async def _read(self) -> None:
        cause: BaseException | None = None
        try:
            async for encoded in self._call:
                response = BroadcastResponse.FromString(encoded)
                self._refused = self._refused or response.status != Status.SUCCESS
                answer = self._pending.popleft()
                if not answer.done():
                    answer.set_result(response)
        except (grpc.aio.AioRpcError, DecodeError, IndexError) as error:
            # The stream failed, or says what is no answer, or more than was asked.
            cause = error
        finally:
            self._end(cause)

    def _end(self, cause: BaseException | None) -> None:
        self._call.cancel()
        for answer in self._pending:
            if not answer.done():
                lost = self._lost(ignored=self._refused)
                lost.__cause__ = cause
                answer.set_exception(lost)
        self._pending.clear()

    def _lost(self, *, ignored: bool) -> StreamLost:
        return StreamLost(f"orderer {self._address} ended the stream", ignored=ignored)
