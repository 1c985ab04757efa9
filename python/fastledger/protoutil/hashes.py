# SPDX-License-Identifier: Apache-2.0
"""Hashes of headers and transactions, which the core computes."""

from fastledger._core import block_header_bytes, block_header_hash, transaction_id
from fastledger.protos.common.common_pb2 import BlockHeader

__all__ = ["header_bytes", "header_hash", "transaction_id"]


def header_hash(header: BlockHeader) -> bytes:
    """Hash a block header (Fabric: ``protoutil.BlockHeaderHash``)."""
    return block_header_hash(header.number, header.previous_hash, header.data_hash)


def header_bytes(header: BlockHeader) -> bytes:
    """Encode a block header as orderers sign it (Fabric: ``protoutil.BlockHeaderBytes``)."""
    return block_header_bytes(header.number, header.previous_hash, header.data_hash)
