# SPDX-License-Identifier: Apache-2.0
"""Hashes of headers and transactions."""

import hashlib

from fastledger._core import block_header_bytes, block_header_hash
from fastledger.protos.common.common_pb2 import BlockHeader


def header_hash(header: BlockHeader) -> bytes:
    """Hash a block header (Fabric: ``protoutil.BlockHeaderHash``)."""
    return block_header_hash(header.number, header.previous_hash, header.data_hash)


def header_bytes(header: BlockHeader) -> bytes:
    """Encode a block header as orderers sign it (Fabric: ``protoutil.BlockHeaderBytes``)."""
    return block_header_bytes(header.number, header.previous_hash, header.data_hash)


def transaction_id(nonce: bytes, creator: bytes) -> str:
    """Compute a transaction's id: hexadecimal SHA-256 of nonce and creator.

    Fabric: ``protoutil.ComputeTxID``.
    """
    return hashlib.sha256(nonce + creator).hexdigest()
