# SPDX-License-Identifier: Apache-2.0
"""Blocks before anybody signs them (Fabric: ``protoutil/blockutils.go``)."""

import hashlib
from collections.abc import Iterable
from typing import Protocol

from google.protobuf.message import DecodeError

from fastledger._core import CoreBytes, block_number, delivered
from fastledger.common.errors import InputError
from fastledger.protos.common.common_pb2 import (
    Block,
    BlockData,
    BlockHeader,
    BlockMetadataIndex,
    ChannelHeader,
    Envelope,
    HeaderType,
    LastConfig,
    Metadata,
    OrdererBlockMetadata,
    Payload,
)

METADATA_SLOTS = len(BlockMetadataIndex.values())
"""Signatures, last configuration, transactions filter, orderer, commit hash."""

EncodedBlock = bytes | CoreBytes
"""An encoded ``common.Block``, in Python's memory or where the core received it."""


def number_of(encoded: EncodedBlock) -> int:
    """Read the number of an encoded ``common.Block``.

    What orderers and peers write begins with the header, so the transactions are not looked at.

    Raises:
        InputError: The bytes are no block, or it has no header.
    """
    return block_number(encoded)


def block_or_status(response: bytes | CoreBytes) -> CoreBytes | int:
    """Take an encoded ``orderer.DeliverResponse`` apart: the block, where it lies, or the status.

    Raises:
        InputError: It is neither.
    """
    return delivered(response)


def data_hash(envelopes: Iterable[bytes]) -> bytes:
    """Hash the transactions of a block: SHA-256 of them all, one after the other."""
    # At once: for each part the interpreter would be left, and taken again from other threads.
    return hashlib.sha256(b"".join(envelopes)).digest()


def new_block(number: int, previous_hash: bytes, envelopes: Iterable[bytes]) -> Block:
    """Make a block of encoded envelopes; its metadata slots are there, but empty."""
    envelopes = tuple(envelopes)
    block = Block(header=BlockHeader(number=number, previous_hash=previous_hash))
    block.data.data.extend(envelopes)
    block.header.data_hash = data_hash(envelopes)
    block.metadata.metadata.extend([b""] * METADATA_SLOTS)
    return block


def checked_block(encoded: bytes) -> Block:
    """Decode a block that somebody sent.

    Raises:
        InputError: It does not decode, has no data, or its data are not those of its header.
    """
    try:
        block = Block.FromString(encoded)
    except DecodeError as error:
        raise InputError(f"not an encoded common.Block: {error}") from error
    number = block.header.number
    if not block.data.data:
        raise InputError(f"block {number} holds nothing")
    if data_hash(block.data.data) != block.header.data_hash:
        raise InputError(f"block {number} does not have the data hash that its header states")
    return block


def last_config_index(block: Block) -> int:
    """Say which configuration block a block names as the newest.

    Raises:
        InputError: Its metadata does not decode.
    """
    slots = block.metadata.metadata
    try:
        signed = Metadata.FromString(slots[BlockMetadataIndex.SIGNATURES]) if slots else Metadata()
        if signed.value:
            return OrdererBlockMetadata.FromString(signed.value).last_config.index
        named = BlockMetadataIndex.LAST_CONFIG
        kept = Metadata.FromString(slots[named]) if len(slots) > named else Metadata()
        return LastConfig.FromString(kept.value).index
    except DecodeError as error:
        raise InputError(f"failed to retrieve metadata: {error}") from error


class HasData(Protocol):
    """A block, wherever its transactions are."""

    @property
    def data(self) -> BlockData:
        """Its transactions."""


def is_config_block(block: HasData) -> bool:
    """Whether a block holds a configuration (``protoutil.IsConfigBlock``)."""
    data = block.data.data
    if len(data) != 1:
        return False
    try:
        payload = Payload.FromString(Envelope.FromString(data[0]).payload)
        header = ChannelHeader.FromString(payload.header.channel_header)
    except DecodeError:
        return False
    return header.type == HeaderType.CONFIG


def channel_id_of(block: Block) -> str:
    """Say which channel a block belongs to (``protoutil.GetChannelIDFromBlock``).

    Raises:
        InputError: It is empty, or its first transaction does not decode.
    """
    if not block.data.data:
        raise InputError("failed to retrieve channel id - block is empty")
    try:
        payload = Payload.FromString(Envelope.FromString(block.data.data[0]).payload)
        if not payload.HasField("header"):
            raise InputError("failed to retrieve channel id - payload header is empty")
        return ChannelHeader.FromString(payload.header.channel_header).channel_id
    except DecodeError as error:
        raise InputError(f"failed to retrieve channel id: {error}") from error
