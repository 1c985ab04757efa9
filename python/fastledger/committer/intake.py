# SPDX-License-Identifier: Apache-2.0
"""The one door to a channel's committer: blocks come in any order and leave it in theirs.

::

    orderers ──► deliver client ─┐ put            ┌─ number < next: had already, dropped
                                 ├──► which one? ─┼─ next ≤ number < next + WINDOW: waits its turn
    other sources ───────────────┘                └─ beyond: TooFarAhead
                                                          │ next, as soon as there is room
                              rewind                      ▼
        next = height ◄─────────────────────────────── committer
                         block refused, disk was full

Who brings a block does not matter: the core verifies it, and of two blocks of one number takes the
right one, whichever comes first. Each number is handed in once, unless the committer drops it.
"""

import asyncio
from collections.abc import Callable

from fastledger.committer.committer import Committer
from fastledger.common.errors import FastledgerError
from fastledger.protoutil.blocks import EncodedBlock, number_of

WINDOW = 20
"""Blocks that may come before those in front of them, as many as Fabric's peers let in
(``peer.gossip.state.blockBufferSize``): a source that is further ahead comes again."""

WINDOW_BYTES = 24 << 20
"""Most bytes of them: as much again as waits in the committer."""


class TooFarAhead(FastledgerError):
    """A block is too far behind the one that is wanted next; it may be offered again later."""


class Intake:
    """Blocks on their way to one committer; all of it happens on the loop."""

    def __init__(self, committer: Committer, height: Callable[[], int]) -> None:
        """Want the block at the ledger's height.

        Args:
            committer: Gets the blocks.
            height: Of the ledger.
        """
        self._committer = committer
        self._height = height
        self._next = height()
        self._waiting: dict[int, EncodedBlock] = {}
        self._is_stale = False
        self._handing_on = asyncio.Lock()

    @property
    def next(self) -> int:
        """The number of the block that is wanted next."""
        return self._height() if self._is_stale else self._next

    async def wanted(self) -> int:
        """Return the number of the next block when no earlier one is on its way any more.

        This is where a source begins: what it brought before is committed by then, or refused.
        """
        await self._committer.idle()
        await self._catch_up()
        return self._next

    async def put(self, block: EncodedBlock) -> None:
        """Take an encoded block; waits while those that are handed on have no room.

        One that came before is dropped. Whoever is cancelled here may offer the block again.

        Raises:
            InputError: The bytes are no block.
            TooFarAhead: Too many are missing before it.
        """
        number = number_of(block)
        await self._catch_up()
        if number >= self._next:
            self._keep(number, block)
        await self._hand_on()

    def rewind(self) -> None:
        """The committer has dropped what was handed in: want the block at the height again."""
        self._waiting.clear()
        self._is_stale = True

    def _keep(self, number: int, block: EncodedBlock) -> None:
        if number in self._waiting:
            return
        size = sum(map(len, self._waiting.values())) + len(block)
        if number >= self._next + WINDOW or (number > self._next and size > WINDOW_BYTES):
            raise TooFarAhead(f"block [{number}] came, block [{self._next}] is wanted")
        self._waiting[number] = block

    async def _hand_on(self) -> None:
        async with self._handing_on:
            while not self._is_stale and (block := self._waiting.get(self._next)) is not None:
                await self._committer.room(block)
                if self._waiting.get(self._next) is not block:
                    # Rewound meanwhile.
                    continue
                del self._waiting[self._next]
                self._next += 1
                self._committer.submit(block)

    async def _catch_up(self) -> None:
        """After a rewind, begin anew at the height once nothing is on its way any more."""
        while self._is_stale:
            await self._committer.idle()
            self._is_stale, self._next = False, self._height()
