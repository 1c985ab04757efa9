# SPDX-License-Identifier: Apache-2.0
"""What a block's transactions do to private data, in hashes: the core says it, nothing decodes it.

Whoever keeps private values holds them against this: which of them the channel agreed on, and
which it purges.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from google.protobuf.message import DecodeError

from fastledger.protos.ledger.rwset import rwset_pb2 as rwset
from fastledger.protos.ledger.rwset.kvrwset import kv_rwset_pb2 as kvrwset

_Writes = list[tuple[bytes, bytes, bool, bool]]
_Collections = list[tuple[str, str, bytes, _Writes]]
FromCore = Sequence[tuple[int, str, bool, _Collections]]
"""As ``_core.CommitResult.private_effects`` has it."""


class HashedWrite(NamedTuple):
    """A write of which only hashes are public (``kvrwset.KVWriteHash``)."""

    key_hash: bytes
    value_hash: bytes
    is_delete: bool
    is_purge: bool


class CollectionEffects(NamedTuple):
    """What one transaction does to one collection."""

    ns: str
    coll: str
    set_hash: bytes
    """SHA-256 of the encoded private write set; empty where the transaction only read."""

    writes: tuple[HashedWrite, ...]


@dataclass(frozen=True, slots=True)
class PrivateEffects:
    """What one transaction does to collections, or would if it were valid.

    Attributes:
        index: Of the transaction in its block.
        tx_id: Its id, as its header has it.
        valid: Whether it is valid.
        collections: What it touches, in its order.
    """

    index: int
    tx_id: str
    valid: bool
    collections: tuple[CollectionEffects, ...]

    @classmethod
    def of(cls, found: FromCore) -> "tuple[PrivateEffects, ...]":
        """Take over what the core says of a block."""
        return tuple(
            cls(
                index,
                tx_id,
                valid,
                tuple(
                    CollectionEffects(ns, coll, set_hash, tuple(map(HashedWrite._make, writes)))
                    for ns, coll, set_hash, writes in collections
                ),
            )
            for index, tx_id, valid, collections in found
        )

    @property
    def written(self) -> Iterator[tuple[str, str]]:
        """The collections that the transaction writes to."""
        return ((one.ns, one.coll) for one in self.collections if one.set_hash)

    @property
    def purges(self) -> Iterator[tuple[str, str, bytes]]:
        """Chaincode, collection and hash of each private key that the transaction purges."""
        for one in self.collections:
            for write in one.writes:
                if write.is_purge:
                    yield one.ns, one.coll, write.key_hash

    def agreed(self, private: bytes) -> Iterator[tuple[str, str, bytes]]:
        """Yield the collections of which private writes have the hash that the channel agreed on.

        Args:
            private: Encoded ``rwset.TxPvtReadWriteSet``.
        """
        hashes = {(one.ns, one.coll): one.set_hash for one in self.collections}
        for ns in rwset.TxPvtReadWriteSet.FromString(bytes(private)).ns_pvt_rwset:
            for coll in ns.collection_pvt_rwset:
                if hashes.get((ns.namespace, coll.collection_name)) == sha256(coll.rwset).digest():
                    yield ns.namespace, coll.collection_name, coll.rwset

    def wrote(self, ns: str, coll: str, private: bytes) -> bool:
        """Whether the transaction wrote what is kept of its writes to a collection.

        What was purged since is gone from them, so each write is held against its own hashes.

        Args:
            ns: The chaincode.
            coll: The collection.
            private: Encoded ``kvrwset.KVRWSet``.
        """
        theirs = [one for one in self.collections if (one.ns, one.coll) == (ns, coll)]
        if any(one.set_hash == sha256(private).digest() for one in theirs):
            return True
        try:
            kept = kvrwset.KVRWSet.FromString(private).writes
        except DecodeError:
            return False
        hashed = {write[:3] for one in theirs for write in one.writes}
        return all(_hashes(write) in hashed for write in kept)


def _hashes(write: kvrwset.KVWrite) -> tuple[bytes, bytes, bool]:
    value = b"" if write.is_delete else sha256(write.value).digest()
    return sha256(write.key.encode()).digest(), value, write.is_delete
