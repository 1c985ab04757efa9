# SPDX-License-Identifier: Apache-2.0
"""Where what happens to the calls of an event loop comes in, and goes to each call."""

import asyncio
from typing import NamedTuple, Protocol
from weakref import WeakKeyDictionary

from fastledger._core import CALL_FINISHED, CALL_MESSAGE
from fastledger._core import GrpcChannel as CoreChannel
from fastledger._core import GrpcHub as CoreHub


class Told(Protocol):
    """A call, as the transport sees it."""

    def received(self, message: bytes) -> None:
        """Take a message of the server."""

    def writable(self) -> None:
        """Go on writing."""

    def finished(self, code: int, text: str, details: bytes) -> None:
        """Know how the call ended."""


class Hub:
    """The channels of an event loop: what happens to their calls comes together."""

    def __init__(self) -> None:
        """Listen, in the running event loop."""
        self.core = CoreHub()
        self.calls: dict[int, Told] = {}
        asyncio.get_running_loop().add_reader(self.core.fileno(), self._drain)

    @staticmethod
    def running() -> "Hub":
        """Return the running loop's hub."""
        loop = asyncio.get_running_loop()
        hub = _hubs.get(loop)
        if hub is None:
            hub = _hubs[loop] = Hub()
        return hub

    def _drain(self) -> None:
        """Take what has happened since the last time."""
        calls = self.calls
        for number, happened, what in self.core.drain():
            call = calls.get(number)
            if call is None:
                # Of a call that is over nothing matters any more.
                continue
            if happened == CALL_MESSAGE:
                call.received(what)
            elif happened == CALL_FINISHED:
                call.finished(*what)
            else:
                call.writable()


_hubs: "WeakKeyDictionary[asyncio.AbstractEventLoop, Hub]" = WeakKeyDictionary()


class Route(NamedTuple):
    """A channel, as far as its calls need it: how to begin one, and where its events come in."""

    hub: Hub
    core: CoreChannel
