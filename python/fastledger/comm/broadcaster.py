# SPDX-License-Identifier: Apache-2.0
"""Broadcast streams to an orderer, for many envelopes of many callers.

An orderer ends a stream with its first refusal. So an envelope has a stream to itself until it is
answered, and nobody's refusal ends anybody else's; a stream whose envelope was taken serves the
next one, because a new stream for each would cost either side several times as much.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

import grpc.aio
from google.protobuf.message import DecodeError

from fastledger.comm.channel import GrpcChannel
from fastledger.comm.client_call import Conversing
from fastledger.common.errors import ConnectionFailed, FastledgerError, Overloaded
from fastledger.protos.common.common_pb2 import Status
from fastledger.protos.orderer.ab_pb2 import BroadcastResponse

BROADCAST = "/orderer.AtomicBroadcast/Broadcast"

MAX_PENDING = 10_000
"""Envelopes that may wait for an orderer's answer; they are held in memory."""

MAX_STREAMS = 100
"""Streams at a time; more envelopes wait for an answer to those before.

An orderer answers in a millisecond or two, so that more would only cost more.
"""

DOUBT_S = 10.0
"""How long an orderer that gave no answer is better left alone while there are others: one that is
suspended keeps an envelope waiting for as long as its sender lets it."""

Connect = Callable[[str], Awaitable[GrpcChannel]]


class StreamLost(FastledgerError):
    """The orderer gave no answer: the envelope may have been ordered all the same."""


class Broadcaster:
    """Sends envelopes to one orderer."""

    def __init__(self, connect: Connect, address: str) -> None:
        """Nothing is connected yet."""
        self._connect = connect
        self._address = address
        self._idle: list[Conversing] = []
        self._streams = asyncio.Semaphore(MAX_STREAMS)
        self._pending = 0
        self._has_failed = False
        self._doubted_until = 0.0

    @property
    def is_doubtful(self) -> bool:
        """Whether another orderer should be asked first: this one gave no answer lately."""
        return self._has_failed and time.monotonic() < self._doubted_until

    async def send(self, envelope: bytes) -> BroadcastResponse:
        """Return the orderer's answer.

        Raises:
            StreamLost: No answer came, though the envelope was sent.
            Overloaded: It was not sent: too many wait.
            ConnectionFailed: It was not sent: the orderer cannot be reached. The cause is the gRPC
                error, if there was one.
        """
        if self._pending >= MAX_PENDING:
            raise Overloaded(f"{MAX_PENDING} transactions wait for {self._address} already")
        self._pending += 1
        if self._has_failed:
            # One envelope finds out whether it is back; others meanwhile go elsewhere.
            self._doubt()
        try:
            async with self._streams:
                answer = await self._exchange(envelope)
        except BaseException:
            self._has_failed = True
            self._doubt()
            raise
        finally:
            self._pending -= 1
        self._has_failed = False
        return answer

    def _doubt(self) -> None:
        self._doubted_until = time.monotonic() + DOUBT_S

    async def _exchange(self, envelope: bytes) -> BroadcastResponse:
        stream = await self._take()
        try:
            await stream.write(envelope)
            encoded = await stream.read()
            if encoded is grpc.aio.EOF:
                raise self._lost("it ended the stream")
            answer = BroadcastResponse.FromString(encoded)
        except BaseException as error:
            stream.cancel()
            if isinstance(error, grpc.aio.AioRpcError):
                raise self._lost(error.details() or error.code().name) from error
            if isinstance(error, DecodeError | asyncio.InvalidStateError):
                raise self._lost(str(error)) from error
            raise
        if answer.status == Status.SUCCESS:
            self._idle.append(stream)
        else:
            stream.cancel()
        return answer

    async def _take(self) -> Conversing:
        """Return the stream that was used last, or a new one."""
        while self._idle:
            stream = self._idle.pop()
            if stream.is_quiet():
                return stream
            # It has ended, or says something that nobody asked for.
            stream.cancel()
        channel = await self._connect(self._address)
        try:
            # Here a failure says that nothing was sent.
            await channel.connect(None)
        except grpc.aio.AioRpcError as error:
            raise ConnectionFailed(f"orderer {self._address}: {error.details()}") from error
        fresh: Conversing = channel.stream_stream(BROADCAST)()
        return fresh

    def _lost(self, reason: str) -> StreamLost:
        return StreamLost(
            f"orderer {self._address} gave no answer ({reason}); the transaction may have been "
            "ordered"
        )
