# SPDX-License-Identifier: Apache-2.0
"""A call that a client makes, as servicers see it: what ``grpc.aio`` gives them, as far as used."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, NoReturn, cast

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from fastledger._core import BlockResponse, ChaincodeConversation
from fastledger._core import GrpcServer as CoreServer
from fastledger.comm.stream import DETAILS_KEY, MessageStream
from fastledger.common import log

_Decode = Callable[[bytes], Any] | None
_Encode = Callable[[Any], bytes] | None

_logger = log.get("core.comm")


Take = Callable[[Sequence[bytes]], Sequence[bytes | None]]
"""Answers encoded requests of several calls, one of each, at once: those that it can. The others'
answers are None; they have changed nothing."""


class Answers:
    """Only answers of an event loop's calls, sent together when all that was due has been done.

    Each would wake the transport by itself, and be a packet by itself.
    """

    def __init__(self, core: CoreServer) -> None:
        """Send by a server."""
        self._core = core
        self._made: list[tuple[int, Any]] = []

    def add(self, number: int, message: Any) -> None:
        """Take a call's answer."""
        if not self._made:
            asyncio.get_running_loop().call_soon(self._send)
        self._made.append((number, message))

    def _send(self) -> None:
        made, self._made = self._made, []
        for number, message in made:
            self._core.answer(number, message)


class ServerCall(MessageStream):
    """One call: the context of its servicer, and the stream of its requests."""

    __slots__ = (
        "_answers",
        "_certificates",
        "_decode",
        "_encode",
        "_peer",
        "answered",
        "asked",
        "core",
        "counts",
        "ended",
        "is_silent",
        "number",
        "path",
        "request",
        "service",
        "take",
        "task",
    )

    def __init__(
        self,
        core: CoreServer,
        number: int,
        path: str,
        peer: str,
        certificates: list[bytes],
        asked: bytes | None = None,
        *,
        answers: Answers,
    ) -> None:
        """Begin with nothing received, or with all that the client asks."""
        super().__init__()
        self._answers = answers
        self.core = core
        self.number = number
        self._peer = peer
        self._certificates = certificates
        self._decode: _Decode = None
        self._encode: _Encode = None
        self.request: Any = None
        """What its servicer gets, once it was read."""
        self.path = path
        self.service = path.rpartition("/")[0]
        """What its method belongs to: ``/package.Service``."""
        self.asked = asked
        self.is_silent = asked is None
        self.counts = False
        self.answered = False
        """Whether it has had its one answer: then the transport tells no more of it."""
        self.ended = False
        self.task: asyncio.Task[None] | None = None
        self.take: Take | None = None
        """Answers requests together with those of other calls."""

    def received(self, message: bytes) -> None:
        """Take a message of the client."""
        self.is_silent = False
        super().received(message)

    def no_more(self) -> None:
        """Know that the client has no more messages."""
        self.is_silent = False
        super().no_more()

    def over(self) -> None:
        """Know that the call is answered, or the client gone: nobody waits for it any longer."""
        self.ended = True
        self.writable()
        self.no_more()
        if self.task and not self.task.done():
            self.task.cancel()

    @property
    def has_room(self) -> bool:
        """Whether a message may be sent now: the call goes on, and the client reads."""
        return self._full is None and not self.ended

    def _consumed(self, size: int) -> None:
        self.core.consumed(self.number, size)

    def _transmit(self, message: bytes | BlockResponse) -> bool:
        return self.core.send(self.number, message)

    # What servicers use.

    def peer(self) -> str:
        """Return the client's address."""
        return self._peer

    def auth_context(self) -> dict[str, list[bytes]]:
        """Return the client's certificates in PEM, its own first, where gRPC has them."""
        if not self._certificates:
            return {}
        pem = [ssl.DER_cert_to_PEM_cert(der).encode("ascii") for der in self._certificates]
        return {"x509_pem_cert": pem}

    def answer_with(self, conversation: ChaincodeConversation) -> None:
        """Have messages answered where they come in, from the next one on."""
        self.core.answer_with(self.number, conversation)

    def answer_together(self, take: "Take") -> None:
        """Have requests that find the servicer waiting for them answered with those of other calls.

        From the next one on. What ``take`` leaves alone the servicer reads, as if it came just now.
        """
        self.take = take

    @property
    def is_awaited(self) -> bool:
        """Whether a request would be read at once, and its answer has room."""
        return self._is_awaited and not self.ended

    def read_no_more(self, message: bytes) -> None:
        """Know that a request was taken without being read."""
        self.is_silent = False
        self._consumed(len(message))

    async def read_some(self) -> list[bytes]:
        """Return the next encoded requests, as many as have come; none at the end."""
        return await self._some()

    async def read(self) -> Any:
        """Return the next request, or ``grpc.aio.EOF``."""
        message = await self._next()
        return grpc.aio.EOF if message is None else await self._decoded(message)

    async def _decoded(self, message: bytes) -> Any:
        if self._decode is None:
            return message
        try:
            return self._decode(message)
        except DecodeError as error:
            await self.abort(
                grpc.StatusCode.INTERNAL,
                f"grpc: failed to unmarshal the received message: {error}",
            )

    async def write(self, response: Any) -> None:
        """Send a response, first waiting while the client reads too slowly.

        Raises:
            grpc.aio.UsageError: The call is over.
        """
        await self._room()
        if self.ended:
            raise grpc.aio.UsageError("the call is over")
        self._send(self._encode(response) if self._encode else response)

    async def abort(
        self,
        code: grpc.StatusCode,
        details: str = "",
        trailing_metadata: Sequence[tuple[str, bytes | str]] = (),
    ) -> NoReturn:
        """End the call with an error."""
        status = b""
        for key, value in trailing_metadata:
            if key != DETAILS_KEY or not isinstance(value, bytes):
                raise ValueError(f"trailing metadata {key!r} is not supported")
            status = value
        self.core.finish(self.number, code.value[0], details, status)
        raise grpc.aio.AbortError(details)

    def fail(self, code: grpc.StatusCode, details: str) -> None:
        """End the call with an error, from outside of the servicer."""
        self.core.finish(self.number, code.value[0], details)

    async def requests(self) -> AsyncIterator[Any]:
        """Yield the requests."""
        while (request := await self.read()) is not grpc.aio.EOF:
            yield request

    async def begin(self, handler: "grpc.RpcMethodHandler[Any, Any]") -> None:
        """Wait for what a servicer's method is called with."""
        self._decode = handler.request_deserializer
        self._encode = handler.response_serializer
        if handler.request_streaming:
            self.request = self.requests()
            return
        # What was asked is let go of once it is decoded.
        asked, self.asked = self.asked, None
        if self.request is None:
            self.request = await (self.read() if asked is None else self._decoded(asked))
        if self.request is grpc.aio.EOF:
            await self.abort(grpc.StatusCode.UNIMPLEMENTED, "there is no request")

    async def answer(self, handler: "grpc.RpcMethodHandler[Any, Any]") -> None:
        """Run a servicer's method, after :meth:`begin`."""
        method = _method(handler)
        answer = method(self.request, self)
        if handler.response_streaming and hasattr(answer, "__aiter__"):
            # Whatever the servicer holds is let go of with the call, not when it is collected.
            async with contextlib.aclosing(answer):
                async for response in answer:
                    await self.write(response)
        elif handler.response_streaming:
            # The method writes by itself.
            await answer
        else:
            self._answer(await answer)
            return
        self.core.finish(self.number)

    def _answer(self, response: Any) -> None:
        """Send the only response, and end the call with it."""
        self._answers.add(self.number, self._encode(response) if self._encode else response)
        self.answered = self.ended = True


def send_all(calls: Sequence[ServerCall], message: bytes | BlockResponse) -> Sequence[ServerCall]:
    """Send one message of several calls that have room; return those that have none any more."""
    by_server: dict[CoreServer, dict[int, ServerCall]] = {}
    for call in calls:
        by_server.setdefault(call.core, {})[call.number] = call
    full = []
    for core, known in by_server.items():
        full += [known[number] for number in core.send_all(list(known), message)]
    for call in full:
        call.fill()
    return full


class Together:
    """Requests that came together, and are answered together where their servicers have it so."""

    def __init__(self) -> None:
        """Begin with none."""
        self._asked: dict[Take, dict[ServerCall, bytes]] = {}

    def received(self, call: ServerCall, message: bytes) -> None:
        """Take a call's request."""
        take = call.take
        if take is None or not call.is_awaited:
            call.received(message)
            return
        asked = self._asked.setdefault(take, {})
        if call in asked:
            # A call's next request is not looked at before this one is answered.
            self.take()
            call.received(message)
        else:
            asked[call] = message

    def take(self) -> None:
        """Have what has come so far answered, and read what cannot be."""
        waiting, self._asked = self._asked, {}
        for take, asked in waiting.items():
            by_answer: dict[bytes, list[ServerCall]] = {}
            try:
                answers = take(list(asked.values()))
            except Exception:
                # Other calls' events came with these, and must not be lost with them.
                _logger.exception("defect in answering requests together")
                answers = [None] * len(asked)
            for (call, message), answer in zip(asked.items(), answers, strict=True):
                if answer is None:
                    call.received(message)
                else:
                    call.read_no_more(message)
                    by_answer.setdefault(answer, []).append(call)
            for answer, calls in by_answer.items():
                send_all(calls, answer)


def _method(handler: "grpc.RpcMethodHandler[Any, Any]") -> Callable[[Any, ServerCall], Any]:
    """Return what a handler calls: of the four kinds it has the one that it is."""
    method: Any = (
        handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
    )
    return cast("Callable[[Any, ServerCall], Any]", method)
