# SPDX-License-Identifier: Apache-2.0
"""HTTP servers for administration: operations, channel participation."""

import asyncio
import gc

from aiohttp import web

from fastledger.comm.tls import TlsConfig
from fastledger.common.errors import ConnectionFailed

SHUTDOWN_S = 2.0
"""Calls under way get so long to end when a server stops."""

MAX_GARBAGE = 400
"""TLS connections after which their garbage is collected. Each leaves a cycle with some 100 KiB of
buffers behind (``asyncio.sslproto``), of which the collector, which counts objects, thinks little.
"""


class HttpServer:
    """An aiohttp application at an address."""

    def __init__(self, address: str, app: web.Application, tls: TlsConfig | None = None) -> None:
        """Prepare a server for ``host:port``; port 0 takes a free one."""
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._tls = tls
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S)
        self._listening: asyncio.Server | None = None
        self._connections = 0

    @property
    def port(self) -> int:
        """The port it listens at, once it was started."""
        return self._port

    async def start(self) -> None:
        """Listen and serve.

        Raises:
            ConnectionFailed: The address is taken, or not this machine's.
        """
        await self._runner.setup()
        context = self._tls.ssl_context() if self._tls else None
        try:
            self._listening = await asyncio.get_running_loop().create_server(
                self._connect, self._host or None, self._port, ssl=context
            )
        except OSError as error:
            await self._runner.cleanup()
            reason = error.strerror or error
            raise ConnectionFailed(
                f"cannot listen at {self._host}:{self._port}: {reason}"
            ) from error
        self._port = self._listening.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Take no more calls, and end those under way."""
        if self._listening:
            self._listening.close()
        await self._runner.cleanup()

    def _connect(self) -> asyncio.Protocol:
        self._connections += 1
        if self._tls and self._connections % MAX_GARBAGE == 0:
            gc.collect()
        server = self._runner.server
        if server is None:
            raise ConnectionAbortedError("the server stops")
        return server()
