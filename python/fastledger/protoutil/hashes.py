# SPDX-License-Identifier: Apache-2.0
"""Hashes of headers and transactions, for showing; the core computes its own."""

import hashlib

from fastledger.protos.common.common_pb2 import BlockHeader


def header_hash(header: BlockHeader) -> bytes:
    """Hash a block header: SHA-256 of DER SEQUENCE{number, previous hash, data hash}.

    Fabric: ``protoutil.BlockHeaderHash``.
    """
    number = header.number.to_bytes(header.number.bit_length() // 8 + 1, "big")
    body = _der(0x02, number) + _der(0x04, header.previous_hash) + _der(0x04, header.data_hash)
    return hashlib.sha256(_der(0x30, body)).digest()


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
