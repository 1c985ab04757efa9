# SPDX-License-Identifier: Apache-2.0
"""Broadcast streams: one envelope at a time on each, refusals, lost streams."""

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
from waiting import until

Serve = Callable[[AsyncIterator[bytes], grpc.aio.ServicerContext], Awaitable[None]]


def answer(status: int, info: bytes = b"") -> bytes:
    return BroadcastResponse(status=status, info=info.decode()).SerializeToString()


class Orderer:
    """Takes all envelopes but ``bad`` ones, as Fabric's does: a refusal ends the stream."""

    def __init__(self) -> None:
        self.streams = 0
        self.refused = 0
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
            if envelope == b"end":
                return
            if envelope == b"twice":
                await context.write(answer(Status.SUCCESS))
            if envelope == b"bad":
                self.refused += 1
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


def test_a_stream_serves_one_envelope_after_another() -> None:
    async def run() -> None:
        orderer = Orderer()
        async with ordering(orderer) as to:
            for number in range(20):
                assert (await to.send(b"%d" % number)).info == str(number)
            assert orderer.streams == 1

    asyncio.run(run())


def test_many_at_once_are_all_answered(monkeypatch) -> None:
    monkeypatch.setattr(broadcaster, "MAX_STREAMS", 50)

    async def run() -> None:
        orderer = Orderer()
        async with ordering(orderer) as to:
            envelopes = [b"%d" % number for number in range(1000)]
            answers = await asyncio.gather(*map(to.send, envelopes))
            assert [one.info.encode() for one in answers] == envelopes
            assert sorted(orderer.taken) == sorted(envelopes)
            assert orderer.streams <= 50

    asyncio.run(run())


@pytest.mark.parametrize("junk", [b"bad", b"lost", b"garbage", b"end"])
def test_nobody_fails_with_what_others_send(junk: bytes) -> None:
    """However many envelopes end their streams, the others are answered, and ordered once."""

    async def run() -> None:
        orderer = Orderer()
        async with ordering(orderer) as to:
            honest = [b"%d" % number for number in range(200)]
            sent = [one for each in honest for one in (junk, each, junk)]
            answers = await asyncio.gather(*map(to.send, sent), return_exceptions=True)
            for envelope, got in zip(sent, answers, strict=True):
                if envelope != junk:
                    assert isinstance(got, BroadcastResponse), got
                    assert (got.status, got.info.encode()) == (Status.SUCCESS, envelope)
                elif junk == b"bad":
                    assert isinstance(got, BroadcastResponse), got
                    assert got.info == "it is bad"
                else:
                    assert isinstance(got, StreamLost)
            assert sorted(orderer.taken) == sorted(honest)

    asyncio.run(run())


def test_whoever_gives_up_takes_only_the_own_stream_along() -> None:
    async def run() -> None:
        waiting = asyncio.Event()

        async def serve(requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> None:
            async for envelope in requests:
                if envelope == b"slow":
                    waiting.set()
                    await asyncio.Event().wait()
                await context.write(answer(Status.SUCCESS, envelope))

        async with ordering(serve) as to:
            slow = asyncio.ensure_future(to.send(b"slow"))
            await waiting.wait()
            before = asyncio.ensure_future(to.send(b"before"))
            slow.cancel()
            assert (await before).info == "before"
            assert (await to.send(b"after")).info == "after"

    asyncio.run(run())


def test_a_lost_answer_leaves_open_what_became_of_the_transaction() -> None:
    async def run() -> None:
        async with ordering(Orderer()) as to:
            with pytest.raises(StreamLost, match=r"gone.*may have been ordered") as lost:
                await to.send(b"lost")
            assert isinstance(lost.value.__cause__, grpc.aio.AioRpcError)
            with pytest.raises(StreamLost, match="may have been ordered"):
                await to.send(b"garbage")

    asyncio.run(run())


def test_what_never_left_is_told_apart() -> None:
    async def run() -> None:
        orderer = Orderer()
        async with ordering(orderer) as to:
            assert (await to.send(b"1")).status == Status.SUCCESS
        # The orderer has gone; the connection is closed.
        with pytest.raises(FastledgerError) as failed:
            await to.send(b"2")
        assert not isinstance(failed.value, StreamLost)

    asyncio.run(run())


def test_only_so_many_wait(monkeypatch) -> None:
    monkeypatch.setattr(broadcaster, "MAX_PENDING", 2)

    async def silent(requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> None:
        await asyncio.Event().wait()

    async def run() -> None:
        async with ordering(silent) as to:
            waiting = [asyncio.ensure_future(to.send(b"")) for _ in range(2)]
            await until(lambda: to._pending == 2)
            with pytest.raises(FastledgerError, match="2 transactions wait"):
                await to.send(b"")
            for one in waiting:
                one.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    asyncio.run(run())


def test_one_that_gave_no_answer_is_doubted_until_it_gives_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story() -> None:
        async with ordering(Orderer()) as sender:
            assert not sender.is_doubtful
            with pytest.raises(StreamLost):
                await sender.send(b"lost")
            assert sender.is_doubtful
            # After a while one envelope finds out, and the others go elsewhere.
            with monkeypatch.context() as soon:
                soon.setattr(broadcaster, "DOUBT_S", 0.0)
                with pytest.raises(StreamLost):
                    await sender.send(b"lost")
                assert not sender.is_doubtful
            asking = asyncio.ensure_future(sender.send(b"e"))
            await asyncio.sleep(0)
            assert sender.is_doubtful
            await asking
            assert not sender.is_doubtful

    asyncio.run(story())
