# SPDX-License-Identifier: Apache-2.0
"""Takes blocks off the event loop to the disk.

While one group of blocks is written and synced, the drafts that come in gather; they are the next
group, with one sync for all. Readers see a block when it is durable, not before.

A full disk is waited for, with everything that was taken; any other failure is for good.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from fastledger.common import log
from fastledger.common.errors import LedgerIo
from fastledger.ledger.room import RETRY_S
from fastledger.orderer.blockwriter import BlockWriter, Draft

_logger = log.get("orderer.common.multichannel")


class WriteQueue:
    """One channel's drafts on their way."""

    def __init__(
        self,
        channel_id: str,
        writer: BlockWriter,
        height: int,
        on_failure: Callable[[Exception], None],
        is_full: Callable[[], bool] = lambda: False,
        on_room: Callable[[], None] = lambda: None,
    ) -> None:
        """Go on with a channel.

        Args:
            channel_id: Its name.
            writer: The end of its chain.
            height: Number of the next block.
            on_failure: Learns why nothing is written, for good or while the disk is full.
            is_full: Whether the disk is.
            on_room: Learns that it is not any more, and that what waited is written.
        """
        self._is_full = is_full
        self._on_room = on_room
        self._closing = asyncio.Event()
        self._writer = writer
        self._channel_id = channel_id
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"blocks-{channel_id}")
        self._height = height
        self._waiting: list[Draft] = []
        self._writing = 0
        self._task: asyncio.Task[None] | None = None
        self._written = asyncio.Condition()
        self._on_failure = on_failure
        self._failure: Exception | None = None

    @property
    def height(self) -> int:
        """Number of the block after the last durable one."""
        return self._height

    @property
    def unwritten(self) -> int:
        """Drafts that are not durable."""
        return len(self._waiting) + self._writing

    def put(self, draft: Draft) -> None:
        """Hand over the next block's content; raises what kept earlier ones from the disk."""
        if self._failure is not None:
            raise self._failure
        self._waiting.append(draft)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._drain())

    async def wait(self, height: int) -> None:
        """Return when that many blocks are durable."""
        async with self._written:
            await self._written.wait_for(lambda: self._height >= height)

    async def drained(self, blocks: int) -> None:
        """Return when at most so many drafts are not durable; raises what keeps them from it."""
        if self.unwritten <= blocks and self._failure is None:
            return
        async with self._written:
            await self._written.wait_for(
                lambda: self.unwritten <= blocks or self._failure is not None
            )
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
                self._on_failure(error)
            else:
                self._height += len(group)
                self._writing = 0
            async with self._written:
                self._written.notify_all()
        self._task = None

    async def _write(self, group: Sequence[Draft]) -> None:
        """Write a group of blocks, once there is room for it."""
        loop = asyncio.get_running_loop()
        waited = False
        while True:
            try:
                await loop.run_in_executor(self._thread, self._writer.write, group)
            except LedgerIo as error:
                if self._closing.is_set() or not await asyncio.to_thread(self._is_full):
                    raise
                if not waited:
                    _logger.critical(
                        "[channel: %s] the disk is full; waiting for room: %s",
                        self._channel_id,
                        error,
                    )
                    self._on_failure(error)
                waited = True
                await self._room()
            else:
                if waited:
                    _logger.info("[channel: %s] there is room again", self._channel_id)
                    self._on_room()
                return

    async def _room(self) -> None:
        """Return when the disk has room, or nobody waits for it any more."""
        while not self._closing.is_set() and await asyncio.to_thread(self._is_full):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), RETRY_S)
