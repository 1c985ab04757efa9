# SPDX-License-Identifier: Apache-2.0
"""Turns batches into signed blocks and stores them.

Fabric: ``orderer/common/multichannel/blockwriter.go``. What is written here runs in the channel's
own thread: hashing, signing and the sync leave the event loop free.

Metadata of a block above 0:

====  ================  =============================================================
slot  name              content
====  ================  =============================================================
0     SIGNATURES        ``Metadata`` whose value is ``OrdererBlockMetadata`` {last
                        configuration block, what the consenter adds}, with the
                        signature over value, signature header and block header
1     LAST_CONFIG       ``Metadata`` with ``LastConfig``, not signed
2-4                     empty
====  ================  =============================================================
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from fastledger.protos.common.common_pb2 import (
    LAST_CONFIG,
    SIGNATURES,
    Block,
    LastConfig,
    Metadata,
    MetadataSignature,
    OrdererBlockMetadata,
)
from fastledger.protoutil.blocks import last_config_index, new_block
from fastledger.protoutil.envelope import signature_header
from fastledger.protoutil.hashes import header_bytes, header_hash
from fastledger.protoutil.signer import Signer


class Blocks(Protocol):
    """Where blocks are stored."""

    @property
    def height(self) -> int:
        """Number of the next block."""

    def append(self, blocks: Sequence[bytes]) -> None:
        """Store encoded blocks; they are durable when it returns."""

    def block(self, number: int) -> bytes:
        """Return an encoded block."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A block's content before it has a number."""

    envelopes: Sequence[bytes]
    consenter_metadata: bytes = b""
    """What the consenter keeps with the block; ``etcdraft.BlockMetadata`` for etcdraft."""

    is_config: bool = False
    """Whether it is the channel's configuration, to which later blocks point."""


class BlockWriter:
    """The end of one channel's chain; used by one thread at a time."""

    def __init__(self, blocks: Blocks, signer: Signer) -> None:
        """Go on after the last block, of which there must be one."""
        self._blocks = blocks
        self._signer = signer
        last = Block.FromString(blocks.block(blocks.height - 1))
        self._number = last.header.number
        self._header_hash = header_hash(last.header)
        self._last_config = last_config_index(last)

    def write(self, drafts: Sequence[Draft]) -> None:
        """Make the next blocks and store them by one sync.

        Raises:
            LedgerIo: The disk is full, then this may be tried again; or it failed, and the store
                must be opened again.
        """
        before = self._number, self._header_hash, self._last_config
        try:
            self._blocks.append([self._next(draft).SerializeToString() for draft in drafts])
        except BaseException:
            self._number, self._header_hash, self._last_config = before
            raise

    def _next(self, draft: Draft) -> Block:
        block = new_block(self._number + 1, self._header_hash, draft.envelopes)
        if draft.is_config:
            self._last_config = block.header.number
        self._sign(block, draft.consenter_metadata)
        self._number = block.header.number
        self._header_hash = header_hash(block.header)
        return block

    def _sign(self, block: Block, kept: bytes) -> None:
        last_config = LastConfig(index=self._last_config)
        value = OrdererBlockMetadata(
            last_config=last_config, consenter_metadata=Metadata(value=kept).SerializeToString()
        ).SerializeToString()
        creator = signature_header(self._signer.serialized).SerializeToString()
        signed = value + creator + header_bytes(block.header)
        signature = MetadataSignature(signature_header=creator, signature=self._signer.sign(signed))
        slots = block.metadata.metadata
        slots[SIGNATURES] = Metadata(value=value, signatures=[signature]).SerializeToString()
        slots[LAST_CONFIG] = Metadata(value=last_config.SerializeToString()).SerializeToString()


def consenter_metadata(block: Block) -> bytes:
    """Return what the consenter kept with a block, empty for none."""
    slots = block.metadata.metadata
    if block.header.number == 0 or len(slots) <= SIGNATURES:
        return b""
    signed = OrdererBlockMetadata.FromString(Metadata.FromString(slots[SIGNATURES]).value)
    return Metadata.FromString(signed.consenter_metadata).value
