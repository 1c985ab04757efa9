# SPDX-License-Identifier: Apache-2.0
"""Commits one channel's blocks, and tells who waits for them."""

import asyncio
import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from fastledger.common import log, metrics
from fastledger.common.codes import TxValidationCode
from fastledger.common.errors import BlockRefused, FastledgerError, LedgerIo, NotFound
from fastledger.ledger.kvledger import Ledger
from fastledger.ledger.pvtdata import PrivateDataStore
from fastledger.ledger.pvteffects import PrivateEffects
from fastledger.ledger.records import Commit
from fastledger.ledger.results import transaction_ids
from fastledger.ledger.room import RETRY_S
from fastledger.protoutil.blocks import EncodedBlock

MAX_BLOCKS = 128
"""Most blocks between a channel's orderer and its ledger."""

MAX_BYTES = 24 << 20
"""Most bytes of them, unless a single block is larger: enough to keep the core busy, with one or
two blocks on their way to it. A longer queue would only be slower: the system has to provide memory
for it, where a short queue uses the same memory again.
"""

LOOK_S = 0.002
"""While blocks are in work, it is looked so often whether another one has come."""

SMALL_BYTES = 256 << 10
"""Most bytes of a block that the event loop itself hands to the ledger, where no other is on its
way: to wake the thread takes longer. Taking a larger one apart would hold up the loop."""

_logger = log.get("kvledger")

Committed = Callable[[EncodedBlock, Commit], None]
"""Called on the loop for every committed block."""

Follow = Callable[[int, EncodedBlock], None]
"""Called on the committing thread with every block's number, and the block, before anybody is told.
"""


class _Handed(NamedTuple):
    """A block that was handed in, and whether the ledger has it already."""

    block: EncodedBlock
    is_submitted: bool = False


class Committer:
    """The one that commits to a ledger; a thread of its own does the waiting."""

    def __init__(
        self,
        channel_id: str,
        ledger: Ledger,
        private: PrivateDataStore,
        on_commit: Committed,
        on_refusal: Callable[[BlockRefused], None],
        follow: Follow = lambda _, __: None,
        is_full: Callable[[], bool] = lambda: False,
        on_room: Callable[[], None] = lambda: None,
    ) -> None:
        """Commit to a ledger.

        Args:
            channel_id: The channel, for what is told.
            ledger: Its ledger; nobody else commits to it.
            private: Its private data.
            on_commit: Told of every block when it is durable.
            on_refusal: Told of a block that does not hold; blocks behind it are dropped.
            follow: What else keeps up with the ledger.
            is_full: Whether the disk has no room.
            on_room: Told when the channel goes on after the disk was full: with the block behind
                the ledger's last one, whatever was handed in before.
        """
        self._is_full = is_full
        self._on_room = on_room
        self._stopping = threading.Event()
        self._refused = ""
        self._pending: deque[EncodedBlock] = deque()
        self._told = ledger.height
        self._follow = follow
        self._channel_id = channel_id
        self._ledger = ledger
        self._private = private
        self._on_commit = on_commit
        self._on_refusal = on_refusal
        self._queue: queue.SimpleQueue[_Handed] = queue.SimpleQueue()
        self._takes_blocks = False
        """Whether the thread commits what comes: with nothing outstanding it waits for more."""

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
        self._missing = metrics.gauge(
            "ledger_pvtdata_missing",
            "Private write sets that this peer should have and has not.",
            ["channel"],
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
        """What stopped the channel, for good or while the disk is full, if anything did."""
        return self._failure

    def start(self) -> None:
        """Bring the private data up to the ledger, and begin to commit."""
        self._height.set(self._ledger.height)
        self._thread.start()

    async def stop(self) -> None:
        """Commit what was taken, then end."""
        self._stopping.set()
        self._queue.put(_STOP)
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join)

    async def room(self, block: EncodedBlock) -> None:
        """Return when a block may be handed in; waits while too many wait already."""
        while not self._has_room(block):
            self._room.clear()
            await self._room.wait()

    def submit(self, block: EncodedBlock) -> None:
        """Hand in the next block, for which there is `room`."""
        is_alone = not self._outstanding
        self._outstanding += 1
        self._bytes += len(block)
        self._idle.clear()
        self._queue.put(_Handed(block, is_alone and self._submitted(block)))

    async def idle(self) -> None:
        """Return when every block that was handed in is committed, or dropped."""
        await self._idle.wait()

    def _submitted(self, block: EncodedBlock) -> bool:
        """Hand a small block to the ledger at once, if that can be done without waiting."""
        if not self._takes_blocks or len(block) > SMALL_BYTES:
            return False
        try:
            self._ledger.submit(block)
        except FastledgerError:
            # The thread meets it again, and ends the channel.
            return False
        return True

    # The thread.

    def _run(self) -> None:
        while True:
            try:
                self._commit()
            except BaseException as error:  # noqa: BLE001 - told, and the channel ends
                self._failure = error
                _logger.critical("[%s] the channel cannot go on: %s", self._channel_id, error)
            else:
                return
            finally:
                self._takes_blocks = False
            if not self._wait_for_room():
                return
            self._failure = None

    def _commit(self) -> None:
        pending = self._pending
        self._catch_up()
        self._takes_blocks = True
        while True:
            handed = self._take(wait=not pending)
            if handed is _STOP:
                return self._finish(pending)
            if handed is not None:
                if not handed.is_submitted:
                    self._ledger.submit(handed.block)
                pending.append(handed.block)
            # Whoever waited for an outcome alone would keep the next block from being worked at.
            if pending and self._ledger.ready(LOOK_S if handed is None else 0.0):
                self._next(pending)

    def _wait_for_room(self) -> bool:
        """If the disk is full, wait until it is not, and open the ledger again; else False."""
        if not self._is_full():
            return False
        _logger.critical("[%s] the disk is full; waiting for room", self._channel_id)
        while not self._stopping.wait(RETRY_S):
            if self._is_full():
                continue
            try:
                self._ledger.reopen()
            except LedgerIo as error:
                # Somebody still reads, or there was too little room after all.
                _logger.debug("[%s] %s", self._channel_id, error)
                continue
            except BaseException as error:  # noqa: BLE001 - told, and the channel ends
                self._failure = error
                _logger.critical("[%s] the channel cannot go on: %s", self._channel_id, error)
                return False
            self._go_on()
            return True
        return False

    def _go_on(self) -> None:
        """Tell of blocks that are stored and that nobody was told of; forget those that are not."""
        _logger.info("[%s] there is room again", self._channel_id)
        for number in range(self._told, self._ledger.height):
            block = self._ledger.block(number)
            self._apply(number, block.encoded, self._ledger.private_effects(number))
            self._follow(number, block.encoded)
            self._loop.call_soon_threadsafe(self._announce, block.encoded, Commit.of_stored(block))
        self._told = self._ledger.height
        self._loop.call_soon_threadsafe(self._settle, self._drop())
        self._loop.call_soon_threadsafe(self._on_room)

    def _finish(self, pending: deque[EncodedBlock]) -> None:
        while pending:
            self._next(pending)

    def _take(self, *, wait: bool) -> _Handed | None:
        """The next block, none if there is none now, or the word to stop."""
        try:
            return self._queue.get(block=wait)
        except queue.Empty:
            return None

    def _next(self, pending: deque[EncodedBlock]) -> None:
        try:
            commit = self._ledger.result()
        except BlockRefused as refusal:
            self._loop.call_soon_threadsafe(self._tell_refusal, refusal, self._drop())
            return
        block = pending.popleft()
        self._apply(commit.number, block, commit.private_effects)
        self._follow(commit.number, block)
        self._told = commit.number + 1
        self._loop.call_soon_threadsafe(self._tell, block, commit)

    def _drop(self) -> list[int]:
        """Drop what was handed in, and what waits; return the blocks' sizes."""
        dropped = [len(block) for block in self._pending]
        self._pending.clear()
        while (handed := self._take(wait=False)) is not None and handed is not _STOP:
            dropped.append(len(handed.block))
        if handed is _STOP:
            self._queue.put(_STOP)
        return dropped

    def _catch_up(self) -> None:
        """Apply the private writes of blocks that were committed when the process ended."""
        self._private.begin(self._ledger.height)
        while self._private.height < self._ledger.height:
            number = self._private.height
            try:
                block = self._ledger.block(number)
            except NotFound:
                # Older than the snapshot that the ledger began from.
                self._private.apply(number, ())
                continue
            self._apply(number, block.encoded, self._ledger.private_effects(number))
        self._private.reconsider()
        self._missing.set(self._private.missing_count)

    def _apply(self, number: int, block: EncodedBlock, effects: Sequence[PrivateEffects]) -> None:
        before = self._private.missing_count
        ids = transaction_ids(block) if self._private.awaits else ()
        self._private.apply(number, effects, ids)
        missing = self._private.missing_count
        if missing > before:
            _logger.warning(
                "[%s] Block [%d] is committed without %d private write set(s) that this peer "
                "should have: %d are missing",
                self._channel_id,
                number,
                missing - before,
                missing,
            )
        self._missing.set(missing)

    # The loop.

    def _tell(self, block: EncodedBlock, commit: Commit) -> None:
        self._settle([len(block)])
        self._announce(block, commit)
        # Whoever waits comes first.
        self._loop.call_soon(self._account, commit)

    def _account(self, commit: Commit) -> None:
        self._height.set(commit.number + 1)
        self._seconds.observe(sum(commit.stage_ms.values()) / 1000)
        for code in set(commit.filter):
            count = commit.filter.count(code)
            name = TxValidationCode(code).name
            self._transactions.labels(self._channel_id, name).inc(count)
        _logger.info(
            "[%s] Committed block [%d] with %d transaction(s) in %dms",
            self._channel_id,
            commit.number,
            len(commit.filter),
            sum(commit.stage_ms.values()),
        )

    def _announce(self, block: EncodedBlock, commit: Commit) -> None:
        try:
            self._on_commit(block, commit)
        except FastledgerError:
            _logger.exception("[%s] after block [%d]", self._channel_id, commit.number)

    def _tell_refusal(self, refusal: BlockRefused, dropped: list[int]) -> None:
        self._settle(dropped)
        # The block comes again and again, and is refused as often.
        level = logging.DEBUG if str(refusal) == self._refused else logging.ERROR
        self._refused = str(refusal)
        _logger.log(level, "[%s] %s", self._channel_id, refusal)
        self._on_refusal(refusal)

    def _has_room(self, block: EncodedBlock) -> bool:
        few = self._outstanding < MAX_BLOCKS and self._bytes + len(block) <= MAX_BYTES
        return few or not self._outstanding

    def _settle(self, sizes: list[int]) -> None:
        self._outstanding -= len(sizes)
        self._bytes -= sum(sizes)
        self._room.set()
        if not self._outstanding:
            self._idle.set()


_STOP = _Handed(b"")
"""No block is empty."""
