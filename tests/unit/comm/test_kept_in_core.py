# SPDX-License-Identifier: Apache-2.0
"""Messages of one direction: written together, and left where they came in."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import grpc.aio

from fastledger._core import CoreBytes, submit_request
from fastledger.comm import GrpcServer, ServerCall, dial, in_core
from waiting import until

DEADLINE_S = 60
MESSAGE = b"m" * (300 << 10)


class Listener:
    """Hears what calls say, as soon as it may."""

    def __init__(self) -> None:
        self.may_hear = asyncio.Event()
        self.heard: list[object] = []

    async def listen(self, _: object, context: ServerCall) -> None:
        await self.may_hear.wait()
        while some := await context.read_some():
            self.heard += some


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[Listener, GrpcServer]]:
    """Serve a method whose requests are kept in the core, and one whose are not."""
    listener = Listener()
    handlers = {
        "kept": grpc.stream_stream_rpc_method_handler(
            listener.listen, request_deserializer=in_core
        ),
        "copied": grpc.stream_stream_rpc_method_handler(listener.listen),
    }
    server = GrpcServer("127.0.0.1:0")
    server.add(lambda services: services.add_registered_method_handlers("p.S", handlers))
    await server.start()
    try:
        yield listener, server
    finally:
        await server.stop()


def test_requests_of_a_method_stay_in_the_core() -> None:
    async def story() -> None:
        async with listening() as (listener, server), await dial(server.address) as channel:
            listener.may_hear.set()
            for method, kind in (("kept", CoreBytes), ("copied", bytes), ("kept", CoreBytes)):
                listener.heard.clear()
                call = channel.stream_stream(f"/p.S/{method}")()
                sent = [b"", b"short", MESSAGE]
                await call.write(sent[0])
                assert call.write_some(sent[1:]) == 2
                await until(lambda: len(listener.heard) == 3)
                assert [type(one) for one in listener.heard] == [kind] * 3
                assert listener.heard == sent
                await call.done_writing()
                assert await call.read() is grpc.aio.EOF

    asyncio.run(asyncio.wait_for(story(), DEADLINE_S))


def test_what_has_no_room_is_not_written() -> None:
    async def story() -> None:
        async with listening() as (listener, server), await dial(server.address) as channel:
            call = channel.stream_stream("/p.S/kept")()
            many = [submit_request("c", number, MESSAGE) for number in range(100)]
            count = call.write_some(many)
            assert 0 < count < len(many)
            assert call.write_some(many[count:]) == 0
            assert not call.write_now(many[count])
            listener.may_hear.set()
            while count < len(many):
                await call.write(many[count])
                count += 1 + call.write_some(many[count + 1 :])
            await until(lambda: len(listener.heard) == len(many))
            assert listener.heard == [bytes(one) for one in many]
            call.cancel()
            assert call.write_some(many) == 0

    asyncio.run(asyncio.wait_for(story(), DEADLINE_S))
