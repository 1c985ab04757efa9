# SPDX-License-Identifier: Apache-2.0
"""Clients of orderers, the same for every kind: each sends a message and waits until it is ordered.

The clients are spread evenly over the orderers. One sends by Broadcast, and sends its next message
when that one has come back by Deliver, from the orderer that it was sent to. They are one process.
"""

import asyncio
import contextlib
import itertools
import os
import time
from collections import deque
from collections.abc import Callable

import grpc.aio

from fastledger.client.orderer import Orderer
from fastledger.client.target import Target
from fastledger.comm import ClientTls
from fastledger.comm.client_call import Conversing
from fastledger.common.errors import FastledgerError
from fastledger.msp import SigningIdentity
from fastledger.network.plan import Plan
from fastledger.protos.common.common_pb2 import HeaderType, Status
from fastledger.protos.orderer.ab_pb2 import BroadcastResponse, DeliverResponse
from fastledger.protoutil.envelope import signed_envelope
from fastledger.protoutil.seek import NEWEST, NO_END, seek, specified

BROADCAST = "/orderer.AtomicBroadcast/Broadcast"
DELIVER = "/orderer.AtomicBroadcast/Deliver"
LOST_S = 20.0
"""A message that has not come back after so long is taken for lost."""

RETRY_S = 2.0
EVERY_S = 0.02
"""Between two messages while nobody leads."""

OUTAGE_S = 90.0

_FILLING = os.urandom(1 << 16)
_TAKEN = BroadcastResponse(status=Status.SUCCESS).SerializeToString()
_FAILURES = (FastledgerError, grpc.aio.AioRpcError, TimeoutError, asyncio.InvalidStateError)


class Messages:
    """Signed envelopes, no two of which are equal."""

    def __init__(self, plan: Plan) -> None:
        """Sign as a client of the first organization."""
        org = plan.organizations[0]
        self._channel_id = plan.channel
        self.signer = SigningIdentity.load(org.msp("User1"), org.mspid)
        self._numbers = itertools.count()
        self._made: deque[bytes] = deque()
        self._size = 0

    def prepare(self, size: int, count: int) -> None:
        """Have so many envelopes ready, whose data are so many bytes."""
        if size != self._size:
            self._made.clear()
            self._size = size
        while len(self._made) < count:
            self._made.append(self._make())

    def next(self) -> bytes:
        """Return another one, made now if none is ready."""
        return self._made.popleft() if self._made else self._make()

    def _make(self) -> bytes:
        number = next(self._numbers)
        data = number.to_bytes(8) + _FILLING[number % 256 :][: self._size - 8]
        return signed_envelope(
            HeaderType.ENDORSER_TRANSACTION, self._channel_id, data, self.signer
        ).SerializeToString()


class Window:
    """What came back while figures are taken."""

    def __init__(self) -> None:
        """Begin now."""
        self.began = time.perf_counter()
        self.seconds = 0.0
        self.latencies: list[float] = []
        self.failed = 0


class Clients:
    """The clients of all orderers of a channel."""

    def __init__(self, plan: Plan, messages: Messages) -> None:
        """Connect to nobody yet."""
        self._plan = plan
        self._messages = messages
        self._waiting: list[dict[bytes, asyncio.Future[None]]] = [{} for _ in plan.all_orderers]
        self._orderers: list[Orderer] = []
        self._following: list[asyncio.Task[None]] = []
        self._window = Window()

    async def connect(self) -> None:
        """Connect to all orderers, and follow the channel at each."""
        for node, waiting in zip(self._plan.all_orderers, self._waiting, strict=True):
            target = Target(node.address, ClientTls(node.tls_root.read_bytes()))
            orderer = await Orderer.connect(target)
            self._orderers.append(orderer)
            self._following.append(asyncio.ensure_future(self._follow(orderer, waiting)))

    async def close(self) -> None:
        """Hang up."""
        for following in self._following:
            following.cancel()
        await asyncio.gather(*self._following, return_exceptions=True)
        for orderer in self._orderers:
            await orderer.close()

    async def first(self) -> None:
        """Return when each orderer has ordered a message."""
        for place in range(len(self._orderers)):
            while True:
                with contextlib.suppress(*_FAILURES):
                    async with asyncio.timeout(RETRY_S):
                        await self._send(place)
                    break

    async def load(
        self, count: int, warm_s: float, seconds: float, begin: Callable[[], None]
    ) -> Window:
        """Have so many clients send; return what came back once they are warm.

        ``begin`` is called when that begins.
        """
        clients = [asyncio.ensure_future(self._client(number)) for number in range(count)]
        try:
            await asyncio.sleep(warm_s)
            begin()
            window = self._window = Window()
            await asyncio.sleep(seconds)
            window.seconds = time.perf_counter() - window.began
            self._window = Window()
        finally:
            for client in clients:
                client.cancel()
            await asyncio.gather(*clients, return_exceptions=True)
        return window

    async def _client(self, number: int) -> None:
        place = number % len(self._orderers)
        stream: Conversing | None = None
        while True:
            began = time.perf_counter()
            try:
                if stream is None:
                    stream = self._orderers[place].channel.stream_stream(BROADCAST)()
                await self._order(stream, place)
            except _FAILURES:
                self._window.failed += 1
                if stream is not None:
                    stream.cancel()
                stream = None
                await asyncio.sleep(RETRY_S)
            else:
                self._window.latencies.append(time.perf_counter() - began)

    async def outage(self, gone: int, kill: Callable[[], None]) -> float:
        """Return how long no other orderer orders anything after one, by its place, is killed."""
        others = [place for place in range(len(self._orderers)) if place != gone]
        kill()
        began = time.perf_counter()
        sending: set[asyncio.Task[None]] = set()
        for place in itertools.cycle(others):
            sending.add(asyncio.ensure_future(self._send(place)))
            done, _ = await asyncio.wait(
                sending, timeout=EVERY_S, return_when=asyncio.FIRST_COMPLETED
            )
            sending -= done
            if any(task.exception() is None for task in done):
                break
            if time.perf_counter() - began > OUTAGE_S:
                raise SystemExit(f"nothing was ordered within {OUTAGE_S} s after the leader's end")
        took = time.perf_counter() - began
        for task in sending:
            task.cancel()
        await asyncio.gather(*sending, return_exceptions=True)
        return took

    async def _send(self, place: int) -> None:
        """Send a message on a stream of its own, and return when it is ordered."""
        stream = self._orderers[place].channel.stream_stream(BROADCAST)()
        try:
            await self._order(stream, place)
        finally:
            stream.cancel()

    async def _order(self, stream: Conversing, place: int) -> None:
        """Send a message, and return when it has come back."""
        envelope = self._messages.next()
        waiting = self._waiting[place]
        ordered = waiting[envelope] = asyncio.get_running_loop().create_future()
        try:
            await stream.write(envelope)
            answer = await stream.read()
            if answer is grpc.aio.EOF or answer != _TAKEN:
                raise FastledgerError("it was not taken")
            async with asyncio.timeout(LOST_S):
                await ordered
        finally:
            waiting.pop(envelope, None)

    async def _follow(self, orderer: Orderer, waiting: "dict[bytes, asyncio.Future[None]]") -> None:
        start = NEWEST
        while True:
            stream = orderer.channel.stream_stream(DELIVER)()
            with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
                request = seek(start, NO_END, self._plan.channel, self._messages.signer, b"")
                await stream.write(request.SerializeToString())
                while (encoded := await stream.read()) is not grpc.aio.EOF:
                    response = DeliverResponse.FromString(encoded)
                    if not response.HasField("block"):
                        break
                    start = specified(response.block.header.number + 1)
                    for envelope in response.block.data.data:
                        ordered = waiting.get(envelope)
                        if ordered is not None and not ordered.done():
                            ordered.set_result(None)
            stream.cancel()
            await asyncio.sleep(EVERY_S)
