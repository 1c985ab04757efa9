# SPDX-License-Identifier: Apache-2.0
"""A service's calls at a time: Fabric's refusal for one who has them all, room for others."""

import asyncio

import grpc
import grpc.aio
import pytest

from fastledger.comm import GrpcServer, ServiceLimit, dial


class Aborted(Exception):
    pass


class Call:
    async def abort(self, code, details):
        raise Aborted(code, details)


def test_the_limit_is_told_as_fabric_does_and_others_get_in() -> None:
    async def run() -> None:
        limit = ServiceLimit("/p.S", 10)
        release = asyncio.Event()

        async def call(who: bytes) -> str:
            async with limit.call(who, Call()):
                await release.wait()
                return "served"

        held = [asyncio.ensure_future(call(b"A")) for _ in range(10)]
        await asyncio.sleep(0)
        with pytest.raises(Aborted) as refused:
            await call(b"A")
        assert refused.value.args == (
            grpc.StatusCode.UNKNOWN,
            "too many requests for /p.S, exceeding concurrency limit (10)",
        )
        other = asyncio.ensure_future(call(b"B"))
        await asyncio.sleep(0)
        release.set()
        assert await asyncio.gather(*held, other) == ["served"] * 11
        assert await call(b"A") == "served"

    asyncio.run(run())


def test_a_stream_counts_until_its_client_leaves() -> None:
    async def run() -> None:
        limit = ServiceLimit("/p.S", 1)
        left = asyncio.Event()

        async def stream(request: bytes, context: grpc.aio.ServicerContext):
            async with limit.call(request, context):
                try:
                    while True:
                        yield bytes(65536)
                finally:
                    left.set()

        server = GrpcServer("127.0.0.1:0")
        handlers = {"M": grpc.unary_stream_rpc_method_handler(stream)}
        service = grpc.method_handlers_generic_handler("p.S", handlers)
        server.add(lambda to: to.add_generic_rpc_handlers([service]))
        await server.start()
        async with await dial(server.address) as channel:
            for _ in range(3):
                left.clear()
                held = channel.unary_stream("/p.S/M")(b"A")
                await held.read()
                refused = channel.unary_stream("/p.S/M")(b"A")
                with pytest.raises(grpc.aio.AioRpcError, match=r"too many requests for /p\.S"):
                    await refused.read()
                # The client does not read: the servicer waits for room, and then for nothing.
                held.cancel()
                await asyncio.wait_for(left.wait(), 30)
        await server.stop()

    asyncio.run(run())
