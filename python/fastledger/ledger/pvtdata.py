# SPDX-License-Identifier: Apache-2.0
"""Private values: those that wait for their transaction's commit, and the committed ones.

The channel agrees on hashes; values travel beside it. An endorsement leaves its private writes in
the transient part; when its transaction commits as valid, and the writes have the hash that the
transaction names, they become the collection's values (Fabric: ``core/transientstore``,
``core/ledger/pvtdatastorage``).

LMDB's keys are short, so a value's key is its collection's, as much of the private key as fits, and
a hash where it does not; the whole private key stands in the row.
"""

import struct
from collections.abc import Iterable, Iterator
from hashlib import sha256
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import lmdb

from fastledger.common.errors import LedgerIo
from fastledger.protos.ledger.rwset import rwset_pb2 as rwset
from fastledger.protos.ledger.rwset.kvrwset import kv_rwset_pb2 as kvrwset

MAP_BYTES = 16 << 30
"""Address space of a store; it takes neither memory nor disk."""

KEY_BYTES = 400
"""Bytes of a private key that its row's key holds."""

SAVEPOINT_BLOCKS = 64
"""Blocks without private data after which the savepoint is written all the same."""

Version = tuple[int, int]
_ROW = struct.Struct(">QQI")
_SAVEPOINT = b"height"


class PrivateDataStore:
    """The private data of one channel on one peer."""

    def __init__(self, path: str | PathLike[str]) -> None:
        """Open the store, or begin one.

        Raises:
            LedgerIo: The folder cannot be used.
        """
        try:
            Path(path).mkdir(parents=True, exist_ok=True)
            self._env = lmdb.open(fspath(path), map_size=MAP_BYTES, max_dbs=3)
            self._transient = self._env.open_db(b"transient")
            self._values = self._env.open_db(b"values")
            self._meta = self._env.open_db(b"meta")
        except (OSError, lmdb.Error) as error:
            raise LedgerIo(f"{path}: the private data store cannot be opened: {error}") from error
        with self._env.begin() as txn:
            stored = txn.get(_SAVEPOINT, db=self._meta)
            self._pending = txn.stat(self._transient)["entries"]
        self.height = int.from_bytes(stored, "big") if stored else 0
        """Blocks of which the private writes were applied."""
        self._saved = self.height

    def close(self) -> None:
        """Write the savepoint and let go of the folder."""
        if self.height != self._saved:
            with self._env.begin(write=True) as txn:
                self._save(txn)
        self._env.close()

    def endorse(self, tx_id: str, private: bytes) -> None:
        """Keep an endorsed transaction's private writes until it commits.

        Args:
            tx_id: The transaction.
            private: Encoded ``rwset.TxPvtReadWriteSet``.
        """
        with self._env.begin(write=True) as txn:
            if txn.put(tx_id.encode(), private, db=self._transient):
                self._pending = txn.stat(self._transient)["entries"]

    @property
    def awaits(self) -> bool:
        """Whether any transaction is waited for."""
        return self._pending > 0

    def endorsed(self, tx_id: str) -> bytes | None:
        """Read the private writes that wait for a transaction."""
        with self._env.begin() as txn:
            found = txn.get(tx_id.encode(), db=self._transient)
        return None if found is None else bytes(found)

    def apply(self, block: int, transactions: Iterable[tuple[int, str, bytes]]) -> None:
        """Take over the private writes of a block's valid transactions, and drop what waited.

        Args:
            block: The block's number.
            transactions: Index, id and encoded ``rwset.TxReadWriteSet`` of each valid one.
        """
        self.height = block + 1
        found = list(transactions) if self.awaits else []
        if not found:
            if self.height - self._saved >= SAVEPOINT_BLOCKS:
                with self._env.begin(write=True) as txn:
                    self._save(txn)
            return
        with self._env.begin(write=True) as txn:
            for index, tx_id, public in found:
                waiting = txn.pop(tx_id.encode(), db=self._transient)
                if waiting is not None:
                    for ns, coll, values in agreed(public, waiting):
                        self._take(txn, (block, index), _prefix(ns, coll), values)
            self._save(txn)
            self._pending = txn.stat(self._transient)["entries"]

    def get(self, ns: str, coll: str, key: str) -> tuple[bytes, Version] | None:
        """Read a value and the transaction that wrote it."""
        with self._env.begin() as txn:
            row = txn.get(_row_key(_prefix(ns, coll), key.encode()), db=self._values)
        return None if row is None else _split(row)[1:]

    def range(self, ns: str, coll: str, start: str, end: str) -> Iterator[tuple[str, bytes]]:
        """Read the keys from ``start`` up to ``end``, an empty one meaning no bound."""
        prefix, last = _prefix(ns, coll), end.encode()
        rows: list[tuple[bytes, bytes]] = []
        with self._env.begin() as txn, txn.cursor(db=self._values) as cursor:
            positioned = cursor.set_range(prefix + start.encode()[:KEY_BYTES])
            for row_key, row in cursor if positioned else ():
                if not bytes(row_key).startswith(prefix):
                    break
                key, value, _ = _split(row)
                if last and key[:KEY_BYTES] > last[:KEY_BYTES]:
                    break
                if key >= start.encode() and (not last or key < last):
                    rows.append((key, value))
        # Long keys of one beginning stand in the order of their hashes.
        rows.sort()
        return ((key.decode(), value) for key, value in rows)

    def _take(self, txn: Any, version: Version, prefix: bytes, values: bytes) -> None:
        written = kvrwset.KVRWSet.FromString(values)
        for write in written.writes:
            key = write.key.encode()
            if write.is_delete or not write.value:
                txn.delete(_row_key(prefix, key), db=self._values)
            else:
                row = _ROW.pack(*version, len(key)) + key + write.value
                txn.put(_row_key(prefix, key), row, db=self._values)
        for metadata in written.metadata_writes:
            key = metadata.key.encode()
            row = txn.get(_row_key(prefix, key), db=self._values)
            # A change of metadata alone makes the value as new as the hash.
            if row is not None:
                txn.put(
                    _row_key(prefix, key),
                    _ROW.pack(*version, len(key)) + bytes(row[_ROW.size :]),
                    db=self._values,
                )

    def _save(self, txn: Any) -> None:
        txn.put(_SAVEPOINT, self.height.to_bytes(8, "big"), db=self._meta)
        self._saved = self.height


def agreed(public: bytes, private: bytes) -> Iterator[tuple[str, str, bytes]]:
    """Yield the collections of which the private writes have the hash that the channel agreed on.

    Args:
        public: Encoded ``rwset.TxReadWriteSet`` of the committed transaction.
        private: Encoded ``rwset.TxPvtReadWriteSet``.
    """
    hashes = {
        (ns.namespace, coll.collection_name): coll.pvt_rwset_hash
        for ns in rwset.TxReadWriteSet.FromString(public).ns_rwset
        for coll in ns.collection_hashed_rwset
    }
    for ns in rwset.TxPvtReadWriteSet.FromString(bytes(private)).ns_pvt_rwset:
        for coll in ns.collection_pvt_rwset:
            if hashes.get((ns.namespace, coll.collection_name)) == sha256(coll.rwset).digest():
                yield ns.namespace, coll.collection_name, coll.rwset


def _prefix(ns: str, coll: str) -> bytes:
    return sha256(f"{ns}\0{coll}".encode()).digest()[:16]


def _row_key(prefix: bytes, key: bytes) -> bytes:
    if len(key) <= KEY_BYTES:
        return prefix + key
    return prefix + key[:KEY_BYTES] + sha256(key).digest()


def _split(row: bytes) -> tuple[bytes, bytes, Version]:
    block, tx, length = _ROW.unpack_from(row)
    body = bytes(row[_ROW.size :])
    return body[:length], body[length:], (block, tx)
