# SPDX-License-Identifier: Apache-2.0
"""One stream between two peers, whoever has opened it (Fabric: ``gossip/comm/conn.go``)."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

import grpc.aio

from fastledger.comm import GrpcChannel
from fastledger.common import log
from fastledger.gossip.messages import MessageRefused, Sealed, unseal
from fastledger.protos.gossip.message_pb2 import Envelope

_logger = log.get("gossip.comm")


class Pipe(Protocol):
    """A stream of envelopes both ways."""

    async def send(self, envelope: Envelope) -> None:
        """Send one; waits while the peer reads too slowly."""

    async def receive(self) -> Envelope | None:
        """Await one; None when the peer has ended the stream."""

    async def close(self) -> None:
        """End the stream."""


class ServedPipe:
    """A stream that a peer has opened here."""

    def __init__(
        self, requests: AsyncIterator[Envelope], write: Callable[[Envelope], Awaitable[None]]
    ) -> None:
        """Use a servicer's requests and context; the servicer ends the stream by returning."""
        self._requests = requests
        self._write = write

    async def send(self, envelope: Envelope) -> None:
        """Send an envelope."""
        await self._write(envelope)

    async def receive(self) -> Envelope | None:
        """Await an envelope."""
        return await anext(self._requests, None)

    async def close(self) -> None:
        """Leave it to the servicer."""


class DialledPipe:
    """A stream that was opened to a peer, on a connection of its own."""

    def __init__(
        self,
        channel: GrpcChannel,
        call: "grpc.aio.StreamStreamCall[Envelope, Envelope]",
    ) -> None:
        """Take over a channel and the call on it."""
        self._channel = channel
        self._call = call

    async def send(self, envelope: Envelope) -> None:
        """Send an envelope."""
        await self._call.write(envelope)

    async def receive(self) -> Envelope | None:
        """Await an envelope."""
        received = await self._call.read()
        return received if isinstance(received, Envelope) else None

    async def close(self) -> None:
        """Hang up."""
        self._call.cancel()
        await self._channel.close()


BROKEN = (grpc.aio.AioRpcError, grpc.aio.UsageError, asyncio.InvalidStateError, OSError)
"""What a stream raises when the other side is gone."""

Handler = Callable[["Connection", Sealed], None]
"""Takes a message; never raises."""


class Connection:
    """A stream on which both sides have shown who they are.

    Attributes:
        pki_id: The other peer.
        identity: Its encoded ``msp.SerializedIdentity``.
        closed: Whether nothing can be sent any more.
    """

    def __init__(self, pki_id: bytes, identity: bytes, pipe: Pipe, buffered: int) -> None:
        """Take over a stream; so many messages may wait to be sent."""
        self.pki_id = pki_id
        self.identity = identity
        self.closed = False
        self._pipe = pipe
        self._outbox: asyncio.Queue[Envelope] = asyncio.Queue(buffered)
        self._tasks: list[asyncio.Task[None]] = []

    def send(self, envelope: Envelope) -> bool:
        """Send without waiting; False when too much waits already, or the stream is over."""
        if self.closed:
            return False
        try:
            self._outbox.put_nowait(envelope)
        except asyncio.QueueFull:
            return False
        return True

    async def serve(self, handle: Handler) -> None:
        """Send and receive until the stream is over; messages are handled one by one."""
        if self.closed:
            # Hung up before anybody served it.
            await self.close()
            return
        self._tasks = [
            asyncio.create_task(self._write()),
            asyncio.create_task(self._read(handle)),
        ]
        try:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.hang_up()
            with contextlib.suppress(*BROKEN):
                await self._pipe.close()
            for ended in await asyncio.gather(*self._tasks, return_exceptions=True):
                if isinstance(ended, Exception):
                    _logger.error("defect: %r", ended, exc_info=ended)

    async def close(self) -> None:
        """End a stream that nobody serves."""
        self.closed = True
        with contextlib.suppress(*BROKEN):
            await self._pipe.close()

    def hang_up(self) -> None:
        """End the stream soon: whoever serves it notices."""
        self.closed = True
        for task in self._tasks:
            task.cancel()

    async def _write(self) -> None:
        with contextlib.suppress(*BROKEN):
            while True:
                await self._pipe.send(await self._outbox.get())

    async def _read(self, handle: Handler) -> None:
        try:
            while (envelope := await self._pipe.receive()) is not None:
                handle(self, unseal(envelope))
        except MessageRefused as error:
            _logger.warning("peer %s: %s: hanging up", self.pki_id.hex()[:8], error)
        except BROKEN:
            return
