# SPDX-License-Identifier: Apache-2.0
"""Commits one channel's blocks, and tells who waits for them."""

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Callable

from fastledger.common import log, metrics
from fastledger.common.errors import BlockRefused, FastledgerError, NotFound
from fastledger.ledger.kvledger import Ledger
from fastledger.ledger.pvtdata import PrivateDataStore
from fastledger.ledger.records import Commit
from fastledger.ledger.results import endorsed_results

MAX_BLOCKS = 128
"""Most blocks between a channel's orderer and its ledger."""

MAX_BYTES = 24 << 20
"""Most bytes of them, unless a single block is larger: what keeps the core busy, and one or two on
their way to it. More would only be fresh memory, which is dearer than memory that was used before.
"""

_logger = log.get("kvledger")

Committed = Callable[[bytes, Commit], None]
"""Called on the loop for every committed block."""

Follow = Callable[[bytes], None]
"""Called on the committing thread for every block, before anybody is told of it."""


class Committer:
    """The one that commits to a ledger; a thread of its own does the waiting."""

    def __init__(
        self,
        channel_id: str,
        ledger: Ledger,
        private: PrivateDataStore,
        on_commit: Committed,
        on_refusal: Callable[[BlockRefused], None],
        follow: Follow = lambda _: None,
    ) -> None:
        """Commit to a ledger.

        Args:
            channel_id: The channel, for what is told.
            ledger: Its ledger; nobody else commits to it.
            private: Its private data.
            on_commit: Told of every block when it is durable.
            on_refusal: Told of a block that does not hold; blocks behind it are dropped.
            follow: What else keeps up with the ledger.
        """
        self._follow = follow
        self._channel_id = channel_id
        self._ledger = ledger
        self._private = private
        self._on_commit = on_commit
        self._on_refusal = on_refusal
        self._queue: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._room = asyncio.Event()
        self._outstanding = self._bytes = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._loop = asyncio.get_running_loop()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=f"commit-{channel_id}", daemon=True)
        self._height = metrics.gauge(
            "ledger_blockchain_height", "Height of the chain in blocks.", ["channel"]
        ).labels(channel_id)
        self._seconds = metrics.histogram(
            "ledger_block_processing_time",
            "Time taken in seconds for ledger block processing.",
            ["channel"],
        ).labels(channel_id)
        self._transactions = metrics.counter(
            "ledger_transaction_count",
            "Number of transactions processed.",
            ["channel", "validation_code"],
        )

    @property
    def failure(self) -> BaseException | None:
        """What stopped the channel for good, if anything did."""
        return self._failure

    def start(self) -> None:
        """Bring the private data up to the ledger, and begin to commit."""
        self._height.set(self._ledger.height)
        self._thread.start()

    async def stop(self) -> None:
        """Commit what was taken, then end."""
        self._queue.put(_STOP)
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join)

    async def submit(self, block: bytes) -> None:
        """Hand in the next block; waits while too many wait already."""
        while not self._has_room(block):
            self._room.clear()
            await self._room.wait()
        self._outstanding += 1
        self._bytes += len(block)
        self._idle.clear()
        self._queue.put(block)

    async def idle(self) -> None:
        """Return when every block that was handed in is committed, or dropped."""
        await self._idle.wait()

    # The thread.

    def _run(self) -> None:
        pending: deque[bytes] = deque()
        try:
            self._catch_up()
            while True:
                block = self._take(wait=not pending)
                if block == _STOP:
                    return self._finish(pending)
                if block is not None:
                    self._ledger.submit(block)
                    pending.append(block)
                if pending and (block is None or self._ledger.ready()):
                    self._next(pending)
        except BaseException as error:  # noqa: BLE001 - told, and the channel ends
            self._failure = error
            _logger.critical("[%s] the channel cannot go on: %s", self._channel_id, error)

    def _finish(self, pending: deque[bytes]) -> None:
        while pending:
            self._next(pending)

    def _take(self, *, wait: bool) -> bytes | None:
        """The next block, none if there is none now, or the word to stop."""
        try:
            return self._queue.get(block=wait)
        except queue.Empty:
            return None

    def _next(self, pending: deque[bytes]) -> None:
        try:
            commit = self._ledger.result()
        except BlockRefused as refusal:
            self._refuse(refusal, pending)
            return
        block = pending.popleft()
        self._apply(commit.number, block, commit.filter)
        self._follow(block)
        self._loop.call_soon_threadsafe(self._tell, block, commit)

    def _refuse(self, refusal: BlockRefused, pending: deque[bytes]) -> None:
        """Drop what was handed in behind a refused block, and what waits."""
        dropped = [len(block) for block in pending]
        pending.clear()
        while (block := self._take(wait=False)) is not None:
            dropped.append(len(block))
        self._loop.call_soon_threadsafe(self._tell_refusal, refusal, dropped)

    def _catch_up(self) -> None:
        """Apply the private writes of blocks that were committed when the process ended."""
        while not self._private.is_empty and self._private.height < self._ledger.height:
            number = self._private.height
            try:
                block = self._ledger.block(number)
            except NotFound:
                # Older than the snapshot that the ledger began from.
                self._private.apply(number, ())
                continue
            self._apply(number, block.encoded, block.codes)
        self._private.skip(self._ledger.height)

    def _apply(self, number: int, block: bytes, codes: bytes) -> None:
        wanted = self._private.concerns(block)
        self._private.apply(number, endorsed_results(block, codes) if wanted else ())

    # The loop.

    def _tell(self, block: bytes, commit: Commit) -> None:
        self._settle([len(block)])
        self._height.set(commit.number + 1)
        self._seconds.observe(sum(commit.stage_ms.values()) / 1000)
        for code in set(commit.codes):
            count = commit.codes.count(code)
            self._transactions.labels(self._channel_id, code.name).inc(count)
        _logger.info(
            "[%s] Committed block [%d] with %d transaction(s) in %dms",
            self._channel_id,
            commit.number,
            len(commit.codes),
            sum(commit.stage_ms.values()),
        )
        try:
            self._on_commit(block, commit)
        except FastledgerError:
            _logger.exception("[%s] after block [%d]", self._channel_id, commit.number)

    def _tell_refusal(self, refusal: BlockRefused, dropped: list[int]) -> None:
        self._settle(dropped)
        _logger.error("[%s] %s", self._channel_id, refusal)
        self._on_refusal(refusal)

    def _has_room(self, block: bytes) -> bool:
        few = self._outstanding < MAX_BLOCKS and self._bytes + len(block) <= MAX_BYTES
        return few or not self._outstanding

    def _settle(self, sizes: list[int]) -> None:
        self._outstanding -= len(sizes)
        self._bytes -= sum(sizes)
        self._room.set()
        if not self._outstanding:
            self._idle.set()


_STOP = b""
"""No block is empty."""
