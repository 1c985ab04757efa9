# SPDX-License-Identifier: Apache-2.0
"""Numbers a channel's blocks and signs them (Fabric: ``multichannel/blockwriter.go``).

A block has three states; each arrow names what takes it there::

    (envelopes) ──create_next──► created ──seal──► next ──(the write queue)──► durable
                                    │                ▲
                                  rewind     adopt ──┘
                                    ▼          │
                                (forgotten)  (another orderer's signed block)

Any number of blocks may be created before the first of them is sealed: a leader proposes ahead of
what is agreed. Numbers and hashes are given on the event loop; what :meth:`BlockWriter.seal`
returns runs in the channel's writing thread, so that signing leaves the loop free.

Metadata of a block above 0:

====  ================  =============================================================
slot  name              content
====  ================  =============================================================
0     SIGNATURES        ``Metadata`` whose value is ``OrdererBlockMetadata`` {last
                        configuration block, what the consenter adds}, with the
                        signature over value, signature header and block header
1     LAST_CONFIG       ``Metadata`` with ``LastConfig``, not signed
3     ORDERER           what the consenter adds once more, where orderers of Fabric 1 may
                        be among the readers
2, 4                    empty
====  ================  =============================================================
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from fastledger.common.errors import BlockRefused
from fastledger.orderer.errors import BlockNotNext
from fastledger.protos.common.common_pb2 import (
    LAST_CONFIG,
    ORDERER,
    SIGNATURES,
    Block,
    LastConfig,
    Metadata,
    MetadataSignature,
    OrdererBlockMetadata,
)
from fastledger.protoutil.blocks import (
    METADATA_SLOTS,
    EncodedBlock,
    last_config_index,
)
from fastledger.protoutil.coreblock import AnyBlock, CoreBlock, encoded, next_block
from fastledger.protoutil.envelope import signature_header
from fastledger.protoutil.hashes import header_bytes, header_hash
from fastledger.protoutil.signer import Signer

Seal = Callable[[], EncodedBlock]
"""Completes a block's metadata and encodes it; runs in the writing thread, once."""


class Blocks(Protocol):
    """Where blocks are stored."""

    @property
    def height(self) -> int:
        """Number of the next block."""

    def append(self, blocks: Sequence[EncodedBlock]) -> None:
        """Store encoded blocks; they are durable when it returns."""

    def block(self, number: int) -> bytes:
        """Return an encoded block."""

    def block_in_core(self, number: int) -> EncodedBlock:
        """Return an encoded block that is only handed on."""


@dataclass(frozen=True, slots=True)
class Tip:
    """The end of a chain of blocks, which the next one names."""

    number: int
    header_hash: bytes

    @staticmethod
    def of(block: AnyBlock) -> "Tip":
        """Return the end of a chain whose last block this is."""
        return Tip(block.header.number, header_hash(block.header))


NO_BLOCK = Tip(-1, b"")
"""The end of a chain that has no block yet."""


class BlockWriter:
    """The end of one channel's chain; used on the event loop."""

    def __init__(self, blocks: Blocks, signer: Signer) -> None:
        """Go on after the last stored block; there is none where a channel is still pulled."""
        self._blocks = blocks
        self._signer = signer
        self._last, self._last_config = NO_BLOCK, 0
        if blocks.height:
            last = Block.FromString(blocks.block(blocks.height - 1))
            self._last, self._last_config = Tip.of(last), last_config_index(last)
        self._created = self._last
        self._unstored: dict[int, bytes] = {}
        """Header hashes of the blocks that are on their way to the store, by number."""

    def create_next(self, envelopes: Sequence[bytes]) -> CoreBlock:
        """Make the block after the last one created: numbered, chained, with empty metadata."""
        block = next_block(self._created.number + 1, self._created.header_hash, envelopes)
        self._created = Tip.of(block)
        return block

    def rewind(self) -> None:
        """Forget the blocks that were created and not sealed."""
        self._created = self._last

    def is_next(self, block: AnyBlock) -> bool:
        """Whether a block comes next; False when this very block is there already.

        Raises:
            BlockNotNext: It leaves a gap, follows another block, or has the number of another.
        """
        number = block.header.number
        if number > self._last.number + 1:
            raise BlockNotNext(f"block {number} cannot follow block {self._last.number}")
        if number <= self._last.number:
            found, stored = header_hash(block.header), self._hash_of(number)
            if found != stored:
                raise BlockNotNext(
                    f"there are two blocks {number}: one with the header hash {found.hex()}, "
                    f"and in the ledger one with {stored.hex()}"
                )
            return False
        if block.header.previous_hash != self._last.header_hash:
            raise BlockNotNext(
                f"block {number} follows one with the header hash "
                f"{block.header.previous_hash.hex()}, and the last block in the ledger has "
                f"{self._last.header_hash.hex()}"
            )
        return True

    def seal(
        self,
        block: AnyBlock,
        consenter_metadata: bytes,
        *,
        is_config: bool = False,
        in_orderer_slot: bool = False,
    ) -> Seal:
        """Make a block the last one. It is the writing thread's from here on.

        Args:
            block: Created here or decided by consensus; `is_next`.
            consenter_metadata: What the consenter keeps with the block, as it stands in
                ``OrdererBlockMetadata.consenter_metadata``.
            is_config: Whether it is the channel's configuration, to which later blocks point.
            in_orderer_slot: Whether Fabric 1's orderers must find what the consenter keeps.
        """
        if is_config:
            self._last_config = block.header.number
        if in_orderer_slot:
            _fill(block, ORDERER, consenter_metadata)
        self._follow(block)
        return partial(_signed, self._signer, block, self._last_config, consenter_metadata)

    def adopt(self, block: Block, *, is_config: bool) -> None:
        """Make another orderer's signed block the last one, as it is; it `is_next`.

        Raises:
            BlockRefused: It names another block as the last configuration than it should.
        """
        number = block.header.number
        expected, named = number if is_config else self._last_config, last_config_index(block)
        if named != expected:
            raise BlockRefused(
                number, f"it names block {named} as the last configuration, which is {expected}"
            )
        self._last_config = expected
        self._follow(block)

    def _follow(self, block: AnyBlock) -> None:
        self._last = Tip.of(block)
        self._unstored[self._last.number] = self._last.header_hash
        stored = self._blocks.height
        while (oldest := next(iter(self._unstored))) < stored:
            del self._unstored[oldest]
        if self._created.number <= self._last.number:
            self._created = self._last

    def _hash_of(self, number: int) -> bytes:
        if number in self._unstored:
            return self._unstored[number]
        return header_hash(Block.FromString(self._blocks.block(number)).header)


def _signed(signer: Signer, block: AnyBlock, last_config_number: int, kept: bytes) -> EncodedBlock:
    last_config = LastConfig(index=last_config_number)
    value = OrdererBlockMetadata(
        last_config=last_config, consenter_metadata=kept
    ).SerializeToString()
    creator = signature_header(signer.serialized).SerializeToString()
    signed = value + creator + header_bytes(block.header)
    signature = MetadataSignature(signature_header=creator, signature=signer.sign(signed))
    _fill(block, SIGNATURES, Metadata(value=value, signatures=[signature]).SerializeToString())
    _fill(block, LAST_CONFIG, Metadata(value=last_config.SerializeToString()).SerializeToString())
    return encoded(block)


def _fill(block: AnyBlock, slot: int, content: bytes) -> None:
    slots = block.metadata.metadata
    slots.extend([b""] * (METADATA_SLOTS - len(slots)))
    slots[slot] = content


def consenter_metadata(block: Block) -> bytes:
    """Return what the consenter kept with a block, as it stands there; empty for nothing.

    Fabric before 1.4.2 keeps it in the slot ORDERER only (``GetConsenterMetadataFromBlock``).
    """
    slots = block.metadata.metadata
    if block.header.number == 0 or len(slots) <= SIGNATURES:
        return b""
    signed = OrdererBlockMetadata.FromString(Metadata.FromString(slots[SIGNATURES]).value)
    return signed.consenter_metadata or (slots[ORDERER] if len(slots) > ORDERER else b"")
