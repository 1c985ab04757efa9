# SPDX-License-Identifier: Apache-2.0
"""HTTP servers under connections that lead to nothing."""

import asyncio
import gc
from asyncio.sslproto import SSLProtocol

from aiohttp import web

import certificates
from fastledger.comm import TlsConfig
from fastledger.comm.http import MAX_GARBAGE, HttpServer

CA = certificates.authority()
PAIR = certificates.leaf(CA)


def test_failed_handshakes_do_not_pile_up() -> None:
    async def run() -> int:
        server = HttpServer("127.0.0.1:0", web.Application(), TlsConfig(PAIR.cert, PAIR.key))
        await server.start()
        for _ in range(2 * MAX_GARBAGE + 100):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"this is no handshake")
            await reader.read()
            writer.close()
        left = sum(isinstance(each, SSLProtocol) for each in gc.get_objects())
        await server.stop()
        return left

    # Without what the server does, nothing would be collected here.
    gc.disable()
    try:
        assert asyncio.run(run()) < MAX_GARBAGE + 100
    finally:
        gc.enable()
