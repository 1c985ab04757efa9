# SPDX-License-Identifier: Apache-2.0
"""A call that a client makes, as servicers see it: what ``grpc.aio`` gives them, as far as used."""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, NoReturn, cast

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from fastledger._core import GrpcServer as CoreServer

DETAILS_KEY = "grpc-status-details-bin"
"""Trailer with an encoded ``google.rpc.Status``; the only one that Fabric's services set."""

_Decode = Callable[[bytes], Any] | None
_Encode = Callable[[Any], bytes] | None


class ServerCall:
    """One call: the context of its servicer, and the stream of its requests."""

    __slots__ = (
        "_certificates",
        "_core",
        "_decode",
        "_encode",
        "_half_closed",
        "_id",
        "_inbox",
        "_peer",
        "_reader",
        "_room",
        "ended",
        "task",
    )

    def __init__(self, core: CoreServer, call: int, peer: str, certificates: list[bytes]) -> None:
        """Begin with nothing received."""
        self._core = core
        self._id = call
        self._peer = peer
        self._certificates = certificates
        self._inbox: deque[bytes] = deque()
        self._half_closed = False
        self._reader: asyncio.Future[None] | None = None
        self._room = asyncio.Event()
        self._room.set()
        self._decode: _Decode = None
        self._encode: _Encode = None
        self.ended = False
        self.task: asyncio.Task[None] | None = None

    # What the transport tells.

    def received(self, message: bytes) -> None:
        """Take a message of the client."""
        self._inbox.append(message)
        self._wake_reader()

    def half_closed(self) -> None:
        """Know that the client has no more messages."""
        self._half_closed = True
        self._wake_reader()

    def writable(self) -> None:
        """Go on writing."""
        self._room.set()

    def over(self) -> None:
        """Know that the call is answered, or the client gone: nobody waits for it any longer."""
        self.ended = True
        self._room.set()
        self.half_closed()
        if self.task and not self.task.done():
            self.task.cancel()

    def _wake_reader(self) -> None:
        if self._reader and not self._reader.done():
            self._reader.set_result(None)

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

    async def read(self) -> Any:
        """Return the next request, or ``grpc.aio.EOF``."""
        while not self._inbox:
            if self._half_closed:
                return grpc.aio.EOF
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        message = self._inbox.popleft()
        self._core.consumed(self._id, len(message))
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
        while not self._room.is_set():
            await self._room.wait()
        if self.ended:
            raise grpc.aio.UsageError("the call is over")
        message = self._encode(response) if self._encode else response
        if not self._core.send(self._id, message):
            self._room.clear()

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
        self._core.finish(self._id, code.value[0], details, status)
        raise grpc.aio.AbortError(details)

    def fail(self, code: grpc.StatusCode, details: str) -> None:
        """End the call with an error, from outside of the servicer."""
        self._core.finish(self._id, code.value[0], details)

    async def requests(self) -> AsyncIterator[Any]:
        """Yield the requests."""
        while (request := await self.read()) is not grpc.aio.EOF:
            yield request

    async def answer(self, handler: "grpc.RpcMethodHandler[Any, Any]") -> None:
        """Run a servicer's method."""
        self._decode = handler.request_deserializer
        self._encode = handler.response_serializer
        if handler.request_streaming:
            request: Any = self.requests()
        else:
            request = await self.read()
            if request is grpc.aio.EOF:
                await self.abort(grpc.StatusCode.UNIMPLEMENTED, "there is no request")
        method = _method(handler)
        answer = method(request, self)
        if handler.response_streaming and hasattr(answer, "__aiter__"):
            async for response in answer:
                await self.write(response)
        elif handler.response_streaming:
            # The method writes by itself.
            await answer
        else:
            await self.write(await answer)
        self._core.finish(self._id)


def _method(handler: "grpc.RpcMethodHandler[Any, Any]") -> Callable[[Any, ServerCall], Any]:
    """Return what a handler calls, by its kind."""
    kind = (handler.request_streaming, handler.response_streaming)
    method: Any = {
        (False, False): handler.unary_unary,
        (False, True): handler.unary_stream,
        (True, False): handler.stream_unary,
        (True, True): handler.stream_stream,
    }[kind]
    return cast("Callable[[Any, ServerCall], Any]", method)
