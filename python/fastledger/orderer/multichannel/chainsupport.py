# SPDX-License-Identifier: Apache-2.0
"""One channel: its blocks, its configuration, its rules, its chain.

Fabric: ``multichannel.ChainSupport``. To Deliver it is a source of blocks, to the chain the one who
judges and writes, to Broadcast the one who takes messages.
"""

import asyncio
from collections.abc import Callable

from fastledger.channelconfig import Bundle, Orderer
from fastledger.common import log
from fastledger.common.errors import LedgerCorrupted
from fastledger.deliver import PreparedBlocks
from fastledger.orderer.blockcutter import Message
from fastledger.orderer.blockwriter import Blocks, BlockWriter, Draft, consenter_metadata
from fastledger.orderer.capabilities import orderer_of
from fastledger.orderer.consensus.consenters import Consenters
from fastledger.orderer.msgprocessor.message import OrdererMessage
from fastledger.orderer.msgprocessor.standard import StandardChannel
from fastledger.orderer.msgprocessor.system import config_of, created_channel
from fastledger.orderer.multichannel.writequeue import WriteQueue
from fastledger.protos.common.common_pb2 import Block
from fastledger.protoutil.blocks import last_config_index
from fastledger.protoutil.signer import Signer

_logger = log.get("orderer.common.multichannel")

Processors = Callable[["ChainSupport"], StandardChannel]
"""Makes a channel's rules."""

ChannelMaker = Callable[[bytes], None]
"""Begins the channel of a CONFIG envelope that the system channel has made."""


class ChainSupport:
    """A channel that this orderer serves."""

    def __init__(
        self,
        blocks: Blocks,
        signer: Signer,
        consenters: Consenters,
        processors: Processors,
        make_channel: ChannelMaker,
        is_full: Callable[[], bool] = lambda: False,
    ) -> None:
        """Go on with a channel that has blocks.

        Raises:
            FastledgerError: Its configuration cannot be read, or this orderer cannot run it.
        """
        self._blocks = blocks
        self._consenters = consenters
        self._make_channel = make_channel
        last = Block.FromString(blocks.block(blocks.height - 1))
        self.bundle = Bundle.from_block(blocks.block(last_config_index(last)))
        self.channel_id: str = self.bundle.channel_id
        self.check_supported(self.bundle)
        consenter = consenters.of(self.orderer)
        self._writes = WriteQueue(
            self.channel_id,
            BlockWriter(blocks, signer),
            blocks.height,
            self._fail,
            is_full,
            self._go_on,
        )
        self.failure: Exception | None = None
        """Why no block is written, if none is."""
        self.damage: Exception | None = None
        """What is wrong with a block that somebody wanted to read, if anything was."""
        self.processor = processors(self)
        self.chain = consenter.chain(self, consenter_metadata(last))
        self.relation = consenter.relation
        self.status = "inactive"
        self.blocks = PreparedBlocks(self.block)

    # What Broadcast asks.

    async def order(self, message: OrdererMessage) -> None:
        """Take a normal message; raises Rejected, or ChainHalted."""
        sequence = await self.processor.admit(message)
        await self.chain.wait_ready()
        await self.chain.order(Message(message.encoded, message.size), sequence)

    async def configure(self, message: OrdererMessage) -> None:
        """Take a configuration update; raises Rejected, or ChainHalted."""
        config, sequence = self.processor.process_update(message)
        await self.chain.wait_ready()
        await self.chain.configure(config, sequence)

    # What Deliver asks.

    @property
    def first(self) -> int:
        """Number of the first block."""
        return 0

    @property
    def height(self) -> int:
        """Number of the next block."""
        return self._writes.height

    @property
    def sequence(self) -> int:
        """Sequence of the configuration."""
        return self.bundle.sequence

    @property
    def errored(self) -> asyncio.Event:
        """Set while no block can be written."""
        return self.chain.errored

    async def wait(self, height: int) -> None:
        """Return when that many blocks are durable."""
        await self._writes.wait(height)

    def block(self, number: int) -> bytes:
        """Read a block, in any thread."""
        try:
            return self._blocks.block(number)
        except LedgerCorrupted as error:
            self.damage = error
            raise

    # What the chain asks.

    @property
    def orderer(self) -> Orderer:
        """The configuration's orderer group."""
        return orderer_of(self.bundle)

    @property
    def unwritten(self) -> int:
        """Blocks handed over that are not durable."""
        return self._writes.unwritten

    async def drained(self, blocks: int) -> None:
        """Return when at most so many blocks handed over are not durable."""
        await self._writes.drained(blocks)

    def process_normal(self, envelope: bytes) -> None:
        """Judge a message anew."""
        self.processor.process_normal(OrdererMessage.parse(envelope))

    def process_config(self, envelope: bytes) -> bytes:
        """Make a configuration anew."""
        return self.processor.process_config(envelope)[0]

    def write(self, draft: Draft) -> None:
        """Hand over a block's content."""
        self._writes.put(draft)

    async def write_config(self, draft: Draft) -> None:
        """Write a block that changes this channel, or makes another."""
        envelope = draft.envelopes[0]
        first_config = created_channel(envelope)
        if first_config is not None:
            # Before the block that tells of it, as Fabric does: a crash in between leaves a
            # channel that the request, repeated, finds in place.
            self._make_channel(first_config)
            self._writes.put(Draft(draft.envelopes, draft.consenter_metadata))
            await self._writes.drained(0)
            return
        following = self.bundle.apply(config_of(envelope))
        if orderer_of(following).consensus_type != self.orderer.consensus_type:
            draft = Draft(draft.envelopes, is_config=True)
        self._writes.put(draft)
        await self._writes.drained(0)
        self.bundle = following
        _logger.info("[channel: %s] configuration %d in effect", self.channel_id, self.sequence)

    # What the rules ask.

    def check_supported(self, bundle: Bundle) -> None:
        """Refuse a configuration that this orderer cannot run; raises a FastledgerError."""
        values = orderer_of(bundle)
        self._consenters.of(values).check(bundle.channel_id, values)

    # What the registrar asks.

    def start(self) -> None:
        """Begin to take messages."""
        self.chain.start()
        self.status = "active"

    async def halt(self) -> None:
        """Take no more messages, write what was taken, close the block files."""
        self._writes.give_up()
        try:
            await self.chain.halt()
        finally:
            self.status = "inactive"
            self._writes.close()

    def _fail(self, error: Exception) -> None:
        self.status = "failed"
        self.failure = error
        self.chain.errored.set()
        _logger.critical("[channel: %s] halted: %s", self.channel_id, error)

    def _go_on(self) -> None:
        self.status = "active"
        self.failure = None
        self.chain.errored.clear()
