# SPDX-License-Identifier: Apache-2.0
"""Messages become batches: the part of consensus that every kind with a cutter shares.

There is no queue: on the one loop of the process, a message is in its batch when ``order`` returns.
The timer of a batch starts with its first message.

::

    order ──► (turn) ──► blockcutter ──full──► write
                             └───── timer ───────┘
    configure ──► turn, kept ──► cut what is pending ──► write_config, alone
                  (messages wait until it is in force)

    closed ──open──► open ──close──► closed       what is pending is written
                      └────drop────► closed       what is pending is forgotten
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from fastledger.common import log
from fastledger.orderer.blockcutter import Batch, BlockCutter, Message
from fastledger.orderer.consensus.chain import BatcherSupport, ChainHalted
from fastledger.orderer.consensus.clock import LOOP, Clock, Timer

MAX_UNWRITTEN_BLOCKS = 32
"""Blocks on their way to the disk before messages wait: a slow sync must not stop small batches,
and large ones must not fill the memory."""

_logger = log.get("orderer.consensus.batcher")


class Batcher:
    """The pending batch of one channel, and whose turn it is."""

    def __init__(
        self,
        support: BatcherSupport,
        write: Callable[[Batch], None],
        write_config: Callable[[bytes], Awaitable[None]],
        *,
        clock: Clock = LOOP,
        max_unwritten: int = MAX_UNWRITTEN_BLOCKS,
    ) -> None:
        """Begin closed.

        Args:
            support: The channel.
            write: Makes the next block of a batch, which is not empty.
            write_config: Makes the block of a configuration, and returns when that is in force.
            clock: Times the batches.
            max_unwritten: Blocks on their way before messages wait.
        """
        self._support = support
        self._write = write
        self._write_config = write_config
        self._clock = clock
        self._max_unwritten = max_unwritten
        self._cutter = BlockCutter(
            support.channel_id, lambda: support.orderer.batch_size, clock.time
        )
        self._timer: Timer | None = None
        self._turn = asyncio.Lock()
        self.is_open = False

    def open(self) -> None:
        """Begin to take messages."""
        self.is_open = True

    async def close(self) -> None:
        """Take no more messages, and write what is pending.

        A configuration that is being written is in force when this returns.
        """
        self.is_open = False
        self._cut()
        async with self._turn:
            pass

    def drop(self) -> None:
        """Take no more messages, and forget what is pending: ordering has promised nothing."""
        self.is_open = False
        self._stop_timer()
        self._cutter.cut()

    async def order(self, message: Message, sequence: int) -> None:
        """Put a message into the pending batch, and write the batches that are cut by it."""
        await self._room()
        self.check_open()
        if sequence < self._support.sequence:
            self._support.process_normal(message.encoded)
        for batch in self._cutter.ordered(message):
            self._write(batch)
        self._set_timer()

    @property
    def room(self) -> int:
        """How many messages would be taken now, unless they are large."""
        if not self.is_open or self._turn.locked():
            return 0
        blocks = max(0, self._max_unwritten - self._support.unwritten)
        return max(
            0, blocks * self._support.orderer.batch_size.max_message_count - self._cutter.pending
        )

    def order_now(self, messages: Sequence[Message], sequence: int) -> int:
        """Put messages into pending batches while none has to wait; return how many."""
        support, room = self._support, self.room
        if not room or sequence < support.sequence:
            return 0
        size, count = support.orderer.batch_size, 0
        for message in messages:
            batches = self._cutter.put(message, size)
            count += 1
            for batch in batches:
                self._write(batch)
            if batches and support.unwritten >= self._max_unwritten:
                break
        self._set_timer()
        return count

    async def configure(self, envelope: bytes, sequence: int) -> None:
        """Write what is pending, then the configuration in a block of its own."""
        async with self._turn:
            self.check_open()
            if sequence < self._support.sequence:
                envelope = self._support.process_config(envelope)
            self._cut()
            await self._write_config(envelope)

    def check_open(self) -> None:
        """Return while messages are taken; raises ChainHalted."""
        if not self.is_open:
            raise ChainHalted(f"channel {self._support.channel_id} takes no messages: it is halted")

    async def _room(self) -> None:
        """Return while no configuration is being written, and not too many blocks are on their way.

        Whoever waits for blocks wakes with all others, and looks again: one after the other, those
        of a stream that many share would come in their turn with each that has one to itself.
        """
        while self._turn.locked() or self._support.unwritten >= self._max_unwritten:
            if self._turn.locked():
                async with self._turn:
                    pass
            else:
                await self._support.drained(self._max_unwritten - 1)

    def _set_timer(self) -> None:
        if self._cutter.pending and self._timer is None:
            timeout_s = self._support.orderer.batch_timeout
            self._timer = self._clock.call_later(timeout_s, self._cut)
        elif not self._cutter.pending:
            self._stop_timer()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _cut(self) -> None:
        self._stop_timer()
        batch = self._cutter.cut()
        if batch:
            _logger.debug("[channel: %s] cut %d messages", self._support.channel_id, len(batch))
            self._write(batch)
