# SPDX-License-Identifier: Apache-2.0
"""The gateway's connections to other peers are everybody's."""

import asyncio

import grpc
import grpc.aio
import pytest

from fastledger.comm import GrpcChannel, GrpcServer, StreamLost, dial
from fastledger.gateway.connections import Connections


async def echo(requests, context) -> None:
    async for request in requests:
        await context.write(request)


async def refuse(requests, context) -> None:
    await context.abort(grpc.StatusCode.UNAVAILABLE, "not now")


async def start() -> GrpcServer:
    methods = {"echo": echo, "refuse": refuse}
    handlers = {name: grpc.stream_stream_rpc_method_handler(one) for name, one in methods.items()}
    service = grpc.method_handlers_generic_handler("p.S", handlers)
    server = GrpcServer("127.0.0.1:0")
    server.add(lambda to: to.add_generic_rpc_handlers([service]))
    await server.start()
    return server


class Dialler:
    """Counts connections."""

    def __init__(self) -> None:
        self.dialled = 0

    async def connect(self, address: str, timeout_s: float) -> grpc.aio.Channel:
        self.dialled += 1
        return await dial(address, timeout_s=timeout_s)


async def nobody(address: str) -> grpc.aio.Channel:
    raise AssertionError(f"no orderer {address} is needed")


def test_one_that_is_suspended_keeps_nobody_from_the_others() -> None:
    async def run() -> None:
        server = await start()
        dialled = asyncio.Event()

        async def dial_orderer(address: str) -> GrpcChannel:
            if address == "suspended:1":
                dialled.set()
                await asyncio.Event().wait()
            return await dial(address)

        gateway = Connections(dial_orderer, Dialler().connect)
        stuck = asyncio.ensure_future(gateway.broadcaster("suspended:1").send(b"e"))
        await dialled.wait()
        assert not gateway.broadcaster("suspended:1").is_doubtful
        with pytest.raises(StreamLost):
            await gateway.broadcaster(server.address).send(b"e")
        stuck.cancel()
        await asyncio.wait([stuck])
        assert gateway.broadcaster("suspended:1").is_doubtful
        await gateway.close()
        await server.stop()

    asyncio.run(run())


def test_a_refusal_leaves_the_connection_to_the_others_and_a_lost_one_is_forgotten() -> None:
    async def run() -> None:
        server, dialler = await start(), Dialler()
        gateway = Connections(nobody, dialler.connect)
        channel = await gateway.peer(server.address)
        other = channel.stream_stream("/p.S/echo")()
        await other.write(b"before")
        assert await other.read() == b"before"
        with pytest.raises(grpc.aio.AioRpcError, match="not now"):
            await channel.stream_stream("/p.S/refuse")().read()
        await gateway.peer_failed(server.address)
        await other.write(b"after")
        assert await other.read() == b"after"
        assert await gateway.peer(server.address) is channel
        assert dialler.dialled == 1
        address = server.address
        await server.stop()
        await gateway.peer_failed(address)
        assert address not in gateway._peers
        with pytest.raises(grpc.aio.AioRpcError):
            await other.read()

    asyncio.run(run())
