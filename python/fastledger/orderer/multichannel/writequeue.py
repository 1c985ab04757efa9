# SPDX-License-Identifier: Apache-2.0
"""Takes blocks off the event loop to the disk.

While one group of blocks is written and synced, the blocks that come in gather; they are the next
group, with one sync for all. Readers see a block when it is durable, not before::

    put ──► waiting ──► sealed, appended, synced ──► durable
                │         │        ▲
                │   full  ▼        │ room
                │       waits for the disk
                └──► (any other failure: nothing is written any more)

A full disk is waited for, with everything that was taken.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from fastledger.common import log
from fastledger.common.errors import LedgerIo
from fastledger.ledger.room import RETRY_S
from fastledger.orderer.blockwriter import Seal
from fastledger.protoutil.blocks import EncodedBlock

_logger = log.get("orderer.common.multichannel")


class WriteQueue:
    """One channel's blocks on their way."""

    def __init__(
        self,
        channel_id: str,
        append: Callable[[Sequence[EncodedBlock]], None],
        height: int,
        report: Callable[[Exception | None], None],
        is_full: Callable[[int], bool] = lambda _: False,
    ) -> None:
        """Go on with a channel.

        Args:
            channel_id: Its name.
            append: Stores encoded blocks durably. It raises LedgerIo when the disk is full, then it
                is tried again; or when it failed, and the store must be opened again.
            height: Number of the next block.
            report: Learns why nothing is written, for good or while the disk is full; and by None
                that there is room, and what waited is written.
            is_full: Whether the disk has no room for so many bytes.
        """
        self._is_full = is_full
        self._closing = asyncio.Event()
        self._append = append
        self._channel_id = channel_id
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"blocks-{channel_id}")
        self._height = height
        self._waiting: list[Seal] = []
        self._writing = 0
        self._task: asyncio.Task[None] | None = None
        self._waiters: set[asyncio.Future[None]] = set()
        self._report = report
        self._failure: Exception | None = None

    @property
    def height(self) -> int:
        """Number of the block after the last durable one."""
        return self._height

    @property
    def unwritten(self) -> int:
        """Blocks that are not durable."""
        return len(self._waiting) + self._writing

    def put(self, seal: Seal) -> None:
        """Hand over the next block; raises what kept earlier ones from the disk."""
        if self._failure is not None:
            raise self._failure
        self._waiting.append(seal)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._drain())

    async def wait(self, height: int) -> None:
        """Return when that many blocks are durable."""
        while self._height < height:
            await self._written()

    async def drained(self, blocks: int) -> None:
        """Return when at most so many blocks are not durable; raises what keeps them from it."""
        while self.unwritten > blocks and self._failure is None:
            await self._written()
        if self._failure is not None:
            raise self._failure

    def give_up(self) -> None:
        """Wait for a full disk no longer."""
        self._closing.set()

    def close(self) -> None:
        """End the thread, once what was handed over is written."""
        self.give_up()
        self._thread.shutdown(wait=True)

    async def _drain(self) -> None:
        while self._waiting and self._failure is None:
            group, self._waiting = self._waiting, []
            self._writing = len(group)
            try:
                await self._write(group)
            except Exception as error:  # noqa: BLE001 - whatever it is, nothing may follow
                _logger.critical("[channel: %s] cannot append: %s", self._channel_id, error)
                self._failure = error
                self._report(error)
            else:
                self._height += len(group)
                self._writing = 0
            waiting, self._waiters = self._waiters, set()
            for waits in waiting:
                if not waits.done():
                    waits.set_result(None)
        self._task = None

    async def _written(self) -> None:
        """Return when a group is written, or cannot be."""
        # Not a Condition, whose waiters wake one after the other.
        waits: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waits)
        try:
            await waits
        finally:
            self._waiters.discard(waits)

    async def _write(self, group: Sequence[Seal]) -> None:
        """Write a group of blocks, once there is room for it."""
        loop = asyncio.get_running_loop()
        sealed: list[EncodedBlock] = []

        def write() -> None:
            sealed.extend(seal() for seal in group[len(sealed) :])
            self._append(sealed)

        waited = False
        while True:
            try:
                await loop.run_in_executor(self._thread, write)
            except LedgerIo as error:
                # All of the group has to find room, however large it is.
                wanted = sum(map(len, sealed))
                if self._closing.is_set() or not await asyncio.to_thread(self._is_full, wanted):
                    raise
                if not waited:
                    _logger.critical(
                        "[channel: %s] the disk is full; waiting for room: %s",
                        self._channel_id,
                        error,
                    )
                    self._report(error)
                waited = True
                await self._room(wanted)
            else:
                if waited:
                    _logger.info("[channel: %s] there is room again", self._channel_id)
                    self._report(None)
                return

    async def _room(self, wanted: int) -> None:
        """Return when the disk has room for so many bytes, or nobody waits for it any more."""
        while not self._closing.is_set() and await asyncio.to_thread(self._is_full, wanted):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), RETRY_S)
