# SPDX-License-Identifier: Apache-2.0
"""Clients that send next to nothing keep nobody out of a server, and cost it next to nothing."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import grpc.aio
import pytest

from attackers import ATTACKS, ENDORSER, Connection, Target, announced, framed
from fastledger.comm import GrpcServer, ServerLimits, dial
from fastledger.comm.stream import MESSAGES_A_TURN
from fastledger.protos.peer import proposal_pb2, proposal_response_pb2
from fastledger.protos.peer.peer_pb2_grpc import (
    EndorserServicer,
    EndorserStub,
    add_EndorserServicer_to_server,
)
from waiting import until

LIMIT = 20
DEADLINE_S = 60
ATTACK_S = 0.5
FEW_MIB = 64
"""What a thousand announced messages may cost: as many calls and their tasks."""


class Answering(EndorserServicer):
    """Answers, and remembers how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def ProcessProposal(self, request, context):
        self.asked += 1
        await self.may_answer.wait()
        return proposal_response_pb2.ProposalResponse(version=len(request.signature))


@asynccontextmanager
async def endorsing(limit: int = LIMIT) -> AsyncIterator[tuple[GrpcServer, Answering]]:
    limits = ServerLimits(concurrency={"/protos.Endorser": limit})
    server, servicer = GrpcServer("127.0.0.1:0", limits=limits), Answering()
    server.add(lambda to: add_EndorserServicer_to_server(servicer, to))
    await server.start()
    try:
        yield server, servicer
    finally:
        servicer.may_answer.set()
        await server.stop()


async def ask(channel: grpc.aio.Channel) -> int:
    proposal = proposal_pb2.SignedProposal(signature=b"four")
    answer = await EndorserStub(channel).ProcessProposal(proposal)
    return answer.version


def resident_mib() -> float:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text("ascii"))
    assert found
    return int(found[1]) / 1024


@pytest.mark.parametrize("content", [b"", announced(99 << 20, bytes(35)), framed(b"whole")[:-1]])
def test_a_call_counts_from_its_message_on(content: bytes) -> None:
    async def run() -> None:
        async with endorsing() as (server, servicer), await dial(server.address) as channel:
            stranger = Connection(Target(server.port))
            for _ in range(5 * LIMIT):
                stranger.send(stranger.call(ENDORSER, content))
            for _ in range(3 * LIMIT):
                assert await ask(channel) == 4
            assert servicer.asked == 3 * LIMIT
            stranger.close()

    asyncio.run(run())


def test_calls_that_were_asked_do_count() -> None:
    async def run() -> None:
        async with endorsing() as (server, servicer), await dial(server.address) as channel:
            servicer.may_answer.clear()
            waiting = [asyncio.create_task(ask(channel)) for _ in range(LIMIT)]
            await until(lambda: servicer.asked == LIMIT)
            with pytest.raises(grpc.aio.AioRpcError, match=r"concurrency limit \(20\)"):
                await ask(channel)
            servicer.may_answer.set()
            assert await asyncio.gather(*waiting) == [4] * LIMIT
            assert await ask(channel) == 4

    asyncio.run(run())


def test_streams_without_a_message_give_way_to_those_with_one() -> None:
    async def echo(requests, context) -> None:
        async for request in requests:
            await context.write(request)

    async def run() -> None:
        limits = ServerLimits(concurrency={"/p.S": LIMIT})
        server = GrpcServer("127.0.0.1:0", limits=limits)
        handlers = {"echo": grpc.stream_stream_rpc_method_handler(echo)}
        service = grpc.method_handlers_generic_handler("p.S", handlers)
        server.add(lambda to: to.add_generic_rpc_handlers([service]))
        await server.start()
        async with await dial(server.address) as channel:
            stranger = Connection(Target(server.port))
            for _ in range(2 * LIMIT):
                stranger.send(stranger.call("/p.S/echo"))
            streams = []
            for _ in range(LIMIT):
                streams.append(channel.stream_stream("/p.S/echo")())
                await streams[-1].write(b"here")
                assert await streams[-1].read() == b"here"
            # Those that said something stay.
            for stream in streams:
                await stream.write(b"still")
                assert await stream.read() == b"still"
                stream.cancel()
            stranger.close()
        await server.stop()

    asyncio.run(run())


def test_memory_follows_the_bytes_that_came() -> None:
    async def run() -> None:
        async with endorsing() as (server, _), await dial(server.address) as channel:
            assert await ask(channel) == 4
            before = resident_mib()
            strangers = [Connection(Target(server.port)) for _ in range(10)]
            for stranger in strangers:
                for _ in range(100):
                    stranger.send(stranger.call(ENDORSER, announced(99 << 20, bytes(35))))
            for _ in range(10):
                assert await ask(channel) == 4
            assert resident_mib() - before < FEW_MIB
            for stranger in strangers:
                stranger.close()

    asyncio.run(run())


@pytest.mark.parametrize("attack", sorted(ATTACKS))
def test_honest_clients_are_answered_during(attack: str) -> None:
    async def run() -> None:
        async with endorsing() as (server, _), await dial(server.address) as channel:
            until = time.monotonic() + ATTACK_S
            attacker = asyncio.create_task(
                asyncio.to_thread(ATTACKS[attack], Target(server.port), until)
            )
            for _ in range(5):
                assert await ask(channel) == 4
                async with await dial(server.address, timeout_s=DEADLINE_S) as another:
                    assert await ask(another) == 4
            await attacker
            assert await ask(channel) == 4

    asyncio.run(run())


def test_a_client_that_sends_much_lets_others_have_their_turn() -> None:
    turns = 0
    handled: list[int] = []

    async def count(requests, context) -> None:
        while await context.read() is not grpc.aio.EOF:
            handled.append(turns)

    async def tick() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def run() -> None:
        server = GrpcServer("127.0.0.1:0")
        handlers = {"count": grpc.stream_stream_rpc_method_handler(count)}
        service = grpc.method_handlers_generic_handler("p.S", handlers)
        server.add(lambda to: to.add_generic_rpc_handlers([service]))
        await server.start()
        async with await dial(server.address) as channel:
            stream = channel.stream_stream("/p.S/count")()
            ticking = asyncio.create_task(tick())
            for _ in range(20 * MESSAGES_A_TURN):
                await stream.write(b"")
            while len(handled) < 20 * MESSAGES_A_TURN:
                await asyncio.sleep(0)
            ticking.cancel()
            stream.cancel()
        await server.stop()
        assert max(handled.count(turn) for turn in set(handled)) <= MESSAGES_A_TURN

    asyncio.run(asyncio.wait_for(run(), DEADLINE_S))


def test_one_calls_refusal_leaves_the_connection_to_the_others() -> None:
    async def refuse(requests, context) -> None:
        await context.abort(grpc.StatusCode.UNAVAILABLE, "é" * (5 << 20))

    async def echo(requests, context) -> None:
        async for request in requests:
            await context.write(request)

    async def run() -> None:
        server = GrpcServer("127.0.0.1:0")
        methods = {"echo": echo, "refuse": refuse}
        handlers = {
            name: grpc.stream_stream_rpc_method_handler(each) for name, each in methods.items()
        }
        service = grpc.method_handlers_generic_handler("p.S", handlers)
        server.add(lambda to: to.add_generic_rpc_handlers([service]))
        await server.start()
        async with await dial(server.address) as channel:
            other = channel.stream_stream("/p.S/echo")()
            for at in range(3):
                with pytest.raises(grpc.aio.AioRpcError, match=r"éé\.\.\.") as failure:
                    await channel.stream_stream("/p.S/refuse")().read()
                assert failure.value.code() is grpc.StatusCode.UNAVAILABLE
                await other.write(b"%d" % at)
                assert await other.read() == b"%d" % at
            other.cancel()
        await server.stop()

    asyncio.run(run())
