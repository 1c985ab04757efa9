# SPDX-License-Identifier: Apache-2.0
"""A channel's blocks in the forms that its subscribers want, each made once for all of them."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

from fastledger.common.sharing import shared
from fastledger.protoutil.blocks import EncodedBlock

MAX_BYTES = 16 << 20
"""Most bytes of blocks whose forms are kept for one channel: eight blocks of the usual largest
size. Subscribers that follow the newest block are never further apart while they keep up."""

FOLLOWING = 32
"""Whoever asked for one of so many newest blocks is expected to ask for the next one too: a busy
loop hears of several blocks at a time. Older blocks are not kept: who reads them is mostly alone,
and finds the next one's memory warm if the last one's was let go."""

_T = TypeVar("_T")
_Form = Callable[[EncodedBlock], Any]
_Key = tuple[int, _Form]


class PreparedBlocks:
    """The newest blocks of one channel, in each form that was asked for.

    A form is a function of the encoded block; it may be called in any thread, and must be the same
    function each time. Nothing here depends on who asks: whether a client may have a block is for
    its service to say, each time.

    ::

        committing thread ── prepare ──► kept ◄── get ── stream of a client
                                          ▲               │ not there
                              thread ─────┴─── read ◄─────┘ once for all who ask
    """

    def __init__(self, read: Callable[[int], EncodedBlock], height: Callable[[], int]) -> None:
        """Keep nothing yet.

        Args:
            read: Returns an encoded block, in any thread.
            height: Returns the number of the next block.
        """
        self._read = read
        self._height = height
        self._kept: dict[_Key, tuple[Any, int]] = {}
        self._bytes = 0
        self._preparing: dict[_Key, asyncio.Task[Any]] = {}
        self._asked: dict[_Form, int] = {}
        self._lock = threading.Lock()
        """Held while what is kept changes."""

    async def get(self, number: int, form: Callable[[EncodedBlock], _T]) -> _T:
        """Return a block in a form.

        Raises:
            FastledgerError: The block cannot be read.
        """
        key = (number, form)
        self._asked[form] = max(number, self._asked.get(form, 0))
        with self._lock:
            kept = self._kept.pop(key, None)
            if kept is not None:
                # What was asked for last is dropped last.
                self._kept[key] = kept
        if kept is None:
            return cast(_T, await shared(self._preparing, key, lambda: self._fetch(key)))
        return cast(_T, kept[0])

    def prepare(self, number: int, block: EncodedBlock | None = None) -> None:
        """Prepare the newest block for those who follow, beside the loop, before they hear of it.

        Otherwise each of them would begin to wait for it a second time.

        Args:
            number: The block.
            block: It, encoded as it would be read; without it, it is read.
        """
        followed = [
            form for form, asked in tuple(self._asked.items()) if asked >= number - FOLLOWING
        ]
        if not followed:
            return
        # Whoever asks is told what is wrong; the block is committed.
        with contextlib.suppress(Exception):
            encoded = self._read(number) if block is None else block
            for form in followed:
                self._keep((number, form), form(encoded), len(encoded))

    async def _fetch(self, key: _Key) -> Any:
        prepared, size = await asyncio.to_thread(self._read_in_form, *key)
        if key[0] >= self._height() - FOLLOWING:
            self._keep(key, prepared, size)
        return prepared

    def _keep(self, key: _Key, prepared: Any, size: int) -> None:
        with self._lock:
            if key in self._kept:
                return
            self._kept[key] = (prepared, size)
            self._bytes += size
            while self._bytes > MAX_BYTES and len(self._kept) > 1:
                _, dropped = self._kept.pop(next(iter(self._kept)))
                self._bytes -= dropped

    def _read_in_form(self, number: int, form: _Form) -> tuple[Any, int]:
        """Return the form, and what it counts for: hardly any is larger than its block."""
        encoded = self._read(number)
        return form(encoded), len(encoded)
