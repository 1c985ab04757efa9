# SPDX-License-Identifier: Apache-2.0
"""HTTP servers under clients that are slow, many, or send too much."""

import asyncio
import gc
import gzip
import ssl
from asyncio.sslproto import SSLProtocol
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

import certificates
from fastledger.comm import TlsConfig, http
from fastledger.comm.http import HttpServer
from fastledger.common.errors import ConfigInvalid, ConnectionFailed
from waiting import elapse

CA = certificates.authority()
PAIR = certificates.leaf(CA)
TLS = TlsConfig(PAIR.cert, PAIR.key)
MAX_BODY = 64 * 1024
DEADLINE_S = 60

Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _hello(_: web.Request) -> web.Response:
    return web.Response(text="hello")


async def _length(request: web.Request) -> web.Response:
    return web.Response(text=str(len(await request.read())))


async def _much(_: web.Request) -> web.Response:
    return web.Response(body=bytes(64 << 20))


@asynccontextmanager
async def serving(tls: TlsConfig | None = None) -> AsyncIterator[int]:
    app = web.Application(client_max_size=MAX_BODY)
    app.router.add_get("/", _hello)
    app.router.add_post("/", _length)
    app.router.add_get("/much", _much)
    server = HttpServer("127.0.0.1:0", app, tls)
    await server.start()
    try:
        async with asyncio.timeout(DEADLINE_S):
            yield server.port
    finally:
        await server.stop()


async def connect(port: int, sent: bytes = b"") -> Pair:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    return reader, writer


async def ask(port: int, sent: bytes = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n") -> str:
    """Return the first line of the answer."""
    reader, writer = await connect(port, sent)
    line = (await reader.readline()).decode().strip()
    writer.close()
    return line


async def ended(pair: Pair) -> bool:
    """Whether the server ends the connection, however it says so."""
    try:
        while await pair[0].read(1 << 16):
            pass
    except ConnectionError:
        pass
    pair[1].close()
    return True


@pytest.mark.parametrize("address", ["zzz", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000"])
def test_an_address_has_host_and_port(address: str) -> None:
    with pytest.raises(ConfigInvalid, match="it must be host:port"):
        HttpServer(address, web.Application())


def test_a_key_belongs_to_its_certificate() -> None:
    other = certificates.leaf(CA)
    with pytest.raises(ConfigInvalid, match="private key: key values mismatch"):
        HttpServer("127.0.0.1:0", web.Application(), TlsConfig(PAIR.cert, other.key))


def test_a_taken_address_is_named() -> None:
    async def run() -> None:
        async with serving() as port:
            again = HttpServer(f"127.0.0.1:{port}", web.Application())
            text = f"cannot listen at 127.0.0.1:{port}: Address already in use$"
            with pytest.raises(ConnectionFailed, match=text):
                await again.start()

    asyncio.run(run())


def test_a_head_that_comes_slowly_does_not_hold_a_connection(monkeypatch) -> None:
    monkeypatch.setattr(http, "HEAD_S", 1.0)

    async def run() -> None:
        async with serving() as port:
            pairs = [await connect(port, b"GET / HTTP/1.1\r\n") for _ in range(20)]

            async def drip(writer: asyncio.StreamWriter) -> None:
                while not writer.transport.is_closing():
                    writer.write(b"X-A: b\r\n")
                    await elapse(0.1, "a client that sends slowly")

            dripping = [asyncio.create_task(drip(writer)) for _, writer in pairs]
            assert await ask(port) == "HTTP/1.1 200 OK"
            assert all(await asyncio.gather(*(ended(pair) for pair in pairs)))
            # The same after an answer.
            twice = b"GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\n"
            reader, writer = await connect(port, twice)
            dripping.append(asyncio.create_task(drip(writer)))
            assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
            assert await ended((reader, writer))
            await asyncio.gather(*dripping, return_exceptions=True)

    asyncio.run(run())


def test_a_call_that_never_ends_does_not_hold_a_connection(monkeypatch) -> None:
    monkeypatch.setattr(http, "CALL_S", 1.0)

    async def run() -> None:
        async with serving() as port:
            head = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n12"
            assert await ended(await connect(port, head))
            # Nor does an answer that nobody takes.
            reader, writer = await connect(port, b"GET /much HTTP/1.1\r\nHost: h\r\n\r\n")
            await elapse(3, "longer than a call may take")
            got = 0
            try:
                while chunk := await reader.read(1 << 20):
                    got += len(chunk)
            except ConnectionError:
                pass
            writer.close()
            assert got < 64 << 20

    asyncio.run(run())


@pytest.mark.parametrize("tls", [None, TLS], ids=["plain", "tls"])
def test_a_thousand_silent_connections_keep_nobody_out(tls: TlsConfig | None) -> None:
    """With TLS they do not even shake hands."""

    async def run() -> None:
        async with serving(tls) as port:
            silent = [await connect(port) for _ in range(1000)]
            if tls:
                trust = ssl.create_default_context(cadata=CA.cert.decode())
                reader, writer = await asyncio.open_connection("localhost", port, ssl=trust)
                writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
                writer.close()
            else:
                assert await ask(port) == "HTTP/1.1 200 OK"
            left = sum(not reader.at_eof() and not reader.exception() for reader, _ in silent)
            assert left <= http.MAX_CONNECTIONS
            for _, writer in silent:
                writer.close()

    asyncio.run(run())


def test_heads_and_bodies_have_a_largest_size() -> None:
    long = b"x" * (http.MAX_LINE_BYTES + 1)
    many = b"".join(b"X-%d: y\r\n" % n for n in range(http.MAX_FIELDS + 1))

    async def run() -> None:
        async with serving() as port:
            for head in (b"/" + long, b"/ HTTP/1.1\r\nX: " + long):
                assert " 400 " in await ask(port, b"GET " + head + b"\r\n\r\n")
            assert " 400 " in await ask(port, b"GET / HTTP/1.1\r\n" + many + b"\r\n")
            body = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY + 1)
            assert " 413 " in await ask(port, body + bytes(MAX_BODY + 1))
            endless = b"10000\r\n" + bytes(0x10000) + b"\r\n"
            chunked = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
            assert " 413 " in await ask(port, chunked + endless * 4)
            bomb = gzip.compress(bytes(64 << 20))
            packed = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Encoding: gzip\r\nContent-Length: "
            assert " 413 " in await ask(port, packed + b"%d\r\n\r\n" % len(bomb) + bomb)
            assert await ask(port) == "HTTP/1.1 200 OK"

    asyncio.run(run())


def test_failed_handshakes_do_not_pile_up() -> None:
    async def run() -> int:
        async with serving(TLS) as port:
            for _ in range(2 * http.MAX_GARBAGE + 100):
                reader, writer = await connect(port, b"this is no handshake")
                await reader.read()
                writer.close()
            return sum(isinstance(each, SSLProtocol) for each in gc.get_objects())

    # Without what the server does, nothing would be collected here.
    gc.disable()
    try:
        assert asyncio.run(run()) < http.MAX_GARBAGE + 100
    finally:
        gc.enable()
