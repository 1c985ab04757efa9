# SPDX-License-Identifier: Apache-2.0
"""Calls that a client makes: what ``grpc.aio`` calls a call, as far as used."""

import asyncio
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from typing import Any, NamedTuple

import grpc
import grpc.aio

from fastledger._core import ChaincodeConversation, CoreBytes, StepMessage
from fastledger._core import GrpcCall as CoreCall
from fastledger.comm.hub import Route
from fastledger.comm.stream import DETAILS_KEY, MessageStream

_Codec = Callable[[Any], Any] | None

_CODES = {code.value[0]: code for code in grpc.StatusCode}


def in_core(message: Any) -> Any:
    """Leave a message in the core: what decodes it where Python only hands it on."""
    return message


class _Status(NamedTuple):
    code: int
    text: str
    details: bytes = b""


_CANCELLED = _Status(grpc.StatusCode.CANCELLED.value[0], "Locally cancelled by application!")


class Call:
    """What all calls have: they end."""

    __slots__ = ("_core", "_decode", "_number", "_over", "_status", "route")

    def __init__(self, route: Route, call: tuple[int, CoreCall], decode: _Codec = None) -> None:
        """Begin."""
        self.route = route
        self._number, self._core = call
        self._decode = decode
        self._status: _Status | None = None
        self._over: asyncio.Future[None] | None = None
        route.hub.calls[self._number] = self

    # What the transport tells.

    def received(self, message: bytes) -> None:
        """Take a message of the server."""

    def writable(self) -> None:
        """Go on writing."""

    def finished(self, code: int, text: str, details: bytes) -> None:
        """Know how the call ended."""
        self._end(_Status(code, text, details))

    def _end(self, status: _Status) -> None:
        if self._status is None:
            self._status = status
            del self.route.hub.calls[self._number]
            if self._over and not self._over.done():
                self._over.set_result(None)

    # What callers use.

    def cancel(self) -> bool:
        """Take the call back; False when it has ended."""
        if self._status is not None:
            return False
        self._core.cancel()
        self._end(_CANCELLED)
        return True

    def done(self) -> bool:
        """Whether the call has ended."""
        return self._status is not None

    def cancelled(self) -> bool:
        """Whether the call ended by being cancelled."""
        return self._status is not None and self._status.code == _CANCELLED.code

    async def code(self) -> grpc.StatusCode:
        """Wait for the end, and return its code."""
        return _CODES[(await self._ended()).code]

    async def details(self) -> str:
        """Wait for the end, and return its text."""
        return (await self._ended()).text

    async def trailing_metadata(self) -> grpc.aio.Metadata:
        """Wait for the end, and return its encoded ``google.rpc.Status``, if there is one."""
        return _metadata(await self._ended())

    async def _ended(self) -> _Status:
        while self._status is None:
            await self._until_over()
        return self._status

    def _until_over(self) -> "asyncio.Future[None]":
        if self._over is None or self._over.done():
            self._over = asyncio.get_running_loop().create_future()
        return self._over

    def _wait(self) -> Generator[Any, None, None]:
        """Wait for a good end; whoever gives up waiting gives up the call."""
        if self._status is None:
            try:
                yield from self._until_over().__await__()
            except asyncio.CancelledError:
                self.cancel()
                raise
        self._check()

    def _check(self) -> None:
        """Raise unless the call ended well."""
        status = self._status
        if status is _CANCELLED:
            raise asyncio.CancelledError
        if status is not None and status.code:
            raise grpc.aio.AioRpcError(
                _CODES[status.code], grpc.aio.Metadata(), _metadata(status), details=status.text
            )

    def _decoded(self, message: bytes) -> Any:
        if self._decode is None:
            return message
        try:
            return self._decode(message)
        except Exception as error:
            text = f"failed to unmarshal the received message: {error}"
            raise grpc.aio.AioRpcError(
                grpc.StatusCode.INTERNAL, grpc.aio.Metadata(), grpc.aio.Metadata(), details=text
            ) from error


def _metadata(status: _Status) -> grpc.aio.Metadata:
    return grpc.aio.Metadata(*([(DETAILS_KEY, status.details)] if status.details else []))


class Connecting(Call):
    """Becomes a connection."""

    __slots__ = ()

    def __init__(self, route: Route, timeout_s: float | None) -> None:
        """Begin to connect."""
        super().__init__(route, route.core.connect(timeout_s))

    def __await__(self) -> Generator[Any, None, None]:
        """Wait until the connection stands."""
        yield from self._wait()


class Asking(Call):
    """One message, one answer."""

    __slots__ = ("_answer",)

    def __init__(
        self,
        route: Route,
        method: str,
        encode: _Codec,
        decode: _Codec,
        request: Any,
        *,
        timeout: float | None = None,
    ) -> None:
        """Ask."""
        message = encode(request) if encode else request
        super().__init__(route, route.core.ask(method, message, timeout), decode)
        self._answer = b""

    def received(self, message: bytes) -> None:
        """Take the answer."""
        self._answer = message

    def __await__(self) -> Generator[Any, None, Any]:
        """Return the answer."""
        yield from self._wait()
        return self._decoded(self._answer)


class Conversing(MessageStream, Call):
    """Messages in both directions.

    Answers that are decoded by `in_core` stay where they came in.
    """

    __slots__ = ("_encode", "_half_closed")

    def __init__(
        self,
        route: Route,
        method: str,
        encode: _Codec,
        decode: _Codec,
        *,
        timeout: float | None = None,
    ) -> None:
        """Begin."""
        MessageStream.__init__(self)
        held = decode is in_core
        call = route.core.converse(method, timeout, held=held)
        Call.__init__(self, route, call, decode)
        self._encode = encode
        self._half_closed = False

    def _consumed(self, size: int) -> None:
        self._core.consumed(size)

    def _transmit(self, message: bytes | CoreBytes | StepMessage) -> bool:
        return self._core.send(message)

    def _end(self, status: _Status) -> None:
        super()._end(status)
        if status is _CANCELLED:
            self._inbox.clear()
        self.no_more()
        self.writable()

    def answer_with(self, conversation: ChaincodeConversation) -> None:
        """Have messages answered where they come in, from the next one on."""
        self._core.answer_with(conversation)

    def is_quiet(self) -> bool:
        """Whether the call goes on, and no message waits to be read."""
        return self._status is None and not self._inbox

    async def read(self) -> Any:
        """Return the next message, or ``grpc.aio.EOF``.

        Raises:
            grpc.aio.AioRpcError: The call failed.
        """
        try:
            message = await self._next()
        except asyncio.CancelledError:
            self.cancel()
            raise
        if message is None:
            self._check()
            return grpc.aio.EOF
        return self._decoded(message)

    async def __aiter__(self) -> AsyncIterator[Any]:
        """Yield the messages."""
        while (message := await self.read()) is not grpc.aio.EOF:
            yield message

    async def write(self, request: Any) -> None:
        """Send a message, first waiting while the server reads too slowly.

        Raises:
            grpc.aio.AioRpcError: The call has failed.
            asyncio.InvalidStateError: The call has ended, or there were to be no more messages.
        """
        await self._room()
        if self._status is not None:
            if self._status is not _CANCELLED:
                self._check()
            raise asyncio.InvalidStateError("the call is over")
        if self._half_closed:
            raise asyncio.InvalidStateError("the client has said that it writes no more")
        self._send(self._encode(request) if self._encode else request)

    def write_now(self, request: bytes | StepMessage) -> bool:
        """Send an encoded message if the call goes on and has room; whether it did."""
        return self.write_some([request]) == 1

    def write_some(self, requests: Sequence[bytes | StepMessage]) -> int:
        """Send encoded messages as long as the call goes on and has room; return how many."""
        if self._full is not None or self._status is not None or self._half_closed:
            return 0
        count, has_room = self._core.send_some(requests)
        if not has_room:
            self.fill()
        return count

    async def done_writing(self) -> None:
        """Say that there are no more messages."""
        self._half_close()

    def write_only(self, request: Any) -> None:
        """Send the only message."""
        self._send(self._encode(request) if self._encode else request)
        self._half_close()

    def _half_close(self) -> None:
        self._half_closed = True
        self._core.half_close()


class Gathering(Conversing):
    """Many messages, one answer."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, Any]:
        """Return the answer."""
        yield from self._wait()
        if len(self._inbox) != 1:
            text = f"the server sent {len(self._inbox)} messages instead of one"
            raise grpc.aio.AioRpcError(
                grpc.StatusCode.INTERNAL, grpc.aio.Metadata(), grpc.aio.Metadata(), details=text
            )
        return self._decoded(self._inbox[0])
