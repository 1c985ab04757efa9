# SPDX-License-Identifier: Apache-2.0
"""What of private writes is believed, and kept."""

from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Protocol

from google.protobuf.message import DecodeError

from fastledger.protos.ledger.rwset import rwset_pb2 as rwset
from fastledger.protos.ledger.rwset.kvrwset import kv_rwset_pb2 as kvrwset

Holds = Callable[[bytes, bytes, tuple[int, int]], None]
"""Takes a private key, its value and its version; raises LedgerCorrupted when that is not what the
channel agreed on."""


def believe(_key: bytes, _value: bytes, _version: tuple[int, int]) -> None:
    """Hold nothing against a value."""


class Rules(Protocol):
    """What of a channel's private data a peer keeps, and how long; collections by their names."""

    @property
    def keeps_invalid(self) -> bool:
        """Whether write sets of invalid transactions are kept, too."""

    def is_member(self, ns: str, coll: str, block: int) -> bool:
        """Whether the peer has the collection's values, as it is defined before a block."""

    def block_to_live(self, ns: str, coll: str) -> int:
        """How many blocks values live; 0 for ever."""


class KeepAll:
    """Everything of valid transactions, for ever."""

    keeps_invalid = False

    def is_member(self, _ns: str, _coll: str, _block: int) -> bool:
        """It is."""
        return True

    def block_to_live(self, _ns: str, _coll: str) -> int:
        """They do not end."""
        return 0


def agreed(public: bytes, private: bytes) -> Iterator[tuple[str, str, bytes]]:
    """Yield the collections of which the private writes have the hash that the channel agreed on.

    Args:
        public: Encoded ``rwset.TxReadWriteSet`` of the committed transaction.
        private: Encoded ``rwset.TxPvtReadWriteSet``.
    """
    try:
        claimed = rwset.TxReadWriteSet.FromString(public)
    except DecodeError:
        # Of an invalid transaction that has the id of one that was endorsed.
        return
    hashes = {
        (ns.namespace, coll.collection_name): coll.pvt_rwset_hash
        for ns in claimed.ns_rwset
        for coll in ns.collection_hashed_rwset
    }
    for ns in rwset.TxPvtReadWriteSet.FromString(bytes(private)).ns_pvt_rwset:
        for coll in ns.collection_pvt_rwset:
            if hashes.get((ns.namespace, coll.collection_name)) == sha256(coll.rwset).digest():
                yield ns.namespace, coll.collection_name, coll.rwset


def written(public: bytes) -> Iterator[tuple[str, str]]:
    """Yield the collections that a transaction writes to; nothing of one that makes no sense.

    Args:
        public: Encoded ``rwset.TxReadWriteSet``.
    """
    try:
        claimed = rwset.TxReadWriteSet.FromString(public)
    except DecodeError:
        return
    for ns in claimed.ns_rwset:
        for coll in ns.collection_hashed_rwset:
            # One that was only read has no hash.
            if coll.pvt_rwset_hash:
                yield ns.namespace, coll.collection_name


def were_written(public: bytes, ns: str, coll: str, private: bytes) -> bool:
    """Whether a transaction wrote what is kept of its writes to a collection.

    What was purged since is gone from them, so each write is held against its own hashes.

    Args:
        public: Encoded ``rwset.TxReadWriteSet`` of the committed transaction.
        ns: The chaincode.
        coll: The collection.
        private: Encoded ``kvrwset.KVRWSet``.
    """
    hashed: set[tuple[bytes, bytes, bool]] = set()
    for namespace in rwset.TxReadWriteSet.FromString(public).ns_rwset:
        for collection in namespace.collection_hashed_rwset:
            if (namespace.namespace, collection.collection_name) == (ns, coll):
                if collection.pvt_rwset_hash == sha256(private).digest():
                    return True
                writes = kvrwset.HashedRWSet.FromString(collection.hashed_rwset).hashed_writes
                hashed |= {(one.key_hash, one.value_hash, one.is_delete) for one in writes}
    try:
        kept = kvrwset.KVRWSet.FromString(private).writes
    except DecodeError:
        return False
    return all(_hashes(write) in hashed for write in kept)


def _hashes(write: kvrwset.KVWrite) -> tuple[bytes, bytes, bool]:
    value = b"" if write.is_delete else sha256(write.value).digest()
    return sha256(write.key.encode()).digest(), value, write.is_delete
