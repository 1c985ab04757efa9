# SPDX-License-Identifier: Apache-2.0
"""A transaction's read-write set in Fabric's bytes, and what of it Python reads.

The core builds it; several peers' endorsements count only when the bytes are equal.
"""

from hashlib import sha256

from fastledger._core import ReadWriteSet
from fastledger.protos.ledger.rwset.kvrwset import kv_rwset_pb2 as kvrwset

__all__ = ["ReadWriteSet", "Version", "key_hash", "metadata_entries"]

Version = tuple[int, int]
"""Block and transaction that wrote a key last."""


def key_hash(key: str) -> bytes:
    """Hash a private key as the public state keeps it."""
    return sha256(key.encode()).digest()


def metadata_entries(encoded: bytes) -> dict[str, bytes]:
    """Read the metadata of a state's value."""
    if not encoded:
        return {}
    found = kvrwset.KVMetadataWrite.FromString(encoded)
    return {entry.name: entry.value for entry in found.entries}
