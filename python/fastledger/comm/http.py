# SPDX-License-Identifier: Apache-2.0
"""HTTP servers for administration: operations, channel participation.

What clients can hold is bounded. Times are those of Fabric's ``common/fabhttp``.
"""

import asyncio
import contextlib
import errno
import gc
import os
import socket
import time

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler

from fastledger.comm.tls import TlsConfig
from fastledger.common import log
from fastledger.common.errors import ConfigInvalid, ConnectionFailed

SHUTDOWN_S = 2.0
"""Calls under way get so long to end when a server stops."""

MAX_CONNECTIONS = 256
"""Connections at a time, those included that still shake hands. The next one takes the place of the
one that has been silent for longest; only when all of them wait for answers it is turned away."""

HANDSHAKE_S = 10.0
HEAD_S = 10.0
"""A client gets so long to ask, from its handshake, or the last answer, to the end of the head."""

CALL_S = 120.0
"""A call may take so long from its head to the last byte that the client has taken."""

MAX_LINE_BYTES = 8 * 1024
"""The longest line of a head: the request's, or a field."""

MAX_FIELDS = 64
"""Fields of a head."""

MAX_GARBAGE = 400
"""TLS connections after which their garbage is collected. Each leaves a cycle with some 100 KiB of
buffers behind (``asyncio.sslproto``), of which the collector, which counts objects, thinks little.
"""

UNREADABLE_FORM = (
    ValueError,
    LookupError,
    TypeError,
    AssertionError,
    RuntimeError,
    HttpProcessingError,
)
"""What aiohttp raises at the parts of a form that are none: the client's fault, each of them."""

MAX_PORT = 65_535
_SWEEP_S = 0.5
_NO_SUCH_FAMILY = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}

_logger = log.get("fabhttp")


def require_certificate(request: web.Request) -> None:
    """Refuse a client that showed no certificate, where the server speaks TLS.

    It holds whether or not handshakes require one, as Fabric's ``middleware.RequireCert`` does.

    Raises:
        HTTPUnauthorized: It showed none.
    """
    transport = request.transport
    if request.secure and not (transport and transport.get_extra_info("peercert")):
        raise web.HTTPUnauthorized


class HttpServer:
    """An aiohttp application at an address."""

    def __init__(self, address: str, app: web.Application, tls: TlsConfig | None = None) -> None:
        """Prepare a server for ``host:port``; port 0 takes a free one.

        Raises:
            ConfigInvalid: It is no address, or key and certificate do not belong together.
        """
        self._host, _, port = address.rpartition(":")
        if not (":" in address and port.isdecimal() and int(port) <= MAX_PORT):
            raise ConfigInvalid(f"cannot listen at {address}: it must be host:port")
        self._port = int(port)
        self._tls = tls.ssl_context() if tls else None
        app.middlewares.insert(0, self._timed)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            shutdown_timeout=SHUTDOWN_S,
            keepalive_timeout=HEAD_S,
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_LINE_BYTES,
            max_headers=MAX_FIELDS,
        )
        self._listeners: list[socket.socket] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._handshakes: dict[asyncio.Task[None], None] = {}
        self._deadlines: dict[web.RequestHandler, float] = {}
        self._answering: set[web.RequestHandler] = set()
        self._taken = 0

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
        try:
            self._listeners = await self._listen()
        except OSError as error:
            await self._runner.cleanup()
            # The codes of a resolver are negative; socket adds the address to the others' texts.
            reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
            raise ConnectionFailed(
                f"cannot listen at {self._host}:{self._port}: {reason}"
            ) from error
        self._port = self._listeners[0].getsockname()[1]
        self._tasks = [asyncio.create_task(self._accept(one)) for one in self._listeners]
        self._tasks.append(asyncio.create_task(self._sweep()))

    async def stop(self) -> None:
        """Take no more calls, and end those under way."""
        for task in (*self._tasks, *self._handshakes):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._handshakes, return_exceptions=True)
        for listener in self._listeners:
            # A task that is cancelled before its first step closes nothing.
            listener.close()
        await self._runner.cleanup()

    async def _listen(self) -> list[socket.socket]:
        """Return sockets for all addresses that the host stands for."""
        found = await asyncio.get_running_loop().getaddrinfo(
            self._host or None, self._port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        listeners: list[socket.socket] = []
        for family, *_, address in dict.fromkeys(found):
            try:
                listeners.append(socket.create_server(address[:2], family=family))
            except OSError as error:
                if error.errno in _NO_SUCH_FAMILY and len(found) > 1:
                    continue
                for listener in listeners:
                    listener.close()
                raise
            listeners[-1].setblocking(False)
        return listeners

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with listener:
            while True:
                try:
                    connection, _ = await loop.sock_accept(listener)
                except OSError as error:
                    _logger.warning("cannot take a connection: %s", error)
                    await asyncio.sleep(_SWEEP_S)
                    continue
                if self._make_room():
                    task = loop.create_task(self._connect(connection))
                    self._handshakes[task] = None
                    task.add_done_callback(lambda done: self._handshakes.pop(done, None))
                else:
                    connection.close()
                # Lets those go that were ended for this one.
                await asyncio.sleep(0)

    def _make_room(self) -> bool:
        """End the connection that is silent for longest when there are too many."""
        connected = self._connected()
        if len(self._handshakes) + len(connected) < MAX_CONNECTIONS:
            return True
        if self._handshakes:
            oldest = next(iter(self._handshakes))
            del self._handshakes[oldest]
            oldest.cancel()
            return True
        silent = [each for each in connected if each not in self._answering]
        if silent:
            _abort(min(silent, key=lambda each: self._deadlines.get(each, 0.0)))
        return bool(silent)

    async def _connect(self, connection: socket.socket) -> None:
        server = self._runner.server
        if server is None:
            connection.close()
            return
        self._taken += 1
        if self._tls and self._taken % MAX_GARBAGE == 0:
            gc.collect()
        limit = {"ssl_handshake_timeout": HANDSHAKE_S} if self._tls else {}
        with contextlib.suppress(OSError, TimeoutError):
            _, handler = await asyncio.get_running_loop().connect_accepted_socket(
                server, connection, ssl=self._tls, **limit
            )
            self._deadlines.setdefault(handler, time.monotonic() + HEAD_S)

    @web.middleware
    async def _timed(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        connection = request.protocol
        self._deadlines[connection] = time.monotonic() + CALL_S
        self._answering.add(connection)
        try:
            return await handler(request)
        finally:
            self._answering.discard(connection)

    async def _sweep(self) -> None:
        """End connections whose time is over."""
        while True:
            await asyncio.sleep(_SWEEP_S)
            now = time.monotonic()
            connected = set(self._connected())
            for handler in [each for each in self._deadlines if each not in connected]:
                del self._deadlines[handler]
            for handler in connected:
                if self._deadlines.get(handler, now) < now:
                    _abort(handler)

    def _connected(self) -> "list[web.RequestHandler]":
        server = self._runner.server
        return server.connections if server else []


def _abort(handler: web.RequestHandler) -> None:
    if handler.transport:
        handler.transport.abort()
