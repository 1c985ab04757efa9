# SPDX-License-Identifier: Apache-2.0
"""Blocks whose transactions stay in the core, from an orderer's batch or log to its block files."""

from collections.abc import Sequence

from fastledger._core import block_with_metadata, new_block, open_block
from fastledger.protos.common.common_pb2 import Block, BlockData, BlockHeader, BlockMetadata
from fastledger.protoutil.blocks import METADATA_SLOTS, EncodedBlock

_NO_METADATA = BlockMetadata(metadata=[b""] * METADATA_SLOTS).SerializeToString()


class CoreBlock:
    """A ``common.Block``, of which Python has the header and the metadata, to change them.

    Attributes:
        header: It stays as it is.
        metadata: Slots that may be filled.
        count: How many transactions there are.
    """

    __slots__ = ("_encoded", "_kept", "count", "header", "metadata")

    def __init__(
        self, encoded: EncodedBlock, header: BlockHeader, count: int, metadata: bytes
    ) -> None:
        """Take a block apart that is encoded as Fabric encodes it."""
        self._encoded = encoded
        self._kept = metadata
        self.header = header
        self.count = count
        self.metadata = BlockMetadata.FromString(metadata)

    @property
    def data(self) -> BlockData:
        """Its transactions, copied out of the core."""
        return Block.FromString(bytes(self._encoded)).data

    def encode(self) -> EncodedBlock:
        """Return it with its metadata of now, in the core."""
        metadata = self.metadata.SerializeToString()
        if metadata == self._kept:
            return self._encoded
        return block_with_metadata(self._encoded, metadata)

    def SerializeToString(self) -> bytes:  # noqa: N802 - as messages name it
        """Return the same as Python's bytes."""
        return bytes(self.encode())


AnyBlock = Block | CoreBlock
"""A block, wherever its transactions are."""


def next_block(number: int, previous_hash: bytes, envelopes: Sequence[bytes]) -> CoreBlock:
    """Make a block of encoded envelopes; its metadata slots are there, but empty."""
    header, whole = new_block(number, previous_hash, envelopes, METADATA_SLOTS)
    return CoreBlock(whole, BlockHeader.FromString(header), len(envelopes), _NO_METADATA)


def opened(encoded: EncodedBlock) -> AnyBlock:
    """Open an encoded block.

    Raises:
        DecodeError: It is none.
    """
    parts = open_block(encoded)
    if parts is not None:
        header = BlockHeader.FromString(parts[0])
        if header.SerializeToString() == parts[0]:
            return CoreBlock(encoded, header, parts[1], parts[2])
    return Block.FromString(bytes(encoded))


def encoded(block: AnyBlock) -> EncodedBlock:
    """Encode a block, in the core if it is there."""
    return block.encode() if isinstance(block, CoreBlock) else block.SerializeToString()
