# SPDX-License-Identifier: Apache-2.0
"""The messages of a call in both directions, with flow control, as a server or client has them."""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from typing import Any

DETAILS_KEY = "grpc-status-details-bin"
"""Trailer with an encoded ``google.rpc.Status``; the only one that Fabric's services set."""

MESSAGES_A_TURN = 16
"""Messages that are read, or written, without a pause before others have their turn: a client that
sends faster than it is answered, or reads as fast as is written, would hold up everybody else. That
the other end is gone is told in such a pause, too."""

MESSAGES_AT_ONCE = 64
"""Messages of one stream that are read together, between two pauses."""


class MessageStream(ABC):
    """Messages that came and were not read yet, and room to send."""

    def __init__(self) -> None:
        """Begin with nothing received."""
        self._inbox: deque[bytes] = deque()
        self._no_more = False
        self._reader: asyncio.Future[None] | None = None
        self._turn = 0
        self._written = 0
        # There while the other end reads too slowly.
        self._full: asyncio.Event | None = None

    @abstractmethod
    def _consumed(self, size: int) -> None:
        """Say that a message was read."""

    @abstractmethod
    def _transmit(self, message: Any) -> bool:
        """Send a message; False when there is no room for another one."""

    # What the transport tells.

    def received(self, message: bytes) -> None:
        """Take a message of the other end."""
        self._inbox.append(message)
        self._wake_reader()

    def no_more(self) -> None:
        """Know that the other end has no more messages."""
        self._no_more = True
        self._wake_reader()

    def fill(self) -> None:
        """Wait with writing."""
        self._full = asyncio.Event()

    def writable(self) -> None:
        """Go on writing."""
        if self._full:
            self._full.set()
            self._full = None

    def _wake_reader(self) -> None:
        if self._reader and not self._reader.done():
            self._reader.set_result(None)

    # What subclasses use.

    async def _next(self) -> bytes | None:
        """Return the next message, None when there are no more."""
        self._turn += 1
        if self._turn >= MESSAGES_A_TURN and self._inbox:
            self._turn = 0
            await asyncio.sleep(0)
        while not self._inbox:
            if self._no_more:
                return None
            self._turn = 0
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        message = self._inbox.popleft()
        self._consumed(len(message))
        return message

    async def _some(self) -> list[bytes]:
        """Return the next messages, as many as have come, up to a turn's; none at the end."""
        if self._inbox:
            await asyncio.sleep(0)
        while not self._inbox and not self._no_more:
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        some = [self._inbox.popleft() for _ in range(min(len(self._inbox), MESSAGES_AT_ONCE))]
        if some:
            self._consumed(sum(map(len, some)))
        return some

    @property
    def _is_awaited(self) -> bool:
        """Whether the next message would be read at once, and an answer has room."""
        reader = self._reader
        return reader is not None and not reader.done() and not self._inbox and self._full is None

    async def _room(self) -> None:
        """Wait while the other end reads too slowly, and let others have their turn."""
        self._written += 1
        if self._written >= MESSAGES_A_TURN:
            self._written = 0
            await asyncio.sleep(0)
        while self._full:
            await self._full.wait()

    def _send(self, message: Any) -> None:
        if not self._transmit(message):
            self.fill()
