# SPDX-License-Identifier: Apache-2.0
"""Takes blocks off the event loop to the disk.

While one group of blocks is written and synced, the drafts that come in gather; they are the next
group, with one sync for all. Readers see a block when it is durable, not before.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from fastledger.common import log
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
    ) -> None:
        """Begin with block ``height``; ``on_failure`` learns why nothing is written any more."""
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

    def close(self) -> None:
        """End the thread, once what was handed over is written."""
        self._thread.shutdown(wait=True)

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting and self._failure is None:
            group, self._waiting = self._waiting, []
            self._writing = len(group)
            try:
                await loop.run_in_executor(self._thread, self._writer.write, group)
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
