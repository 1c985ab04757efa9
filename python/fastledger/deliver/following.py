# SPDX-License-Identifier: Apache-2.0
"""Streams that have every block and want the next one: it goes to all of them at once.

::

    stream ──follow──► following ◄── one task: wait, prepare ──► to all in one call of the core
       ▲                   │
       └──────left─────────┘ no room to send, the last block wanted, another look at its rights is
                             due, no block will follow: the stream goes on by itself
"""

import asyncio
import contextlib
from collections.abc import Hashable
from dataclasses import dataclass

from prometheus_client import Counter

from fastledger.comm import ServerCall, send_all
from fastledger.deliver.access import SessionAccess
from fastledger.deliver.forms import Response, SharedForm
from fastledger.deliver.source import BlockSource


@dataclass(frozen=True, slots=True)
class Way:
    """What streams that follow together have in common."""

    source: BlockSource
    form: SharedForm
    errored: asyncio.Event | None
    """Set when no block will follow for now; None where that does not matter."""

    header_only: bool

    @property
    def key(self) -> Hashable:
        """What tells ways apart; sources need not be hashable."""
        return self.source.blocks, self.form, self.errored, self.header_only


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one stream wants."""

    first: int
    last: int
    access: SessionAccess


class Followings:
    """The streams of one node that wait for the next block."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._followings: dict[Hashable, _Following] = {}

    @property
    def count(self) -> int:
        """How many streams wait."""
        return sum(following.count for following in self._followings.values())

    async def follow(self, way: Way, call: ServerCall, wanted: Wanted, sent: Counter) -> int:
        """Have a call that has room given blocks, from the source's height on.

        Args:
            way: Where the blocks come from, and how.
            call: The stream; nobody else sends on it meanwhile.
            wanted: The blocks.
            sent: Counts what is sent.

        Returns:
            How many it was given; the next one is the stream's to wait for, if it wants more.
        """
        key = way.key
        following = self._followings.setdefault(key, _Following(way, sent))
        try:
            return await following.follow(call, wanted) - wanted.first
        finally:
            if not following.count and self._followings.get(key) is following:
                del self._followings[key]


class _Following:
    """Those who go one way.

    Whatever cannot be done for all alike is left to the stream itself, and so is what fails: it
    meets the failure again, and tells its client.
    """

    def __init__(self, way: Way, sent: Counter) -> None:
        self._way = way
        self._sent = sent
        self._wanted: dict[ServerCall, Wanted] = {}
        self._left: dict[ServerCall, asyncio.Future[int]] = {}
        self._tasks: tuple[asyncio.Task[None], ...] = ()

    @property
    def count(self) -> int:
        return len(self._wanted)

    async def follow(self, call: ServerCall, wanted: Wanted) -> int:
        left: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._left[call] = left
        self._wanted[call] = wanted
        if not self._tasks:
            run = asyncio.create_task(self._run(wanted.first))
            errored = self._way.errored
            watch = [] if errored is None else [asyncio.create_task(_end(run, errored))]
            self._tasks = (run, *watch)
        try:
            return await left
        finally:
            self._wanted.pop(call, None)
            self._left.pop(call, None)
            if not self._wanted:
                self._stop()

    def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._tasks = ()

    async def _run(self, number: int) -> None:
        source, form, header_only = self._way.source, self._way.form, self._way.header_only
        try:
            with contextlib.suppress(Exception):
                while True:
                    await source.wait(number + 1)
                    self._give(number, await form.encoded(source, number, header_only=header_only))
                    number += 1
        finally:
            for call, wanted in tuple(self._wanted.items()):
                self._leave(call, max(number, wanted.first))
            self._stop()

    def _give(self, number: int, response: Response) -> None:
        ready = []
        for call, wanted in tuple(self._wanted.items()):
            if wanted.first > number:
                # It came when this task had yet to hear of that block.
                continue
            if call.has_room and wanted.access.stands:
                ready.append(call)
            else:
                self._leave(call, number)
        full = set(send_all(ready, response))
        self._sent.inc(len(ready))
        for call in ready:
            if call in full or self._wanted[call].last == number:
                self._leave(call, number + 1)

    def _leave(self, call: ServerCall, number: int) -> None:
        del self._wanted[call]
        left = self._left[call]
        if not left.done():
            left.set_result(number)


async def _end(task: "asyncio.Task[None]", errored: asyncio.Event) -> None:
    """End a task when no block will follow for now."""
    await errored.wait()
    task.cancel()
