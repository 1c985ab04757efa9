# SPDX-License-Identifier: Apache-2.0
"""One channel: its blocks, its configuration, its rules, its chain.

Fabric: ``multichannel.ChainSupport``. To Deliver it is a source of blocks, to the chain the one who
judges and writes, to Broadcast the one who takes messages.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from fastledger.channelconfig import Bundle, Orderer
from fastledger.common import log
from fastledger.common.errors import FastledgerError, InputError, LedgerCorrupted
from fastledger.deliver import PreparedBlocks
from fastledger.orderer.blockcutter import Message
from fastledger.orderer.blockwriter import Blocks, BlockWriter, consenter_metadata
from fastledger.orderer.capabilities import knows_orderer_slot, orderer_of
from fastledger.orderer.cluster import OpenedRequest
from fastledger.orderer.consensus.batcher import MAX_UNWRITTEN_BLOCKS
from fastledger.orderer.consensus.chain import (
    Chain,
    ChainHalted,
    Standing,
    Status,
)
from fastledger.orderer.consensus.consenters import Consenters
from fastledger.orderer.errors import BlockNotNext
from fastledger.orderer.msgprocessor.message import OrdererMessage
from fastledger.orderer.msgprocessor.standard import StandardChannel
from fastledger.orderer.msgprocessor.system import created_channel
from fastledger.orderer.multichannel.chainslot import ChainSlot
from fastledger.orderer.multichannel.joinblock import JoinBlock
from fastledger.orderer.multichannel.writequeue import WriteQueue
from fastledger.protos.common.common_pb2 import Block
from fastledger.protoutil.blocks import (
    EncodedBlock,
    checked_block,
    is_config_block,
    last_config_index,
)
from fastledger.protoutil.coreblock import AnyBlock, CoreBlock
from fastledger.protoutil.envelope import config_of
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
        is_full: Callable[[int], bool] = lambda _: False,
        join_block: bytes | None = None,
        on_joined: Callable[[], None] = lambda: None,
    ) -> None:
        """Go on with a channel that has blocks, or will have those that lead to a join block.

        Args:
            blocks: Where they are stored.
            signer: Signs new ones.
            consenters: The kinds of consensus.
            processors: Makes the channel's rules.
            make_channel: Begins the channels that a system channel makes.
            is_full: Whether the disk has no room for so many bytes.
            join_block: The block that an administrator joined the channel with, encoded; None when
                all up to it are there.
            on_joined: Learns that they are.

        Raises:
            FastledgerError: Its configuration cannot be read, or this orderer cannot run it.
        """
        self._blocks = blocks
        self._consenters = consenters
        self._make_channel = make_channel
        self._joining, self._in_force = _configurations(blocks, join_block)
        self._on_joined = on_joined
        self.channel_id: str = self.bundle.channel_id
        self.check_supported(self.bundle)
        self._writer = BlockWriter(blocks, signer)
        self._writes = WriteQueue(
            self.channel_id, self._store, blocks.height, self._told_of_disk, is_full
        )
        self._appending = asyncio.Lock()
        self._received: set[int] = set()
        """Numbers of other orderers' blocks that are on their way to the disk."""
        self._stopped: Exception | None = None
        self._disk: Exception | None = None
        self.damage: Exception | None = None
        """What is wrong with a block that somebody wanted to read, if anything was."""
        self.errored = asyncio.Event()
        """Set while no block will follow; one for the life of the channel, whichever its chain."""
        self.processor = processors(self)
        self.blocks = PreparedBlocks(self.encoded_block, lambda: self.height)
        """As Deliver gives them to clients."""
        self._slot = ChainSlot(self.channel_id, self._new_chain, self.drained, self._told_of_chain)
        self.changed()

    # What Broadcast asks.

    async def order(self, message: OrdererMessage) -> None:
        """Take a normal message; raises Rejected, or ChainHalted."""
        sequence = await self.processor.admit(message)
        self._check_written()
        taken = Message(message.encoded, message.size)
        await self._slot.give(lambda chain: chain.order(taken, sequence))

    def order_now(self, messages: Sequence[Message]) -> list[bool]:
        """Take normal messages that may be ordered and need not wait; say which were taken."""
        taken = [False] * len(messages)
        chain = self._slot.prompt
        room = chain.room() if chain is not None and self.failure is None else 0
        if chain is None or not room:
            return taken
        admitted, sequence = self.processor.admit_now(messages[:room])
        places = [place for place, is_admitted in enumerate(admitted) if is_admitted]
        count = chain.order_now([messages[place] for place in places], sequence)
        for place in places[:count]:
            taken[place] = True
        return taken

    async def configure(self, message: OrdererMessage) -> None:
        """Take a configuration update; raises Rejected, or ChainHalted."""
        config, sequence = self.processor.process_update(message)
        self._check_written()
        await self._slot.give(lambda chain: chain.configure(config, sequence))

    # What other consenters ask.

    async def step(self, sender: int, message: bytes) -> None:
        """Hand a message of another consenter to the chain; raises as ``Chain.step``."""
        chain = await self._slot.settled()
        await chain.step(sender, message)

    def step_now(self, sender: int, requests: Sequence[OpenedRequest]) -> int:
        """Hand on what needs no waiting; return how many, from the first on. Raises as `step`."""
        chain = self._slot.prompt
        return chain.step_now(sender, requests) if chain is not None else 0

    # What Deliver asks.

    @property
    def first(self) -> int:
        """Number of the first block."""
        return 0

    @property
    def height(self) -> int:
        """Number of the block after the last durable one."""
        return self._writes.height

    @property
    def sequence(self) -> int:
        """Sequence of the configuration."""
        return self.bundle.sequence

    async def wait(self, height: int) -> None:
        """Return when that many blocks are durable."""
        await self._writes.wait(height)

    def block(self, number: int) -> bytes:
        """Read a block, in any thread."""
        return bytes(self.encoded_block(number))

    def encoded_block(self, number: int) -> EncodedBlock:
        """Read a block that is only handed on, in any thread."""
        try:
            return self._blocks.block_in_core(number)
        except LedgerCorrupted as error:
            self.damage = error
            raise

    def _store(self, blocks: Sequence[EncodedBlock]) -> None:
        """Append blocks, on the writing thread, and prepare them for those who follow."""
        self._blocks.append(blocks)
        for number, block in enumerate(blocks, self._blocks.height - len(blocks)):
            if number in self._received:
                # What is read may be encoded otherwise.
                self._received.remove(number)
                self.blocks.prepare(number)
            else:
                self.blocks.prepare(number, block)

    # What the chain asks; see `ConsenterSupport`.

    @property
    def bundle(self) -> Bundle:
        """The configuration in force; while blocks up to a join block are missing, that one's."""
        return self._joining.bundle if self._joining else self._in_force

    @property
    def orderer(self) -> Orderer:
        """The configuration's orderer group."""
        return orderer_of(self.bundle)

    @property
    def is_onboarding(self) -> bool:
        """Whether blocks up to the one that the channel was joined with are missing."""
        return self._joining is not None

    @property
    def join_height(self) -> int:
        """Height at which none of them is missing any more; 0 when none is."""
        return self._joining.tip.number + 1 if self._joining else 0

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

    def create_next(self, envelopes: Sequence[bytes]) -> CoreBlock:
        """Make the block after the last one created."""
        return self._writer.create_next(envelopes)

    def rewind(self) -> None:
        """Forget the blocks created that were not written."""
        self._writer.rewind()

    def write(self, block: AnyBlock, consenter_metadata: bytes = b"") -> None:
        """Sign a block, and hand it to the disk."""
        if self._is_next(block):
            self._writes.put(
                self._writer.seal(
                    block, consenter_metadata, in_orderer_slot=knows_orderer_slot(self.bundle)
                )
            )

    async def write_config(self, block: AnyBlock, consenter_metadata: bytes = b"") -> None:
        """Write a block that changes this channel, or makes another."""
        if not self._is_next(block):
            return
        try:
            following = self._effect(block)
        except FastledgerError:
            self.rewind()
            raise
        if following and orderer_of(following).consensus_type != self.orderer.consensus_type:
            # What one kind keeps means nothing to another.
            consenter_metadata = b""
        seal = self._writer.seal(
            block,
            consenter_metadata,
            is_config=following is not None,
            in_orderer_slot=knows_orderer_slot(self.bundle),
        )
        self._writes.put(seal)
        await self._in_effect(following)

    async def append(self, signed_block: bytes) -> None:
        """Hand a block that others have signed to the disk, if all of it is right."""
        async with self._appending:
            self._check_alive()
            block = await asyncio.to_thread(checked_block, signed_block)
            if not self._writer.is_next(block):
                return
            if self._joining:
                self._joining.check(block)
            if block.header.number:
                await asyncio.to_thread(self._in_force.verify_block, signed_block)
            following = self._effect(block)
            self._writer.adopt(block, is_config=following is not None)
            self._received.add(block.header.number)
            self._writes.put(lambda: signed_block)
            if is_config_block(block):
                await self._in_effect(following)
            else:
                await self.drained(MAX_UNWRITTEN_BLOCKS - 1)
            if self._joining and block.header.number == self._joining.tip.number:
                self._joining = None
                self._on_joined()

    def changed(self) -> None:
        """Tell who waits for blocks whether there will be any."""
        if self._slot.is_settled:
            if self.failure is not None or self._slot.chain.errored:
                self.errored.set()
            else:
                self.errored.clear()

    def switch_chain(self) -> None:
        """Have another chain made, in place of this one."""
        self._slot.switch()

    # What the rules ask.

    def check_supported(self, bundle: Bundle) -> None:
        """Refuse a configuration that this orderer cannot run; raises a FastledgerError."""
        values = orderer_of(bundle)
        self._consenters.of(values).check(bundle.channel_id, values)

    def check_update(self, following: Bundle) -> None:
        """Refuse a configuration that the consenters would not survive; raises InputError."""
        self._slot.chain.check_update(following)

    # What the registrar asks.

    @property
    def standing(self) -> Standing:
        """Where the channel stands: as its chain does, or failed."""
        standing = self._slot.chain.standing
        return replace(standing, status=Status.FAILED) if self.failure else standing

    @property
    def failure(self) -> Exception | None:
        """Why no block is written, if none is."""
        return self._stopped or self._disk

    def start(self) -> None:
        """Begin to take messages."""
        self._slot.chain.start()
        self.changed()

    async def resign(self) -> None:
        """Let others do what they wait for this orderer to do, because it is about to end."""
        await self._slot.chain.resign()

    async def halt(self) -> None:
        """Take no more messages, write what was taken, close the block files."""
        self._writes.give_up()
        try:
            await self._slot.halt()
        finally:
            self._writes.close()
            self.changed()

    def _new_chain(self) -> Chain:
        """Have the kind make a chain; what the one before has created is forgotten."""
        self.rewind()
        kept = b""
        if self._blocks.height:
            last = Block.FromString(self._blocks.block(self._blocks.height - 1))
            kept = consenter_metadata(last)
        return self._consenters.of(self.orderer).chain(self, kept)

    def _is_next(self, block: AnyBlock) -> bool:
        """Whether a decided block is new; one that contradicts the ledger ends the channel."""
        self._check_alive()
        try:
            return self._writer.is_next(block)
        except BlockNotNext as error:
            self.fail(error)
            raise

    def _effect(self, block: AnyBlock) -> Bundle | None:
        """Return the configuration that a block is; a channel that it makes begins here."""
        if block.header.number == 0:
            return Bundle.from_block(block.SerializeToString())
        if is_config_block(block):
            return self._in_force.apply(config_of(block.data.data[0]))
        if self._in_force.consortiums is not None:
            first_config = created_channel(block.data.data[0])
            if first_config is not None:
                # Before the block that tells of it, as Fabric does: a crash in between leaves a
                # channel that the request, repeated, finds in place.
                self._make_channel(first_config)
        return None

    async def _in_effect(self, following: Bundle | None) -> None:
        """Take a configuration into force once its block, the last one, is durable."""
        await self.drained(0)
        if following is not None:
            self._in_force = following
            number = following.sequence
            _logger.info("[channel: %s] configuration %d in effect", self.channel_id, number)

    def _check_written(self) -> None:
        if self.failure is not None:
            # What was taken before waits for the disk; more would only fill the memory.
            raise ChainHalted(
                f"channel {self.channel_id} takes no messages: no block can be written"
            )

    def _told_of_disk(self, failure: Exception | None) -> None:
        if failure is not None:
            _logger.critical("[channel: %s] halted: %s", self.channel_id, failure)
        self._disk = failure
        self.changed()

    def _told_of_chain(self, failure: Exception | None) -> None:
        if failure is not None:
            self.fail(failure)
        self.changed()

    def fail(self, error: Exception) -> None:
        """Write nothing any more."""
        _logger.critical("[channel: %s] failed: %s", self.channel_id, error)
        self._stopped = error
        self.changed()

    def _check_alive(self) -> None:
        if self._stopped is not None:
            raise self._stopped


def _configurations(blocks: Blocks, join_block: bytes | None) -> tuple[JoinBlock | None, Bundle]:
    """Return the join block, while blocks up to it are missing, and the configuration in force."""
    joining = JoinBlock.read(join_block) if join_block is not None else None
    if not blocks.height:
        if joining is None:
            raise InputError("a channel without blocks needs the block that it was joined with")
        return joining, joining.bundle
    if joining and blocks.height > joining.tip.number:
        joining = None
    last = Block.FromString(blocks.block(blocks.height - 1))
    return joining, Bundle.from_block(blocks.block(last_config_index(last)))
