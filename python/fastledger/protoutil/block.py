# SPDX-License-Identifier: Apache-2.0
"""A block's parts that stand outside its transactions."""

from dataclasses import dataclass

from google.protobuf.message import DecodeError

from fastledger.common.errors import InputError
from fastledger.protos.common import common_pb2
from fastledger.protoutil.hashes import header_hash


@dataclass(frozen=True, slots=True)
class Block:
    """A block as the ledger hands it out."""

    encoded: bytes
    """The encoded ``common.Block``, metadata included."""

    number: int
    previous_hash: bytes
    data_hash: bytes
    header_hash: bytes
    envelopes: tuple[bytes, ...]
    """The encoded transactions, one ``common.Envelope`` each."""

    codes: bytes
    """The transactions filter: one validation code per transaction, empty when there is none."""

    commit_hash: bytes | None
    """What the committing peer put into the metadata; absent in block 0 and in orderers' blocks."""


def parse(encoded: bytes) -> Block:
    """Take an encoded ``common.Block`` apart.

    Raises:
        InputError: The bytes are no block.
    """
    try:
        block = common_pb2.Block.FromString(encoded)
    except DecodeError as error:
        raise InputError(f"not an encoded common.Block: {error}") from error
    slots = list(block.metadata.metadata)
    return Block(
        encoded=encoded,
        number=block.header.number,
        previous_hash=block.header.previous_hash,
        data_hash=block.header.data_hash,
        header_hash=header_hash(block.header),
        envelopes=tuple(block.data.data),
        codes=slots[common_pb2.TRANSACTIONS_FILTER] if len(slots) > 2 else b"",
        commit_hash=_commit_hash(slots[common_pb2.COMMIT_HASH]) if len(slots) > 4 else None,
    )


def _commit_hash(slot: bytes) -> bytes | None:
    try:
        return common_pb2.Metadata.FromString(slot).value or None
    except DecodeError:
        return None
