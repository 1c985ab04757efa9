# SPDX-License-Identifier: Apache-2.0
"""Requests of several calls that are answered together, and those that are left to servicers."""

import asyncio
from collections.abc import Callable, Sequence

import grpc.aio

from fastledger.comm import GrpcServer, ServerCall, dial
from fastledger.comm.call import Together

DEADLINE_S = 60


class Server:
    """Echoes; what a test wants taken together is answered in capital letters."""

    def __init__(self, takes: Callable[[bytes], bool] = lambda _: True) -> None:
        self.takes = takes
        self.groups: list[list[bytes]] = []
        self.read: list[bytes] = []

    def take(self, requests: Sequence[bytes]) -> list[bytes | None]:
        self.groups.append(list(requests))
        return [one.upper() if self.takes(one) else None for one in requests]

    async def serve(self, requests, context: ServerCall) -> None:
        context.answer_together(self.take)
        async for request in requests:
            self.read.append(request)
            await context.write(request)


async def calling(server: Server, story) -> None:
    handler = grpc.stream_stream_rpc_method_handler(server.serve)
    service = grpc.method_handlers_generic_handler("p.S", {"echo": handler})
    grpc_server = GrpcServer("127.0.0.1:0")
    grpc_server.add(lambda to: to.add_generic_rpc_handlers([service]))
    await grpc_server.start()
    try:
        async with await dial(grpc_server.address) as channel:
            await asyncio.wait_for(story(lambda: channel.stream_stream("/p.S/echo")()), DEADLINE_S)
    finally:
        await grpc_server.stop()


async def ask(call, *requests: bytes) -> list[bytes]:
    for request in requests:
        await call.write(request)
    return [await call.read() for _ in requests]


def test_calls_that_wait_are_answered_together() -> None:
    server = Server()

    async def story(call) -> None:
        calls = [call() for _ in range(5)]
        # The first request of a call may come before its servicer waits for it.
        await asyncio.gather(*(ask(one, b"first") for one in calls))
        for number, one in enumerate(calls):
            assert await ask(one, b"a%d" % number) == [b"A%d" % number]
        seen = sum(map(len, server.groups)) + len(server.read)
        assert seen == 10
        assert all(one == b"first" for one in server.read)

    asyncio.run(calling(server, story))


def test_answers_of_a_call_keep_the_order_of_its_requests() -> None:
    server = Server(lambda request: int(request[1:]) % 3 > 0)

    async def story(call) -> None:
        asked = [b"a%d" % number for number in range(200)]
        answers = await ask(call(), *asked)
        assert [one.lower() for one in answers] == asked

    asyncio.run(calling(server, story))


def test_what_is_left_alone_the_servicer_reads() -> None:
    server = Server(lambda request: request != b"no")

    async def story(call) -> None:
        one = call()
        assert (await ask(one, b"yes"))[0].lower() == b"yes"
        assert await ask(one, b"no") == [b"no"]
        assert server.read[-1] == b"no"
        await one.done_writing()
        assert await one.read() is grpc.aio.EOF

    asyncio.run(calling(server, story))


def test_a_defect_leaves_all_requests_to_servicers(caplog) -> None:
    def fail(requests: Sequence[bytes]) -> list[bytes | None]:
        raise KeyError("oops")

    class Call:
        take = staticmethod(fail)
        is_awaited = True

        def __init__(self) -> None:
            self.got: list[bytes] = []

        def received(self, message: bytes) -> None:
            self.got.append(message)

    calls = [Call(), Call()]
    together = Together()
    for number, one in enumerate(calls):
        together.received(one, b"%d" % number)  # type: ignore[arg-type]
    together.take()
    assert [one.got for one in calls] == [[b"0"], [b"1"]]
    assert "defect in answering requests together" in caplog.text
