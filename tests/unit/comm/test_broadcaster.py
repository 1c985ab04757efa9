# SPDX-License-Identifier: Apache-2.0
"""The one Broadcast stream: answers in order, refusals, lost streams."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import grpc
import grpc.aio
import pytest

from fastledger.comm import Broadcaster, GrpcChannel, GrpcServer, StreamLost, broadcaster, dial
from fastledger.common.errors import FastledgerError
from fastledger.protos.common.common_pb2 import Status
from fastledger.protos.orderer.ab_pb2 import BroadcastResponse

Serve = Callable[[AsyncIterator[bytes], grpc.aio.ServicerContext], Awaitable[None]]


def answer(status: int, info: bytes = b"") -> bytes:
    return BroadcastResponse(status=status, info=info.decode()).SerializeToString()


class Orderer:
    """Takes all envelopes but ``bad`` ones, as Fabric's does: a refusal ends the stream."""

    def __init__(self) -> None:
        self.streams = 0
        self.taken: list[bytes] = []

    async def __call__(
        self, requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext
    ) -> None:
        self.streams += 1
        async for envelope in requests:
            if envelope == b"lost":
                await context.abort(grpc.StatusCode.UNAVAILABLE, "gone")
            if envelope == b"garbage":
                await context.write(b"\xff\xff")
                continue
            if envelope == b"twice":
                await context.write(answer(Status.SUCCESS))
            if envelope == b"bad":
                await asyncio.sleep(0.05)
                await context.write(answer(Status.BAD_REQUEST, b"it is bad"))
                return
            self.taken.append(envelope)
            await context.write(answer(Status.SUCCESS, envelope))


@asynccontextmanager
async def ordering(serve: Serve) -> AsyncIterator[Broadcaster]:
    server = GrpcServer("127.0.0.1:0")
    handlers = {"Broadcast": grpc.stream_stream_rpc_method_handler(serve)}
    service = grpc.method_handlers_generic_handler("orderer.AtomicBroadcast", handlers)
    server.add(lambda to: to.add_generic_rpc_handlers([service]))
    await server.start()
    async with await dial(server.address) as channel:

        async def connect(_address: str) -> GrpcChannel:
            return channel

        yield Broadcaster(connect, server.address)
    await server.stop()


def test_many_share_a_stream() -> None:
    async def run() -> None:
        orderer = Orderer()
        async with ordering(orderer) as to:
            envelopes = [b"%d" % number for number in range(1000)]
            answers = await asyncio.gather(*map(to.send, envelopes))
            assert [one.info.encode() for one in answers] == envelopes
            assert (orderer.taken, orderer.streams) == (envelopes, 1)

    asyncio.run(run())


def test_what_stood_behind_a_refused_one_is_sent_again() -> None:
    async def run() -> None:
        orderer = Orderer()
        async with ordering(orderer) as to:
            envelopes = [b"1", b"bad", b"2", b"3", b"bad", b"4"]
            answers = await asyncio.gather(*map(to.send, envelopes), return_exceptions=True)
            refused = [one for one in answers if getattr(one, "status", 0) == Status.BAD_REQUEST]
            assert all(one.info == "it is bad" for one in refused)
            assert sorted(orderer.taken)[:3] == [b"1", b"2", b"3"]
            # Whoever was behind two refusals is told; it can be sent once more.
            assert (await to.send(b"5")).status == Status.SUCCESS
            assert len(orderer.taken) == len(set(orderer.taken))

    asyncio.run(run())


def test_a_stream_that_is_lost_leaves_open_what_became_of_it() -> None:
    async def run() -> None:
        orderer = Orderer()
        async with ordering(orderer) as to:
            for envelope in (b"lost", b"garbage", b"twice"):
                before = orderer.streams
                sent = [to.send(envelope), to.send(b"behind")]
                first, second = await asyncio.gather(*sent, return_exceptions=True)
                assert isinstance(first, StreamLost) or envelope == b"twice"
                assert isinstance(second, StreamLost) or envelope == b"twice"
                if envelope == b"lost":
                    assert isinstance(first.__cause__, grpc.aio.AioRpcError)
                assert (await to.send(b"next")).status == Status.SUCCESS
                assert orderer.streams >= before

    asyncio.run(run())


def test_only_so_many_wait(monkeypatch) -> None:
    monkeypatch.setattr(broadcaster, "MAX_PENDING", 2)

    async def silent(requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> None:
        await asyncio.Event().wait()

    async def run() -> None:
        async with ordering(silent) as to:
            waiting = [asyncio.ensure_future(to.send(b"")) for _ in range(2)]
            await asyncio.sleep(0.05)
            with pytest.raises(FastledgerError, match="2 transactions wait"):
                await to.send(b"")
            for one in waiting:
                one.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    asyncio.run(run())
