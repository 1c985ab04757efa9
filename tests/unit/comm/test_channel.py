# SPDX-License-Identifier: Apache-2.0
"""The core's channels against gRPC's own servers, and what callers see of it."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import grpc
import grpc.aio
import pytest

import certificates
from fastledger.comm import ClientLimits, ClientTls, GrpcChannel, GrpcServer, dial, in_core
from fastledger.comm.server import MAX_STREAMS_PER_CONNECTION
from fastledger.comm.stream import DETAILS_KEY
from fastledger.common.errors import ConnectionFailed
from fastledger.protos.peer.proposal_pb2 import SignedProposal
from waiting import elapse, until

CA = certificates.authority("localhost")
SERVER = certificates.leaf(CA)
CLIENT = certificates.leaf(CA, "client")
LARGE = bytes(1 << 20)
DEADLINE_S = 30


class Methods:
    """What the server does."""

    def __init__(self) -> None:
        self.waits = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.read: list[bytes] = []
        self.go_on = asyncio.Event()

    async def ask(self, request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        return request

    async def large(self, request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        return bytes(int(request))

    async def refuse(self, request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        await context.abort(
            grpc.StatusCode.FAILED_PRECONDITION,
            "nicht möglich: 100 %",
            ((DETAILS_KEY, b"\0why"),),
        )

    async def wait(self, request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        self.waits.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return b""

    async def count(
        self, request: bytes, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[bytes]:
        for number in range(int(request)):
            yield b"%d" % number

    async def join(
        self, requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext
    ) -> bytes:
        return b"".join([request async for request in requests])

    async def echo(
        self, requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext
    ) -> AsyncIterator[bytes]:
        async for request in requests:
            yield request

    async def late(
        self, requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext
    ) -> AsyncIterator[bytes]:
        yield b"begun"
        await self.go_on.wait()
        async for request in requests:
            self.read.append(request)
        yield b"read"


@asynccontextmanager
async def serving(
    credentials: grpc.ServerCredentials | None = None, port: int = 0
) -> AsyncIterator[tuple[str, Methods]]:
    methods = Methods()
    unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.aio.server(options=unlimited)
    handlers = {
        "ask": grpc.unary_unary_rpc_method_handler(methods.ask),
        "large": grpc.unary_unary_rpc_method_handler(methods.large),
        "refuse": grpc.unary_unary_rpc_method_handler(methods.refuse),
        "wait": grpc.unary_unary_rpc_method_handler(methods.wait),
        "count": grpc.unary_stream_rpc_method_handler(methods.count),
        "join": grpc.stream_unary_rpc_method_handler(methods.join),
        "echo": grpc.stream_stream_rpc_method_handler(methods.echo),
        "late": grpc.stream_stream_rpc_method_handler(methods.late),
    }
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("p.S", handlers)])
    address = f"127.0.0.1:{port}"
    if credentials:
        port = server.add_secure_port(address, credentials)
    else:
        port = server.add_insecure_port(address)
    await server.start()
    try:
        yield f"127.0.0.1:{port}", methods
    finally:
        await server.stop(0)


def over(talk: Callable[[GrpcChannel, Methods], Awaitable[None]]) -> None:
    """Talk to a server."""

    async def run() -> None:
        async with (
            asyncio.timeout(DEADLINE_S),
            serving() as (address, methods),
            await dial(address) as channel,
        ):
            await talk(channel, methods)
            assert not channel.route.hub.calls, "nothing is kept of calls that have ended"

    asyncio.run(run())


def test_every_kind_of_call() -> None:
    async def talk(channel: GrpcChannel, methods: Methods) -> None:
        assert await channel.unary_unary("/p.S/ask")(b"hello") == b"hello"
        counted = channel.unary_stream("/p.S/count")(b"3")
        assert [number async for number in counted] == [b"0", b"1", b"2"]
        assert await counted.code() is grpc.StatusCode.OK
        joined = channel.stream_unary("/p.S/join")()
        for part in (b"a", b"b", b"c"):
            await joined.write(part)
        await joined.done_writing()
        assert await joined == b"abc"
        echoed = channel.stream_stream("/p.S/echo")()
        for message in (b"x", b"", LARGE):
            await echoed.write(message)
            assert await echoed.read() == message
        await echoed.done_writing()
        assert await echoed.read() is grpc.aio.EOF
        assert echoed.done()
        assert not echoed.cancelled()
        with pytest.raises(asyncio.InvalidStateError):
            await echoed.write(b"more")

    over(talk)


def test_messages_that_stay_in_the_core_are_the_same() -> None:
    """More of them than may wait unread come through, and one that grew over many frames."""

    async def talk(channel: GrpcChannel, methods: Methods) -> None:
        echoed = channel.stream_stream("/p.S/echo", None, in_core)()
        for message in (b"x", b"", LARGE, *[bytes([number]) * (1 << 20) for number in range(8)]):
            await echoed.write(message)
            came = await echoed.read()
            assert (bytes(came), len(came)) == (message, len(message))
            assert came == message
            assert came != message + b"!"
        assert bytes([7]) * 100 in came
        assert b"y" not in came
        await echoed.done_writing()
        assert await echoed.read() is grpc.aio.EOF

    over(talk)


def test_many_calls_at_once() -> None:
    async def talk(channel: GrpcChannel, methods: Methods) -> None:
        asked = channel.unary_unary("/p.S/ask")
        messages = [b"%d" % number for number in range(500)]
        assert await asyncio.gather(*(asked(message) for message in messages)) == messages

    over(talk)


def test_more_calls_than_the_server_takes_at_a_time_wait() -> None:
    async def answer(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        await elapse(0.1, "so that calls meet")
        return request

    async def run() -> None:
        server = GrpcServer("127.0.0.1:0")
        handlers = {"ask": grpc.unary_unary_rpc_method_handler(answer)}
        service = grpc.method_handlers_generic_handler("p.S", handlers)
        server.add(lambda to: to.add_generic_rpc_handlers([service]))
        await server.start()
        async with await dial(server.address) as channel:
            asked = channel.unary_unary("/p.S/ask")
            messages = [b"%d" % number for number in range(MAX_STREAMS_PER_CONNECTION + 500)]
            assert await asyncio.gather(*(asked(message) for message in messages)) == messages
        await server.stop()

    asyncio.run(run())


def test_an_error_has_code_text_and_details() -> None:
    async def talk(channel: GrpcChannel, methods: Methods) -> None:
        call = channel.unary_unary("/p.S/refuse")(b"")
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call
        error = refused.value
        assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert error.details() == "nicht möglich: 100 %"
        assert dict(error.trailing_metadata()) == {DETAILS_KEY: b"\0why"}
        assert await call.code() is error.code()
        assert await call.details() == error.details()
        assert dict(await call.trailing_metadata()) == {DETAILS_KEY: b"\0why"}
        stream = channel.stream_stream("/p.S/nothing")()
        with pytest.raises(grpc.aio.AioRpcError) as unknown:
            await stream.read()
        assert unknown.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert dict(unknown.value.trailing_metadata()) == {}
        with pytest.raises(grpc.aio.AioRpcError):
            await stream.write(b"")

    over(talk)


def test_bytes_that_are_no_message_are_an_error_of_the_call() -> None:
    async def talk(channel: GrpcChannel, methods: Methods) -> None:
        broken = channel.unary_unary("/p.S/ask", None, SignedProposal.FromString)
        with pytest.raises(grpc.aio.AioRpcError, match="failed to unmarshal") as error:
            await broken(b"\xff\xff\xff")
        assert error.value.code() is grpc.StatusCode.INTERNAL

    over(talk)


def test_time_runs_out() -> None:
    async def talk(channel: GrpcChannel, methods: Methods) -> None:
        with pytest.raises(grpc.aio.AioRpcError) as late:
            await channel.unary_unary("/p.S/wait")(b"", timeout=0.05)
        assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await methods.cancelled.wait()
        with pytest.raises(grpc.aio.AioRpcError) as late:
            await channel.stream_stream("/p.S/echo")(timeout=0.05).read()
        assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED

    over(talk)


def test_a_call_that_is_cancelled_is_cancelled_at_the_server() -> None:
    async def talk(channel: GrpcChannel, methods: Methods) -> None:
        call = channel.unary_unary("/p.S/wait")(b"")
        waiting = asyncio.ensure_future(call)
        await methods.waits.wait()
        assert call.cancel()
        assert not call.cancel()
        assert call.cancelled()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await methods.cancelled.wait()

        methods.waits.clear()
        methods.cancelled.clear()
        call = channel.unary_unary("/p.S/wait")(b"")
        waiting = asyncio.ensure_future(call)
        await methods.waits.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert call.cancelled()
        await methods.cancelled.wait()

        stream = channel.stream_stream("/p.S/echo")()
        reading = asyncio.ensure_future(stream.read())
        await asyncio.sleep(0)
        stream.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        with pytest.raises(asyncio.InvalidStateError):
            await stream.write(b"")

    over(talk)


def test_large_messages() -> None:
    async def talk(channel: GrpcChannel, methods: Methods) -> None:
        message = bytes(range(256)) * (64 << 12)
        assert await channel.unary_unary("/p.S/ask")(message) == message

    over(talk)


def test_messages_over_the_limit() -> None:
    async def run() -> None:
        limits = ClientLimits(max_message_bytes=1000)
        async with serving() as (address, _), await dial(address, limits=limits) as channel:
            with pytest.raises(grpc.aio.AioRpcError, match="Sent message larger than max") as sent:
                await channel.unary_unary("/p.S/ask")(bytes(1001))
            with pytest.raises(grpc.aio.AioRpcError, match="larger than max") as received:
                await channel.unary_unary("/p.S/large")(b"1001")
            for error in (sent, received):
                assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert await channel.unary_unary("/p.S/large")(b"1000") == bytes(1000)

    asyncio.run(run())


def test_who_writes_faster_than_the_server_reads_waits() -> None:
    async def talk(channel: GrpcChannel, methods: Methods) -> None:
        stream = channel.stream_stream("/p.S/late")()
        assert await stream.read() == b"begun"
        written = 0

        async def write() -> None:
            nonlocal written
            for _ in range(40):
                await stream.write(LARGE)
                written += 1
            await stream.done_writing()

        writing = asyncio.ensure_future(write())
        await elapse(0.5, "in which a sender that nobody holds back would be done")
        assert written < 30
        methods.go_on.set()
        await writing
        assert await stream.read() == b"read"
        assert len(methods.read) == 40
        assert await stream.read() is grpc.aio.EOF

    over(talk)


def test_closing_a_channel_ends_its_calls_only() -> None:
    async def run() -> None:
        async with serving() as (address, methods), await dial(address) as other:
            async with await dial(address) as channel:
                call = channel.unary_unary("/p.S/wait")(b"")
                assert await channel.unary_unary("/p.S/ask")(b"x") == b"x"
            assert call.cancelled()
            await asyncio.wait_for(methods.cancelled.wait(), DEADLINE_S)
            with pytest.raises(grpc.aio.AioRpcError, match="channel is closed"):
                await channel.unary_unary("/p.S/ask")(b"")
            assert await other.unary_unary("/p.S/ask")(b"x") == b"x"

    asyncio.run(run())


def test_a_server_that_comes_back_is_found_again() -> None:
    async def run() -> None:
        port = free_port()
        limits = ClientLimits(max_reconnect_backoff_s=0.05)
        async with serving(port=port) as (address, _):
            channel = await dial(address, limits=limits)
            stream = channel.stream_stream("/p.S/echo")()
            await stream.write(b"x")
            assert await stream.read() == b"x"
        ask = channel.unary_unary("/p.S/ask")
        for failing in (stream.read(), ask(b"")):
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await failing
            assert error.value.code() is grpc.StatusCode.UNAVAILABLE

        async def answered() -> bool:
            try:
                return await ask(b"again") == b"again"
            except grpc.aio.AioRpcError:
                return False

        async with serving(port=port):
            await until(answered, DEADLINE_S)
        await channel.close()

    asyncio.run(run())


def credentials(pair: certificates.Pair, *, mutual: bool = False) -> grpc.ServerCredentials:
    return grpc.ssl_server_credentials([(pair.key, pair.cert)], CA.cert, require_client_auth=mutual)


@pytest.mark.parametrize("mutual", [False, True], ids=["tls", "mutual"])
def test_tls(mutual: bool) -> None:
    async def run() -> None:
        async with serving(credentials(SERVER, mutual=mutual)) as (address, _):
            pair = (CLIENT.cert, CLIENT.key) if mutual else ()
            for name in (address, address.replace("127.0.0.1", "localhost")):
                async with await dial(name, ClientTls(CA.cert, *pair)) as channel:
                    assert await channel.unary_unary("/p.S/ask")(b"x") == b"x"
                    assert channel.server_certificate == SERVER.der
            elsewhere = certificates.authority("elsewhere")
            wrong = [ClientTls(elsewhere.cert, *pair), ClientTls(CA.cert, *pair, override="other")]
            if mutual:
                stranger = certificates.leaf(elsewhere, "client")
                wrong += [ClientTls(CA.cert), ClientTls(CA.cert, stranger.cert, stranger.key)]
            for tls in wrong:
                with pytest.raises(ConnectionFailed, match=r"handshake|not gRPC"):
                    await dial(address, tls, timeout_s=DEADLINE_S)
            with pytest.raises(ConnectionFailed, match="not in plain-text gRPC"):
                await dial(address, timeout_s=DEADLINE_S)

    asyncio.run(run())


def test_an_authority_that_shows_its_own_certificate_is_trusted_by_who_names_it() -> None:
    async def run() -> None:
        async with serving(credentials(CA)) as (address, _):
            async with await dial(address, ClientTls(CA.cert)) as channel:
                assert await channel.unary_unary("/p.S/ask")(b"x") == b"x"
            for tls in (
                ClientTls(certificates.authority("localhost").cert),
                ClientTls(CA.cert, override="elsewhere"),
            ):
                with pytest.raises(ConnectionFailed):
                    await dial(address, tls, timeout_s=DEADLINE_S)

    asyncio.run(run())


def test_silence_ends_with_the_timeout() -> None:
    async def run() -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            address = f"127.0.0.1:{silent.getsockname()[1]}"
            with pytest.raises(ConnectionFailed, match="not in plain-text gRPC"):
                await dial(address, timeout_s=0.1)
            silent.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    silent.accept()[0].close()
            dialling = asyncio.ensure_future(dial(address, timeout_s=DEADLINE_S))
            accepted, _ = await asyncio.get_running_loop().sock_accept(silent)
            with accepted:
                dialling.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await dialling

    asyncio.run(run())


def test_loops_that_follow_each_other_have_channels_of_their_own() -> None:
    for _ in range(3):
        test_every_kind_of_call()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
