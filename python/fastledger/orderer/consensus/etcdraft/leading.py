# SPDX-License-Identifier: Apache-2.0
"""What a consenter does while it leads: messages become batches, batches blocks, blocks proposals.

::

    follows ──elected──► elected ──settled──► serves          nothing of earlier leaders is open
       ▲                    │                   │
       └──────lost──────────┴────────lost───────┘             what is pending is dropped

Ordering promises nothing before a block: what was taken and not proposed is lost with the part, and
the clients send it again.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from fastledger._core import RaftNode
from fastledger.common import log
from fastledger.common.errors import ProposalDropped
from fastledger.orderer.blockcutter import Batch, Message
from fastledger.orderer.consensus.batcher import Batcher
from fastledger.orderer.consensus.chain import ChainHalted, ConsenterSupport
from fastledger.orderer.consensus.clock import Clock
from fastledger.protoutil.coreblock import encoded

_logger = log.get("orderer.consensus.etcdraft")


class Leading:
    """One channel's proposals."""

    def __init__(
        self,
        support: ConsenterSupport,
        node: RaftNode,
        wake: Callable[[], None],
        *,
        max_inflight_blocks: int,
        clock: Clock,
    ) -> None:
        """Follow, for now."""
        self._support = support
        self._node = node
        self._wake = wake
        self._progress = asyncio.Event()
        self.term = 0
        """Of the part as a leader; 0 without it."""
        self.proposed: set[int] = set()
        """Numbers of blocks that are proposed and not agreed on."""
        self.is_changing = False
        """Whether raft is being told of a consenter that a block adds or removes."""
        self.is_ending = False
        """Whether the part is being handed over, so that nothing is taken."""
        self._batcher = Batcher(
            _Proposing(self, support),
            self._propose_batch,
            self._propose_config,
            clock=clock,
            max_unwritten=max_inflight_blocks,
        )

    @property
    def serves(self) -> bool:
        """Whether messages are taken."""
        return self._batcher.is_open

    def elected(self, term: int) -> None:
        """Have the part; messages wait until it is settled."""
        self.term = term

    def settled(self) -> None:
        """Take messages: all that earlier leaders have left is applied."""
        if self.term and not self._batcher.is_open:
            _logger.info(
                "Start accepting requests as Raft leader at block [%d]", self._support.height
            )
            self._batcher.open()

    def lost(self) -> None:
        """Lose the part, with what is pending."""
        self.term = 0
        self.is_changing = self.is_ending = False
        self.proposed.clear()
        self._batcher.drop()
        self._support.rewind()
        self._progress.set()

    async def finish(self) -> None:
        """Take no more messages, and return when what was taken is agreed on, or the part lost."""
        self.is_ending = True
        await self._batcher.close()
        while self.proposed:
            await self.progress()

    def stay(self) -> None:
        """Go on as the leader: nobody else has taken over."""
        self.is_ending = False

    def agreed(self, number: int) -> None:
        """Know that a block is written."""
        self.proposed.discard(number)
        self._progress.set()

    def changed(self) -> None:
        """Know that raft has been told of the consenter that came or went."""
        self.is_changing = False
        self._progress.set()

    async def order(self, message: Message, sequence: int) -> None:
        """Take a message; raises ChainHalted when the part is lost, or was not there."""
        await self._batcher.order(message, sequence)

    @property
    def room(self) -> int:
        """How many messages would be taken now."""
        return self._batcher.room

    def order_now(self, messages: Sequence[Message], sequence: int) -> int:
        """Take messages at once; return how many."""
        return self._batcher.order_now(messages, sequence)

    async def configure(self, envelope: bytes, sequence: int) -> None:
        """Take a configuration, alone; return when it is in force, with the consenters it names."""
        await self._batcher.configure(envelope, sequence)

    async def progress(self) -> None:
        """Return when something is agreed on, or the part lost."""
        self._progress.clear()
        await self._progress.wait()

    def _propose_batch(self, batch: Batch) -> None:
        self._propose(batch)

    def _propose(self, batch: Batch) -> int:
        block = self._support.create_next(batch)
        number = block.header.number
        try:
            self._node.propose(encoded(block))
        except ProposalDropped as error:
            _logger.error("Failed to propose block [%d] to raft: %s", number, error)
            self._support.rewind()
            return number
        self.proposed.add(number)
        _logger.debug("Created block [%d], %d blocks in flight", number, len(self.proposed))
        self._wake()
        return number

    async def _propose_config(self, envelope: bytes) -> None:
        term = self.term
        number = self._propose([envelope])
        if number not in self.proposed:
            raise ChainHalted("no Raft leader")
        while self.term == term and (self.proposed or self.is_changing):
            await self.progress()
        if self.term != term:
            raise ChainHalted("no Raft leader")


class _Proposing:
    """The channel, with what is proposed in place of what is unwritten."""

    def __init__(self, leading: Leading, support: ConsenterSupport) -> None:
        self._leading = leading
        self._support = support

    def __getattr__(self, name: str) -> Any:
        return getattr(self._support, name)

    @property
    def unwritten(self) -> int:
        return len(self._leading.proposed)

    async def drained(self, blocks: int) -> None:
        while len(self._leading.proposed) > blocks:
            await self._leading.progress()
