# SPDX-License-Identifier: Apache-2.0
"""Consensus of one orderer: messages stand in the order in which they come.

Fabric: ``orderer/consensus/solo`` of 1.4. There is no queue: on the one loop of the process, a
message is in its batch when ``order`` returns. The timer of a batch starts with its first message.

::

    order ──► blockcutter ──full──► write ──► blocks
                  └──── timer ───────┘
    configure ──► cut what is pending ──► write ──► the configuration, alone, in effect
                  (messages wait until it is)
"""

import asyncio

from fastledger.common import log
from fastledger.orderer.blockcutter import BlockCutter, Message
from fastledger.orderer.blockwriter import Draft
from fastledger.orderer.consensus.chain import ChainHalted, ChainSupport

MAX_UNWRITTEN_BLOCKS = 32
"""Blocks on their way to the disk before messages wait: a slow sync must not stop small batches,
and large ones must not fill the memory."""

_logger = log.get("orderer.consensus.solo")


class SoloChain:
    """The chain of a channel with one orderer."""

    def __init__(self, support: ChainSupport) -> None:
        """Prepare the chain of a channel; `start` begins to take messages."""
        self._support = support
        self._cutter = BlockCutter(support.channel_id, lambda: support.orderer.batch_size)
        self._timer: asyncio.TimerHandle | None = None
        self._turn = asyncio.Lock()
        self._running = False
        self.errored = asyncio.Event()
        self.errored.set()

    def start(self) -> None:
        """Begin to take messages."""
        self._running = True
        self.errored.clear()

    async def halt(self) -> None:
        """Take no more messages, and write what was taken."""
        if not self._running:
            return
        self._running = False
        self.errored.set()
        self._cut()
        await self._support.drained(0)

    async def wait_ready(self) -> None:
        """Return when messages are taken."""
        self._check_running()

    async def order(self, message: Message, sequence: int) -> None:
        """Put a message into the pending batch, and write the batches that are cut by it."""
        if self._turn.locked() or self._support.unwritten >= MAX_UNWRITTEN_BLOCKS:
            async with self._turn:
                await self._support.drained(MAX_UNWRITTEN_BLOCKS - 1)
        self._check_running()
        if sequence < self._support.sequence:
            self._support.process_normal(message.encoded)
        for batch in self._cutter.ordered(message):
            self._support.write(Draft(batch, self._metadata()))
        self._set_timer()

    async def configure(self, envelope: bytes, sequence: int) -> None:
        """Write what is pending, then the configuration in a block of its own."""
        async with self._turn:
            self._check_running()
            if sequence < self._support.sequence:
                envelope = self._support.process_config(envelope)
            self._cut()
            await self._support.write_config(Draft([envelope], self._metadata(), is_config=True))

    def _metadata(self) -> bytes:
        """Return what the next block keeps for consensus: nothing."""
        return b""

    def _check_running(self) -> None:
        if not self._running:
            raise ChainHalted(f"channel {self._support.channel_id} takes no messages: it is halted")
        if self.errored.is_set():
            # What was taken before waits for the disk; more would only fill the memory.
            raise ChainHalted(
                f"channel {self._support.channel_id} takes no messages: no block can be written"
            )

    def _set_timer(self) -> None:
        if self._cutter.pending and self._timer is None:
            timeout_s = self._support.orderer.batch_timeout
            self._timer = asyncio.get_running_loop().call_later(timeout_s, self._cut)
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
            self._support.write(Draft(batch, self._metadata()))
