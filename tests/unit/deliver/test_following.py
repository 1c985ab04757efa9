# SPDX-License-Identifier: Apache-2.0
"""Streams that wait for the next block, served by a real server to real clients."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import grpc
import grpc.aio

from deliver_chain import DEADLINE_S, Chain, allow, request, seek
from fastledger.comm import ClientLimits, GrpcChannel, GrpcServer, dial
from fastledger.common.errors import FastledgerError, LedgerCorrupted
from fastledger.deliver import BLOCKS, DeliverHandler, Response
from fastledger.protos.common.common_pb2 import Status
from fastledger.protos.orderer.ab_pb2 import DeliverResponse, SeekInfo
from waiting import settle

METHOD = "/test.Deliver/Deliver"
CLIENTS = 5

Story = Callable[[DeliverHandler, GrpcChannel], Awaitable[None]]


def run(chain: Chain, story: Story, check: Callable[[object], None] = allow) -> None:
    async def test() -> None:
        handler = DeliverHandler({"channel": chain}.get)

        async def serve(
            requests: AsyncIterator[bytes], context: "grpc.aio.ServicerContext[bytes, bytes]"
        ) -> AsyncIterator[Response]:
            async for response in handler.serve(requests, context, check, BLOCKS):
                yield response

        server = GrpcServer("127.0.0.1:0")
        methods = {"Deliver": grpc.stream_stream_rpc_method_handler(serve)}
        server.add(
            lambda services: services.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler("test.Deliver", methods),)
            )
        )
        await server.start()
        channel = await dial(f"127.0.0.1:{server.port}", None, limits=ClientLimits())
        try:
            await story(handler, channel)
        finally:
            await channel.close()
            await server.stop()

    asyncio.run(asyncio.wait_for(test(), DEADLINE_S))


class Client:
    """One stream, which reads when it is told to."""

    def __init__(self, channel: GrpcChannel) -> None:
        self._call = channel.stream_stream(METHOD)()

    async def ask(self, info: SeekInfo) -> None:
        await self._call.write(request(info))

    async def read(self) -> bytes:
        return await self._call.read()

    async def next(self) -> int | str:
        response = DeliverResponse.FromString(await self.read())
        if response.WhichOneof("Type") == "block":
            return response.block.header.number
        return Status.Name(response.status)

    def leave(self) -> None:
        self._call.cancel()


async def asked(channel: GrpcChannel, *infos: SeekInfo) -> list[Client]:
    clients = [Client(channel) for _ in infos]
    for client, info in zip(clients, infos, strict=True):
        await client.ask(info)
    return clients


async def all_follow(handler: DeliverHandler, count: int) -> None:
    while handler.followings.count < count:
        await asyncio.sleep(0)


def test_a_block_goes_to_all_who_wait_for_it() -> None:
    chain = Chain(1)

    async def story(handler: DeliverHandler, channel: GrpcChannel) -> None:
        clients = await asked(channel, *[seek(0, 2)] * CLIENTS)
        assert [await client.next() for client in clients] == [0] * CLIENTS
        await all_follow(handler, CLIENTS)
        for number in (1, 2):
            await chain.grow()
            assert [await client.next() for client in clients] == [number] * CLIENTS
        assert [await client.next() for client in clients] == ["SUCCESS"] * CLIENTS
        assert handler.followings.count == 0

    run(chain, story)


def test_blocks_of_every_size_arrive_as_they_are() -> None:
    sizes = (0, 100, (16 << 10) - 40, 16 << 10, (64 << 10) + 1, 3 << 20)
    chain = Chain(1)

    async def story(handler: DeliverHandler, channel: GrpcChannel) -> None:
        clients = await asked(channel, *[seek(0, len(sizes))] * 2)
        for number, size in enumerate(sizes):
            read = [await client.read() for client in clients]
            assert read == [DeliverResponse(block=chain.block(number)).SerializeToString()] * 2
            # So that the next one goes to both in one call; who catches up later has it alone.
            await all_follow(handler, 2)
            await chain.grow(bytes(size))
        (late,) = await asked(channel, seek(1, len(sizes)))
        for number in range(1, 1 + len(sizes)):
            expected = DeliverResponse(block=chain.block(number)).SerializeToString()
            assert await late.read() == expected

    run(chain, story)


def test_clients_come_and_go_while_others_follow() -> None:
    chain = Chain(1)

    async def story(handler: DeliverHandler, channel: GrpcChannel) -> None:
        early, leaving = await asked(channel, seek(1, 9), seek(1, 9))
        await all_follow(handler, 2)
        leaving.leave()
        await chain.grow()
        assert await early.next() == 1
        (late,) = await asked(channel, seek(0, 9))
        assert [await late.next(), await late.next()] == [0, 1]
        while handler.followings.count != 2:
            await asyncio.sleep(0)
        await chain.grow()
        assert [await early.next(), await late.next()] == [2, 2]

    run(chain, story)


def test_rights_are_looked_at_again_with_a_new_configuration() -> None:
    chain = Chain(1)

    def check(_: object) -> None:
        if chain.sequence:
            raise FastledgerError("not any more")

    async def story(handler: DeliverHandler, channel: GrpcChannel) -> None:
        clients = await asked(channel, seek(1, 9), seek(1, 9))
        await all_follow(handler, 2)
        await chain.grow()
        assert [await client.next() for client in clients] == [1, 1]
        await all_follow(handler, 2)
        chain.sequence = 1
        await chain.grow()
        assert [await client.next() for client in clients] == ["FORBIDDEN"] * 2

    run(chain, story, check)


def test_a_failed_consenter_ends_those_who_heed_it() -> None:
    chain = Chain(1)

    async def story(handler: DeliverHandler, channel: GrpcChannel) -> None:
        patient = seek(1, 9, error_response=SeekInfo.BEST_EFFORT)
        strict, lenient = await asked(channel, seek(1, 9), patient)
        await all_follow(handler, 2)
        chain.errored.set()
        assert await strict.next() == "SERVICE_UNAVAILABLE"
        await chain.grow()
        assert await lenient.next() == 1

    run(chain, story)


def test_who_does_not_read_keeps_nobody_waiting_and_gets_all_later() -> None:
    chain = Chain(1)
    large = b"x" * (3 << 20)

    async def story(handler: DeliverHandler, channel: GrpcChannel) -> None:
        reads, sleeps = await asked(channel, seek(1, 9), seek(1, 9))
        await all_follow(handler, 2)
        for number in range(1, 10):
            await chain.grow(large)
            assert await reads.next() == number
            await settle()
        assert await reads.next() == "SUCCESS"
        assert [await sleeps.next() for _ in range(9)] == [*range(1, 10)]
        assert await sleeps.next() == "SUCCESS"

    run(chain, story)


def test_a_block_that_cannot_be_read_is_told_to_each() -> None:
    chain = Chain(1)

    async def story(handler: DeliverHandler, channel: GrpcChannel) -> None:
        clients = await asked(channel, seek(1, 9), seek(1, 9))
        await all_follow(handler, 2)

        def damaged(_number: int) -> bytes:
            raise LedgerCorrupted("damaged")

        chain.blocks._read = damaged
        await chain.grow()
        assert [await client.next() for client in clients] == ["INTERNAL_SERVER_ERROR"] * 2

    run(chain, story)
