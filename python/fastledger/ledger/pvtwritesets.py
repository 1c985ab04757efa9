# SPDX-License-Identifier: Apache-2.0
"""The private write sets of committed transactions (Fabric: ``core/ledger/pvtdatastorage``).

::

    write-sets    <block><transaction><collection>             a collection's write set
    key-hashes    <collection><hash of key><block><tx>         the key that was written
    expiry        <last block + 1><block><tx><collection>      which write sets end with a block
    collections   <collection>                                 its names

Numbers are big-endian, so that rows stand in their order; a collection is a hash of its names.
"""

import struct
from collections.abc import Iterator
from hashlib import sha256
from typing import Any, NamedTuple

from fastledger.common.errors import LedgerCorrupted
from fastledger.protos.ledger.rwset import rwset_pb2 as rwset
from fastledger.protos.ledger.rwset.kvrwset import kv_rwset_pb2 as kvrwset

DATABASES = 4
"""Named databases that these tables need of their environment."""

Version = tuple[int, int]
_PLACE = struct.Struct(">QQ")
_NUMBER = struct.Struct(">Q")


class Expired(NamedTuple):
    """A write set whose time is over."""

    ns: str
    coll: str
    version: Version
    """The transaction that wrote it."""

    written: kvrwset.KVRWSet
    """Empty where the peer never had it."""


class WriteSets:
    """The tables; every call takes the LMDB transaction to work in."""

    def __init__(self, env: Any) -> None:
        """Open or make the tables."""
        self._sets = env.open_db(b"write-sets")
        self._hashes = env.open_db(b"key-hashes")
        self._expiry = env.open_db(b"expiry")
        self._collections = env.open_db(b"collections")

    def collections(self, txn: Any) -> set[tuple[str, str]]:
        """Chaincodes and collections to which anything was ever written, here or elsewhere."""
        with txn.cursor(db=self._collections) as cursor:
            return {_names(bytes(key), bytes(value)) for key, value in cursor}

    def put(
        self, txn: Any, version: Version, ns: str, coll: str, values: bytes, expiring: int | None
    ) -> None:
        """Keep what a transaction wrote to a collection.

        Args:
            txn: Where to write.
            version: Block and transaction.
            ns: The chaincode.
            coll: The collection.
            values: Encoded ``kvrwset.KVRWSet``.
            expiring: The block with which it goes; None for never.
        """
        prefix, place = self.expect(txn, version, ns, coll, expiring), _PLACE.pack(*version)
        txn.put(place + prefix, values, db=self._sets)
        for write in kvrwset.KVRWSet.FromString(values).writes:
            key = write.key.encode()
            txn.put(prefix + sha256(key).digest() + place, key, db=self._hashes)

    def expect(self, txn: Any, version: Version, ns: str, coll: str, expiring: int | None) -> bytes:
        """Know of a write set, also of one that is not there; arguments as for `put`.

        Returns:
            What stands for its collection in keys.
        """
        prefix = collection_prefix(ns, coll)
        txn.put(prefix, f"{ns}\0{coll}".encode(), db=self._collections)
        if expiring is not None:
            place = _NUMBER.pack(expiring) + _PLACE.pack(*version)
            txn.put(place + prefix, b"", db=self._expiry)
        return prefix

    def block(self, txn: Any, block: int) -> dict[int, rwset.TxPvtReadWriteSet]:
        """Read the write sets of a block's transactions, by their index."""
        found: dict[int, list[tuple[str, str, bytes]]] = {}
        for place, value in self._rows(txn, self._sets, _NUMBER.pack(block)):
            (tx,) = _NUMBER.unpack_from(place, _NUMBER.size)
            names = self.named(txn, place[_PLACE.size :])
            found.setdefault(tx, []).append((*names, value))
        return {tx: _assembled(sorted(found[tx])) for tx in sorted(found)}

    def purge(self, txn: Any, version: Version, ns: str, coll: str, key_hash: bytes) -> str | None:
        """Take a key out of all write sets up to a version; return the key, None if none had it."""
        prefix = collection_prefix(ns, coll)
        key = None
        for row, value in list(self._rows(txn, self._hashes, prefix + key_hash)):
            key = value.decode("utf-8", "replace")
            if sha256(value).digest() != key_hash:
                raise LedgerCorrupted(
                    f"a private key that a transaction purges is damaged: {key!r}"
                )
            place = row[-_PLACE.size :]
            if _PLACE.unpack(place) <= version:
                txn.delete(row, db=self._hashes)
                self._trim(txn, place + prefix, key)
        return key

    def _trim(self, txn: Any, row: bytes, key: str) -> None:
        stored = txn.get(row, db=self._sets)
        if stored is None:
            return
        written = kvrwset.KVRWSet.FromString(stored)
        kept = [write for write in written.writes if write.key != key]
        del written.writes[:]
        written.writes.extend(kept)
        txn.put(row, written.SerializeToString(), db=self._sets)

    def next_expiry(self, txn: Any) -> int | None:
        """The block with which the next write set goes."""
        with txn.cursor(db=self._expiry) as cursor:
            return _NUMBER.unpack_from(cursor.key())[0] if cursor.first() else None

    def expire(self, txn: Any, block: int) -> Iterator[Expired]:
        """Drop the write sets that go with a block, or went before, and yield them."""
        while (due := self.next_expiry(txn)) is not None and due <= block:
            for row, _ in list(self._rows(txn, self._expiry, _NUMBER.pack(due))):
                txn.delete(row, db=self._expiry)
                place, prefix = row[_NUMBER.size :][: _PLACE.size], row[-16:]
                stored = txn.pop(place + prefix, db=self._sets)
                written = kvrwset.KVRWSet.FromString(stored or b"")
                for write in written.writes:
                    hashed = sha256(write.key.encode()).digest()
                    txn.delete(prefix + hashed + place, db=self._hashes)
                ns, coll = self.named(txn, prefix)
                yield Expired(ns, coll, _PLACE.unpack(place), written)

    def named(self, txn: Any, prefix: bytes) -> tuple[str, str]:
        """Name the chaincode and the collection that stand in keys."""
        return _names(prefix, bytes(txn.get(prefix, db=self._collections) or b""))

    def _rows(self, txn: Any, table: Any, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        with txn.cursor(db=table) as cursor:
            rows = cursor.iternext() if cursor.set_range(prefix) else ()
            for key, value in rows:
                if not bytes(key).startswith(prefix):
                    return
                yield bytes(key), bytes(value)


def collection_prefix(ns: str, coll: str) -> bytes:
    """What stands for a collection in keys."""
    return sha256(f"{ns}\0{coll}".encode()).digest()[:16]


def _names(prefix: bytes, stored: bytes) -> tuple[str, str]:
    ns, _, coll = stored.decode("utf-8", "replace").partition("\0")
    if collection_prefix(ns, coll) != prefix:
        raise LedgerCorrupted(f"the names of a collection are damaged: {ns!r}, {coll!r}")
    return ns, coll


def _assembled(sets: list[tuple[str, str, bytes]]) -> rwset.TxPvtReadWriteSet:
    result = rwset.TxPvtReadWriteSet(data_model=rwset.TxReadWriteSet.KV)
    for ns, coll, values in sets:
        if not result.ns_pvt_rwset or result.ns_pvt_rwset[-1].namespace != ns:
            result.ns_pvt_rwset.add(namespace=ns)
        result.ns_pvt_rwset[-1].collection_pvt_rwset.add(collection_name=coll, rwset=values)
    return result
