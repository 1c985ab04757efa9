# SPDX-License-Identifier: Apache-2.0
"""Hashes of headers and transactions; the core computes its own."""

import hashlib

from fastledger.protos.common.common_pb2 import BlockHeader


def header_hash(header: BlockHeader) -> bytes:
    """Hash a block header (Fabric: ``protoutil.BlockHeaderHash``)."""
    return hashlib.sha256(header_bytes(header)).digest()


def header_bytes(header: BlockHeader) -> bytes:
    """Encode a block header as orderers sign it: DER SEQUENCE{number, previous hash, data hash}.

    Fabric: ``protoutil.BlockHeaderBytes``.
    """
    number = header.number.to_bytes(header.number.bit_length() // 8 + 1, "big")
    body = _der(0x02, number) + _der(0x04, header.previous_hash) + _der(0x04, header.data_hash)
    return _der(0x30, body)


def _der(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def transaction_id(nonce: bytes, creator: bytes) -> str:
    """Compute a transaction's id: hexadecimal SHA-256 of nonce and creator.

    Fabric: ``protoutil.ComputeTxID``.
    """
    return hashlib.sha256(nonce + creator).hexdigest()
