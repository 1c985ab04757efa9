# SPDX-License-Identifier: Apache-2.0
"""gRPC servers with Fabric's limits (Fabric: ``internal/pkg/comm/server.go``).

HTTP/2, TLS and framing are the core's, on a thread without the GIL: in Python they cost several
times as much as what most calls ask for. Servicers are the generated ones, and do not notice.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from fastledger._core import (
    CALL_ASKED,
    CALL_BEGUN,
    CALL_HALF_CLOSED,
    CALL_MESSAGE,
    CALL_WRITABLE,
)
from fastledger._core import GrpcServer as CoreServer
from fastledger.comm.call import Answers, ServerCall, Together
from fastledger.comm.client_call import in_core
from fastledger.comm.limits import MAX_MESSAGE_BYTES
from fastledger.comm.tls import TlsConfig
from fastledger.common import corelog, log
from fastledger.common.errors import ListenFailed, said_to_others
from fastledger.common.shorten import shortened

AnyHandler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"

ReadMany = Callable[[Sequence[Any]], Sequence[Any]]
"""Makes of encoded requests what a method is called with, or a DecodeError for each."""

MAX_STREAMS_PER_CONNECTION = 2500
"""Calls at a time on one connection."""

LAST_WORDS_S = 2.0
"""What a server that stops gives clients to take its last answers."""

_POLL_S = 0.01

_logger = log.get("comm.grpc.server")


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Keepalive and message limits of a server; the defaults are Fabric's.

    Attributes:
        max_message_bytes: Largest message received or sent.
        keepalive_s: Ping a silent client that often.
        keepalive_timeout_s: Close its connection when a ping is not answered for so long.
        concurrency: Calls at a time of services such as ``/protos.Endorser``, whoever makes them;
            more are refused. 0 is no limit.
    """

    max_message_bytes: int = MAX_MESSAGE_BYTES
    keepalive_s: float = 7200
    keepalive_timeout_s: float = 20
    concurrency: Mapping[str, int] = field(default_factory=dict)


class Services:
    """What the generated ``add_…Servicer_to_server`` take for a server: methods by path."""

    def __init__(self) -> None:
        """Know no method."""
        self._methods: dict[str, AnyHandler] = {}
        self._generic: list[grpc.GenericRpcHandler] = []
        self._reading: dict[str, ReadMany] = {}

    def add_unary(
        self, path: str, answer: Callable[[Any, Any], Awaitable[Any]], read: ReadMany
    ) -> None:
        """Add a method of one request and one encoded answer.

        Requests that come together are read together: some of what each one needs, such as a look
        at its signature, costs little more for many than for one.

        Args:
            path: ``/package.Service/Method``.
            answer: Gets a request as it was read, and the call.
            read: Reads encoded requests; what it cannot decode it does not raise, but returns.
        """
        self._methods[path] = grpc.unary_unary_rpc_method_handler(
            answer, request_deserializer=partial(_read_one, read)
        )
        self._reading[path] = read

    def add_registered_method_handlers(
        self, service: str, handlers: "Mapping[str, AnyHandler]"
    ) -> None:
        """Add a service's methods by name."""
        self._methods.update({f"/{service}/{name}": each for name, each in handlers.items()})

    def add_generic_rpc_handlers(self, handlers: "Iterable[grpc.GenericRpcHandler]") -> None:
        """Add handlers that are asked for a method."""
        self._generic.extend(handlers)

    def find(self, path: str) -> "AnyHandler | None":
        """Return what answers ``/package.Service/Method``."""
        if path not in self._methods:
            found = (generic.service(_Details(path)) for generic in self._generic)
            handler = next((handler for handler in found if handler is not None), None)
            if handler is None:
                return None
            self._methods[path] = handler
        return self._methods[path]

    def read_together(self, calls: Iterable[ServerCall]) -> None:
        """Read what calls have asked, as far as it can be read; of the rest each call will say."""
        alike: dict[str, list[ServerCall]] = {}
        for call in calls:
            if call.asked is not None and call.path in self._reading:
                alike.setdefault(call.path, []).append(call)
        for path, asking in alike.items():
            try:
                requests = self._reading[path]([call.asked for call in asking])
            except Exception:
                _logger.exception("defect in reading for %s", path)
                continue
            for call, request in zip(asking, requests, strict=True):
                call.request = None if isinstance(request, DecodeError) else request

    def asked_once(self) -> list[str]:
        """Return the paths of methods that are known to take one request."""
        return [path for path, each in self._methods.items() if not each.request_streaming]

    def kept_in_core(self) -> list[str]:
        """Return the paths of methods whose requests stay where they came in."""
        return [
            path for path, each in self._methods.items() if each.request_deserializer is in_core
        ]


def _read_one(read: ReadMany, message: bytes) -> Any:
    (request,) = read([message])
    if isinstance(request, DecodeError):
        raise request
    return request


@dataclass
class _Details:
    """What generic handlers are asked with (``grpc.HandlerCallDetails``)."""

    method: str
    invocation_metadata: tuple[tuple[str, str | bytes], ...] = ()


class GrpcServer:
    """A server to which rooms add their services.

    ::

        server = GrpcServer("0.0.0.0:7051", tls)
        server.add(lambda grpc_server: add_EndorserServicer_to_server(endorser, grpc_server))
        await server.start()
    """

    def __init__(
        self,
        address: str,
        tls: TlsConfig | None = None,
        *,
        limits: ServerLimits | None = None,
        client_roots: Callable[[], bytes] | None = None,
    ) -> None:
        """Prepare a server for ``host:port``; port 0 takes a free one.

        ``client_roots`` gives the PEM of more CAs of clients, at each handshake.
        """
        self._client_roots = client_roots
        self._address = address
        self._tls = tls
        self._limits = limits or ServerLimits()
        self._services = Services()
        self._calls: dict[int, ServerCall] = {}
        self._busy: Counter[str] = Counter()
        self._core: CoreServer | None = None
        self._answers: Answers | None = None
        self._stopped = asyncio.Event()

    @property
    def port(self) -> int:
        """The port it listens at, once it was started."""
        return self._core.port if self._core else 0

    @property
    def address(self) -> str:
        """``host:port`` it listens at, once it was started."""
        return f"{self._address.rpartition(':')[0]}:{self.port}"

    def add(self, register: Callable[[Any], None]) -> None:
        """Add a service: hand in what calls the generated ``add_…Servicer_to_server``."""
        register(self._services)

    async def start(self) -> None:
        """Listen and serve, in the running event loop.

        Raises:
            ListenFailed: The address is taken, or not this machine's.
            ConnectionFailed: It cannot serve for another reason, such as a key that is no key.
        """
        corelog.follow()
        limits, tls = self._limits, self._tls
        try:
            core = CoreServer.start(
                self._address,
                max_message_bytes=limits.max_message_bytes,
                max_calls=MAX_STREAMS_PER_CONNECTION,
                keepalive_s=limits.keepalive_s,
                keepalive_timeout_s=limits.keepalive_timeout_s,
                cert=tls.cert if tls else None,
                key=tls.key if tls else None,
                client_roots=tls.client_roots if tls else None,
                require_client_cert=tls.require_client_cert if tls else False,
                more_client_roots=self._client_roots,
                time_shift_s=tls.time_shift_s if tls else 0.0,
            )
        except ListenFailed as error:
            hint = "name another address, or stop the node that has it"
            raise ListenFailed(f"{error}; {hint}") from error
        self._core = core
        self._answers = Answers(core)
        for path in self._services.asked_once():
            core.asks_once(path)
        for path in self._services.kept_in_core():
            core.keeps(path)
        asyncio.get_running_loop().add_reader(core.fileno(), self._drain)

    async def stop(self, grace_s: float | None = None) -> None:
        """Take no more calls, and end those under way after ``grace_s`` seconds."""
        core = self._core
        if core is None or self._stopped.is_set():
            return
        core.close()
        await self._until(lambda: not self._calls, grace_s or 0)
        tasks = self._end_calls()
        await self._until(core.ended, LAST_WORDS_S)
        core.abort()
        asyncio.get_running_loop().remove_reader(core.fileno())
        # What came while they ended.
        tasks |= self._end_calls()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._stopped.set()

    def _end_calls(self) -> "set[asyncio.Task[None]]":
        tasks = {call.task for call in self._calls.values() if call.task}
        for task in tasks:
            task.cancel()
        return tasks

    @staticmethod
    async def _until(condition: Callable[[], bool], seconds: float) -> None:
        """Return when it is so, or the time is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not condition():
                    await asyncio.sleep(_POLL_S)

    async def wait(self) -> None:
        """Return when the server was stopped."""
        await self._stopped.wait()

    def _drain(self) -> None:
        """Take what has happened since the last time."""
        core = self._core
        if core is None or self._answers is None:
            return
        calls, answers = self._calls, self._answers
        begun: list[ServerCall] = []
        together = Together()
        for number, happened, what in core.drain():
            if happened in (CALL_ASKED, CALL_BEGUN):
                call = calls[number] = ServerCall(core, number, *what, answers=answers)
                begun.append(call)
            elif (known := calls.get(number)) is None:
                # Of a call that is over nothing matters any more.
                continue
            elif happened == CALL_MESSAGE:
                together.received(known, what)
            elif happened == CALL_HALF_CLOSED:
                known.no_more()
            elif happened == CALL_WRITABLE:
                known.writable()
            else:
                del calls[number]
                known.over()
        together.take()
        self._services.read_together(begun)
        loop = asyncio.get_running_loop()
        for call in begun:
            if not call.ended:
                call.task = loop.create_task(self._answer(call))

    def _displace(self, comer: ServerCall) -> bool:
        """End a stream of a service whose client has said nothing; False when all others have."""
        for call in self._calls.values():
            silent = call.is_silent and call.counts and not call.ended
            if silent and call.service == comer.service and call is not comer:
                needed = "the place of a stream is needed whose client has sent nothing"
                call.fail(grpc.StatusCode.RESOURCE_EXHAUSTED, needed)
                call.over()
                return True
        return False

    async def _answer(self, call: ServerCall) -> None:
        path, service = call.path, call.service
        most = self._limits.concurrency.get(service, 0)
        handler = self._services.find(path)
        try:
            if handler is None:
                await call.abort(grpc.StatusCode.UNIMPLEMENTED, f"unknown method {shortened(path)}")
            # A call is counted when its servicer begins, which needs the one request if there is
            # to be one: a client that sends none keeps nobody out (as interceptors of grpc-go).
            await call.begin(handler)
            self._busy[service] += 1
            call.counts = True
            if 0 < most < self._busy[service] and not self._displace(call):
                too_many = f"too many requests for {service}, exceeding concurrency limit ({most})"
                _logger.error("%s", too_many)
                await call.abort(grpc.StatusCode.UNKNOWN, too_many)
            await call.answer(handler)
        except grpc.aio.AbortError:
            pass
        except asyncio.CancelledError:
            if not call.ended:
                call.fail(grpc.StatusCode.UNAVAILABLE, "the server stops")
        except Exception as error:
            if call.ended and isinstance(error, grpc.aio.UsageError):
                # The client has gone while it was being answered.
                return
            _logger.exception("defect in %s", path)
            call.fail(grpc.StatusCode.UNKNOWN, said_to_others(error))
        finally:
            self._forget(call)

    def _forget(self, call: ServerCall) -> None:
        if call.answered:
            self._calls.pop(call.number, None)
        if call.counts:
            self._busy[call.service] -= 1
            if not self._busy[call.service]:
                del self._busy[call.service]
