# SPDX-License-Identifier: Apache-2.0
"""The chain of one orderer: messages stand in the order in which they come.

Nobody is asked, so a block is written as soon as it is created::

    order, configure ──► batcher ──► create_next ──► write, write_config
"""

from collections.abc import Sequence
from typing import Protocol

from fastledger.channelconfig import Bundle, Orderer
from fastledger.common.errors import Unsupported
from fastledger.orderer.blockcutter import Batch, Message
from fastledger.orderer.cluster import OpenedRequest
from fastledger.orderer.consensus.batcher import Batcher
from fastledger.orderer.consensus.chain import (
    Consenter,
    ConsenterSupport,
    NobodyElse,
    Relation,
    Standing,
    Status,
)
from fastledger.orderer.consensus.clock import LOOP, Clock


class Log(Protocol):
    """What the blocks of a chain keep for consensus."""

    def begin(self) -> None:
        """The chain starts."""

    def next(self) -> bytes:
        """Return the consenter metadata of the next block."""

    def next_config(self, envelope: bytes) -> bytes:
        """Return that of the next block, which holds a configuration."""


class NoLog:
    """Nothing is kept."""

    def begin(self) -> None:
        """Do nothing."""

    def next(self) -> bytes:
        """Return nothing."""
        return b""

    def next_config(self, envelope: bytes) -> bytes:
        """Return nothing."""
        del envelope
        return b""


class SoloChain:
    """The chain of a channel with one orderer."""

    def __init__(
        self,
        support: ConsenterSupport,
        log: Log | None = None,
        *,
        relation: Relation = Relation.OTHER,
        clock: Clock = LOOP,
    ) -> None:
        """Prepare the chain of a channel; `start` begins to take messages."""
        self._support = support
        self._log = log or NoLog()
        self._relation = relation
        self._batcher = Batcher(support, self._write, self._write_config, clock=clock)

    @property
    def standing(self) -> Standing:
        """Active while messages are taken."""
        return Standing(self._relation, Status.INACTIVE if self.errored else Status.ACTIVE)

    @property
    def errored(self) -> bool:
        """Whether it is halted: there is nobody whom it could lose."""
        return not self._batcher.is_open

    def start(self) -> None:
        """Begin to take messages."""
        self._log.begin()
        self._batcher.open()

    async def resign(self) -> None:
        """Do nothing: there is nobody else."""

    async def halt(self) -> None:
        """Take no more messages, and write what was taken."""
        if self._batcher.is_open:
            await self._batcher.close()
            await self._support.drained(0)

    def check_update(self, following: Bundle) -> None:
        """Allow: there is nobody who could be lost."""

    async def wait_ready(self) -> None:
        """Return when messages are taken."""
        self._batcher.check_open()

    async def order(self, message: Message, sequence: int) -> None:
        """Put a message into the pending batch."""
        await self._batcher.order(message, sequence)

    def room(self) -> int:
        """Return how many messages `order_now` would take, about."""
        return self._batcher.room

    def order_now(self, messages: Sequence[Message], sequence: int) -> int:
        """Put messages into pending batches at once; return how many."""
        return self._batcher.order_now(messages, sequence)

    def step_now(self, sender: int, requests: Sequence[OpenedRequest]) -> int:
        """Leave them to `step`, which refuses."""
        del sender, requests
        return 0

    async def configure(self, envelope: bytes, sequence: int) -> None:
        """Write what is pending, then the configuration."""
        await self._batcher.configure(envelope, sequence)

    async def step(self, sender: int, message: bytes) -> None:
        """Refuse: there is nobody to speak to."""
        raise NobodyElse(
            f"channel {self._support.channel_id} is ordered by this orderer alone; there is no "
            f"consenter {sender} whose {len(message)} bytes it could take"
        )

    def _write(self, batch: Batch) -> None:
        self._support.write(self._support.create_next(batch), self._log.next())

    async def _write_config(self, envelope: bytes) -> None:
        kind = self._support.orderer.consensus_type
        block = self._support.create_next([envelope])
        await self._support.write_config(block, self._log.next_config(envelope))
        if self._support.orderer.consensus_type != kind:
            self._support.switch_chain()


def consenter() -> Consenter:
    """Return the kind: whoever has the channel orders it."""
    return Consenter(_allow, _chain)


def _chain(support: ConsenterSupport, _: bytes) -> SoloChain:
    if support.is_onboarding:
        raise Unsupported(
            f"channel {support.channel_id} is ordered by one orderer alone, so there is none to "
            "pull its blocks from; join it with its genesis block"
        )
    return SoloChain(support)


def _allow(channel_id: str, values: Orderer) -> None:
    """There is nothing that this orderer could not run."""
