# SPDX-License-Identifier: Apache-2.0
"""One long Broadcast stream to an orderer, for all clients of a gateway.

A stream of its own for each transaction would cost either side several times as much.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import grpc.aio

from fastledger.common.errors import FastledgerError
from fastledger.protos.orderer.ab_pb2 import BroadcastResponse

BROADCAST = "/orderer.AtomicBroadcast/Broadcast"

MAX_PENDING = 10_000
"""Envelopes that may wait for an orderer's answer."""

Connect = Callable[[str], Awaitable[grpc.aio.Channel]]


class StreamLost(FastledgerError):
    """The orderer ended the stream before it answered."""


class Broadcaster:
    """Sends envelopes to one orderer; it answers in their order."""

    def __init__(self, connect: Connect, address: str) -> None:
        """Nothing is connected yet."""
        self._connect = connect
        self._address = address
        self._call: grpc.aio.StreamStreamCall[Any, Any] | None = None
        self._pending: deque[asyncio.Future[BroadcastResponse]] = deque()
        self._writing = asyncio.Lock()
        self._reading: asyncio.Task[None] | None = None

    async def send(self, envelope: bytes) -> BroadcastResponse:
        """Return the orderer's answer; what stood behind a refused one is sent again, once.

        Raises:
            FastledgerError: No answer came.
        """
        try:
            return await self._send(envelope)
        except StreamLost:
            # An orderer ends the stream with its first refusal, whosever that was.
            return await self._send(envelope)

    async def _send(self, envelope: bytes) -> BroadcastResponse:
        if len(self._pending) >= MAX_PENDING:
            raise FastledgerError(f"{MAX_PENDING} transactions wait for {self._address} already")
        async with self._writing:
            call = self._call or await self._open()
            answer: asyncio.Future[BroadcastResponse] = asyncio.get_running_loop().create_future()
            self._pending.append(answer)
            try:
                await call.write(envelope)
            except (grpc.aio.AioRpcError, grpc.aio.UsageError, asyncio.InvalidStateError) as error:
                self._lose(call)
                answer.cancel()
                raise StreamLost(f"orderer {self._address}: {error}") from error
        return await answer

    async def _open(self) -> "grpc.aio.StreamStreamCall[Any, Any]":
        channel = await self._connect(self._address)
        call: grpc.aio.StreamStreamCall[Any, Any] = channel.stream_stream(BROADCAST)()
        self._call = call
        self._reading = asyncio.create_task(self._read(call))
        return call

    async def _read(self, call: "grpc.aio.StreamStreamCall[Any, Any]") -> None:
        try:
            while True:
                encoded: Any = await call.read()
                if encoded is grpc.aio.EOF:
                    return
                answer = self._pending.popleft()
                if not answer.done():
                    answer.set_result(BroadcastResponse.FromString(encoded))
        except grpc.aio.AioRpcError:
            return
        finally:
            self._lose(call)

    def _lose(self, call: "grpc.aio.StreamStreamCall[Any, Any]") -> None:
        """Let go of a stream; whoever waits on it gets no answer."""
        if self._call is not call:
            return
        self._call = None
        pending, self._pending = self._pending, deque()
        for answer in pending:
            if not answer.done():
                answer.set_exception(StreamLost(f"orderer {self._address} ended the stream"))
