# SPDX-License-Identifier: Apache-2.0
"""Servers whose clients misbehave, whose servicers fail, and that stop while they are busy."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import grpc
import grpc.aio
import pytest
from google.protobuf.message import DecodeError

from fastledger.comm import GrpcServer, ServerLimits, Services, dial
from fastledger.comm.call import Answers, ServerCall
from fastledger.protos.peer.peer_pb2_grpc import (
    EndorserServicer,
    add_EndorserServicer_to_server,
)
from waiting import elapse, settle, until

DEADLINE_S = 60
LARGE = b"x" * (512 << 10)

Method = Callable[[AsyncIterator[bytes], grpc.aio.ServicerContext], Awaitable[None]]


@asynccontextmanager
async def serving(
    limits: ServerLimits | None = None, **methods: Method
) -> AsyncIterator[GrpcServer]:
    """Serve methods of bytes, both ways."""
    handlers = {
        name: grpc.stream_stream_rpc_method_handler(method) for name, method in methods.items()
    }
    server = GrpcServer("127.0.0.1:0", limits=limits)
    service = grpc.method_handlers_generic_handler("p.S", handlers)
    server.add(lambda grpc_server: grpc_server.add_generic_rpc_handlers([service]))
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def call(channel: grpc.aio.Channel, method: str):
    return channel.stream_stream(f"/p.S/{method}")()


async def echo(requests, context) -> None:
    async for request in requests:
        await context.write(request)


async def says(channel: grpc.aio.Channel) -> bytes:
    stream = call(channel, "echo")
    await stream.write(b"hello")
    return await stream.read()


def test_an_exception_of_a_servicer_is_its_calls() -> None:
    async def fail(requests, context) -> None:
        raise KeyError("oops")

    async def misuse(requests, context) -> None:
        raise grpc.aio.UsageError("of another call")

    async def run() -> None:
        methods = {"echo": echo, "fail": fail, "misuse": misuse}
        async with serving(**methods) as server, await dial(server.address) as channel:
            for method in ("fail", "misuse"):
                with pytest.raises(grpc.aio.AioRpcError) as failure:
                    await call(channel, method).read()
                assert failure.value.code() is grpc.StatusCode.UNKNOWN
                assert failure.value.details() == "internal error, see the log of this node"
            assert await says(channel) == b"hello"

    asyncio.run(run())


def test_bytes_that_are_no_message_are_the_clients_fault(caplog) -> None:
    async def run() -> None:
        server = GrpcServer("127.0.0.1:0")
        server.add(lambda to: add_EndorserServicer_to_server(EndorserServicer(), to))
        await server.start()
        async with await dial(server.address) as channel:
            ask = channel.unary_unary("/protos.Endorser/ProcessProposal")
            with pytest.raises(grpc.aio.AioRpcError, match="failed to unmarshal") as failure:
                await ask(b"\xff\xff\xff")
            assert failure.value.code() is grpc.StatusCode.INTERNAL
        await server.stop()

    with caplog.at_level(logging.WARNING):
        asyncio.run(run())
    assert not caplog.records


class Core:
    """Sends nothing."""


def reading(reads: list[int]) -> Callable[[Sequence[bytes]], list[int | DecodeError]]:
    def read(messages: Sequence[bytes]) -> list[int | DecodeError]:
        reads.append(len(messages))
        if b"defect" in messages:
            raise KeyError("oops")
        return [int(one) if one.isdigit() else DecodeError("no number") for one in messages]

    return read


async def double(number: int, context: grpc.aio.ServicerContext) -> bytes:
    return b"%d" % (2 * number)


def test_requests_that_come_together_are_read_together() -> None:
    reads: list[int] = []
    services, core = Services(), Core()
    services.add_unary("/p.S/Double", double, reading(reads))
    asked = [b"1", b"nothing", b"3"]
    calls = [
        ServerCall(core, number, "/p.S/Double", "peer", [], message, answers=Answers(core))
        for number, message in enumerate(asked)
    ]
    other = ServerCall(core, 9, "/p.S/Other", "peer", [], b"4", answers=Answers(core))
    services.read_together([*calls, other])
    assert reads == [3]
    assert [call.request for call in (*calls, other)] == [1, None, 3, None]


def test_what_cannot_be_read_ends_its_own_call() -> None:
    async def run() -> None:
        server = GrpcServer("127.0.0.1:0")
        server.add(lambda to: to.add_unary("/p.S/Double", double, reading([])))
        await server.start()
        async with await dial(server.address) as channel:
            ask = channel.unary_unary("/p.S/Double")

            async def said(message: bytes) -> bytes | str | None:
                try:
                    return await ask(message)
                except grpc.aio.AioRpcError as error:
                    return error.details()

            answers = await asyncio.gather(*map(said, [b"1", b"nothing", b"3"]))
            text = "grpc: failed to unmarshal the received message: no number"
            assert answers == [b"2", text, b"6"]
            answers = await asyncio.gather(*map(said, [b"1", b"defect", b"3"]))
            assert answers == [b"2", "internal error, see the log of this node", b"6"]
        await server.stop()

    asyncio.run(run())


def test_a_client_that_goes_away_cancels_its_servicer_and_wakes_other_writers() -> None:
    ended: list[str] = []

    async def push(requests, context) -> None:
        async def write() -> None:
            try:
                while True:
                    await context.write(LARGE)
            except grpc.aio.UsageError:
                ended.append("writer")

        beside = asyncio.create_task(write())
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("servicer")
            await beside
            raise

    async def run() -> None:
        async with serving(echo=echo, push=push) as server, await dial(server.address) as channel:
            stream = call(channel, "push")
            assert await stream.read() == LARGE
            # It reads no more; others are served.
            async with await dial(server.address) as other:
                assert await says(other) == b"hello"
            assert not ended
            stream.cancel()
            await until(lambda: sorted(ended) == ["servicer", "writer"])

    asyncio.run(run())


def test_a_writer_that_gives_up_disturbs_no_other() -> None:
    outcome: list[int] = []

    async def push(requests, context) -> None:
        written = 0

        async def write(times: int) -> None:
            nonlocal written
            for _ in range(times):
                await context.write(LARGE)
                written += 1

        impatient = asyncio.create_task(write(1000))
        patient = asyncio.create_task(write(4))
        await elapse(0.3, "in which writers that nobody holds back would be done")
        assert not patient.done()
        assert written < 200
        impatient.cancel()
        await patient
        outcome.append(written)

    async def run() -> None:
        async with serving(push=push) as server, await dial(server.address) as channel:
            stream = call(channel, "push")
            await elapse(0.6, "a client that reads late")
            got = 0
            while await stream.read() is not grpc.aio.EOF:
                got += 1
            assert outcome == [got]

    asyncio.run(run())


def test_many_connections_and_calls_that_are_taken_back() -> None:
    async def run() -> None:
        async with serving(echo=echo) as server:

            async def come_and_go(number: int) -> None:
                async with await dial(server.address, timeout_s=DEADLINE_S) as channel:
                    for _ in range(5):
                        stream = call(channel, "echo")
                        await stream.write(b"%d" % number)
                        stream.cancel()
                    assert await says(channel) == b"hello"

            await asyncio.gather(*(come_and_go(number) for number in range(100)))
            await until(lambda: not server._calls)
            async with await dial(server.address) as channel:
                assert await says(channel) == b"hello"

    asyncio.run(run())


def test_stop_under_load_ends_every_call() -> None:
    tasks: set[asyncio.Task[None] | None] = set()

    async def push(requests, context) -> None:
        tasks.add(asyncio.current_task())
        while True:
            await context.write(LARGE)

    async def run() -> None:
        async with serving(push=push, echo=echo) as server:
            channels = [await dial(server.address) for _ in range(5)]
            streams = [call(channel, "push") for channel in channels for _ in range(20)]
            await asyncio.gather(*(stream.read() for stream in streams))

            served = 0

            async def call_on() -> None:
                nonlocal served
                while True:
                    await says(channels[0])
                    served += 1

            callers = [asyncio.ensure_future(call_on()) for _ in range(5)]
            await until(lambda: served > len(callers))
            async with asyncio.timeout(DEADLINE_S):
                await server.stop(grace_s=0.2)
                refused = await asyncio.gather(*callers, return_exceptions=True)
            assert all(isinstance(error, Exception) for error in refused)
            assert len(tasks) == 100
            assert all(task and task.done() for task in tasks)
            for channel in channels:
                await channel.close()

    asyncio.run(run())


def test_answers_that_were_given_arrive_although_the_server_stops() -> None:
    asked, stopped = asyncio.Event(), asyncio.Event()

    async def answer(requests, context) -> None:
        asked.set()
        await stopped.wait()
        for _ in range(4):
            await context.write(LARGE)

    async def run() -> None:
        async with serving(answer=answer) as server, await dial(server.address) as channel:
            stream = call(channel, "answer")
            reading = asyncio.ensure_future(stream.read())
            await asked.wait()
            stopping = asyncio.ensure_future(server.stop(grace_s=DEADLINE_S))
            await settle()
            stopped.set()
            got = 1 if await reading == LARGE else 0
            while await stream.read() is not grpc.aio.EOF:
                got += 1
            assert got == 4
            await stopping

    asyncio.run(run())


def test_a_service_takes_so_many_calls_at_a_time() -> None:
    async def run() -> None:
        limits = ServerLimits(concurrency={"/p.S": 2, "/p.T": 1})
        async with serving(limits, echo=echo) as server, await dial(server.address) as channel:
            streams = [call(channel, "echo") for _ in range(2)]
            for stream in streams:
                await stream.write(b"here")
                assert await stream.read() == b"here"
            text = r"too many requests for /p.S, exceeding concurrency limit \(2\)"
            with pytest.raises(grpc.aio.AioRpcError, match=text) as refused:
                await call(channel, "echo").read()
            assert refused.value.code() is grpc.StatusCode.UNKNOWN
            await streams[0].done_writing()
            assert await streams[0].read() is grpc.aio.EOF
            assert await says(channel) == b"hello"

    asyncio.run(run())
