# SPDX-License-Identifier: Apache-2.0
"""Private values: those that wait for their transaction's commit, and the committed ones.

The channel agrees on hashes; values travel beside it. An endorsement leaves its private writes in
the transient part; when its transaction commits as valid, and the writes have the hash that the
transaction names, they become the collection's values, and are kept as write sets (Fabric:
``core/transientstore``, ``core/ledger/pvtdatastorage``, ``txmgmt/pvtstatepurgemgmt``). A block's
effects, expired and purged values included, are one LMDB transaction.

LMDB's keys are short, so a value's key is its collection's, as much of the private key as fits, and
a hash where it does not; the whole private key stands in the row.
"""

import asyncio
import struct
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import sha256
from os import PathLike
from pathlib import Path
from typing import Any

import lmdb

from fastledger._core import expiring_block
from fastledger.common import log
from fastledger.common.errors import LedgerCorrupted, LedgerIo
from fastledger.ledger import pvtwritesets
from fastledger.ledger.environment import open_environment, seal, unseal
from fastledger.ledger.pvtindexes import PrivateIndexes
from fastledger.ledger.pvtrules import Holds, KeepAll, Rules, agreed, believe
from fastledger.ledger.pvtwritesets import Version, WriteSets, collection_prefix
from fastledger.ledger.results import Endorsed
from fastledger.ledger.richquery import Entries, Index, tables
from fastledger.protos.ledger.rwset import rwset_pb2 as rwset
from fastledger.protos.ledger.rwset.kvrwset import kv_rwset_pb2 as kvrwset

MAP_BYTES = 16 << 30
"""Address space of a store; it takes neither memory nor disk."""

KEY_BYTES = 400
"""Bytes of a private key that its row's key holds."""

MAX_ID_BYTES = 128
"""Of a transaction's id that can be waited for; it is 64 hexadecimal digits."""

SAVEPOINT_BLOCKS = 64
"""Blocks without private data after which the savepoint is written all the same."""

WAITING_BLOCKS = 20_000
"""Blocks after which nobody waits for a transaction (``transientstoreMaxBlockRetention``)."""

_logger = log.get("pvtdatastorage")

_Key = tuple[str, str, bytes]
"""Chaincode, collection and hash of a private key."""

_ROW = struct.Struct(">QQI")
_SAVEPOINT = b"height"
_HEIGHT_BYTES = 8
_HELP = (
    "the blocks have no copy of private values: put a backup of the folder in its place, or remove "
    "it, and the peer goes on without those that are gone"
)
_DATABASES = 4 + pvtwritesets.DATABASES + tables.DATABASES


class PrivateDataStore:
    """The private data of one channel on one peer."""

    def __init__(self, path: str | PathLike[str], rules: Rules | None = None) -> None:
        """Open the store, or begin one.

        Args:
            path: Its folder.
            rules: What is kept; without them everything of valid transactions.

        Raises:
            LedgerCorrupted: The store is damaged.
            LedgerIo: The folder cannot be used.
        """
        try:
            self._env = _open(Path(path))
            self._transient = self._env.open_db(b"transient")
            self._endorsed = self._env.open_db(b"endorsed")
            self._values = self._env.open_db(b"values")
            self._meta = self._env.open_db(b"meta")
            self._write_sets = WriteSets(self._env)
            self._indexes = PrivateIndexes(self._env, self._rows, self._row)
            with self._env.begin() as txn:
                height = _height_of(txn.get(_SAVEPOINT, db=self._meta))
                self._note(txn)
        except LedgerCorrupted as error:
            raise LedgerCorrupted(f"{path}: {error}; {_HELP}") from error
        except lmdb.Error as error:
            raise LedgerIo(f"{path}: the private data store cannot be opened: {error}") from error
        self._rules = rules or KeepAll()
        self._asked: deque[tuple[str, bytes, Future[None]]] = deque()
        self._writer = ThreadPoolExecutor(1, "private-data")
        self.height = height
        """Blocks of which the private writes were applied."""
        self._saved = self.height

    def close(self) -> None:
        """Write the savepoint and let go of the folder."""
        self._writer.shutdown()
        if self.height != self._saved:
            with self._env.begin(write=True) as txn:
                self._save(txn)
        self._env.close()

    def _note(self, txn: Any) -> None:
        """Remember what says whether a block concerns the store."""
        self._pending: int = txn.stat(self._transient)["entries"]
        self._collections = self._write_sets.collections(txn)
        self._next_expiry = self._write_sets.next_expiry(txn)
        # Approvals of chaincodes are never purged.
        self._purgeable = [c.encode() for ns, c in self._collections if ns != "_lifecycle"]

    # What waits.

    async def keep(self, tx_id: str, private: bytes) -> None:
        """Keep an endorsed transaction's private writes until it commits; they are synced then.

        The loop goes on meanwhile, and what is asked for at the same time is synced together.

        Args:
            tx_id: The transaction.
            private: Encoded ``rwset.TxPvtReadWriteSet``.
        """
        done: Future[None] = Future()
        self._asked.append((tx_id, private, done))
        self._writer.submit(self._keep_asked)
        await asyncio.wrap_future(done)

    def _keep_asked(self) -> None:
        asked = [self._asked.popleft() for _ in range(len(self._asked))]
        try:
            self._endorse([(tx_id, private) for tx_id, private, _ in asked])
        except BaseException as error:  # noqa: BLE001 - told to all who asked
            for _, _, done in asked:
                done.set_exception(error)
        else:
            for _, _, done in asked:
                done.set_result(None)

    def endorse(self, tx_id: str, private: bytes) -> None:
        """Do what `keep` does, and wait for it."""
        self._endorse([(tx_id, private)])

    def _endorse(self, transactions: Sequence[tuple[str, bytes]]) -> None:
        if not transactions:
            return
        with self._env.begin(write=True) as txn:
            for tx_id, private in transactions:
                txn.put(tx_id.encode(), private, db=self._transient)
                txn.put(self.height.to_bytes(8, "big") + tx_id.encode(), b"", db=self._endorsed)
            self._pending = txn.stat(self._transient)["entries"]

    def _waiting(self, txn: Any, tx_id: str) -> bytes | None:
        key = tx_id.encode()
        # Ids of invalid transactions can be anything; those of endorsed ones are short.
        found = txn.get(key, db=self._transient) if 0 < len(key) <= MAX_ID_BYTES else None
        return None if found is None else bytes(found)

    @property
    def awaits(self) -> bool:
        """Whether any transaction is waited for."""
        return self._pending > 0

    def endorsed(self, tx_id: str) -> bytes | None:
        """Read the private writes that wait for a transaction."""
        with self._env.begin() as txn:
            return self._waiting(txn, tx_id)

    # Blocks.

    def concerns(self, block: bytes) -> bool:
        """Whether a block's transactions have to be looked at."""
        return self.awaits or any(coll in block for coll in self._purgeable)

    def apply(self, block: int, transactions: Iterable[Endorsed]) -> None:
        """Take over the private writes of a block's transactions, and drop what waited.

        Invalid ones leave their write sets at most. Then goes what the block purges, and what has
        lived its time. A block that was applied before changes nothing.

        Args:
            block: The block's number.
            transactions: Its transactions, when the block `concerns` the store.
        """
        if block < self.height:
            return
        before = self.height
        self.height = block + 1
        try:
            self._apply(block, transactions)
        except BaseException:
            # Whoever tries again begins with this block.
            self.height = before
            raise

    def _apply(self, block: int, transactions: Iterable[Endorsed]) -> None:
        effects = self._effects(transactions)
        due = self._next_expiry is not None and self._next_expiry <= block
        late = block % WAITING_BLOCKS == 0 and block > WAITING_BLOCKS
        soon = self.is_empty or self.height - self._saved < SAVEPOINT_BLOCKS
        if soon and not (effects or due or late):
            return
        with self._env.begin(write=True) as txn:
            for one, purged in effects:
                self._effect(txn, block, one, purged)
            for one, _ in effects:
                if self._waiting(txn, one.tx_id) is not None:
                    txn.delete(one.tx_id.encode(), db=self._transient)
            self._expire(txn, block)
            if late:
                self._forget(txn, block - WAITING_BLOCKS)
            self._save(txn)
            self._note(txn)

    def skip(self, height: int) -> None:
        """Go on behind blocks that do not concern the store."""
        self.height = max(self.height, height)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing that a block could change."""
        return self._pending == 0 and not self._collections

    def _effects(self, transactions: Iterable[Endorsed]) -> list[tuple[Endorsed, list[_Key]]]:
        """Keep of transactions those that change anything, with what they purge."""
        effects = []
        with self._env.begin() as txn:
            for one in transactions:
                purged = list(_purges(one.results)) if one.valid else []
                if purged or self._waiting(txn, one.tx_id) is not None:
                    effects.append((one, purged))
        return effects

    def _effect(self, txn: Any, block: int, one: Endorsed, purged: Iterable[_Key]) -> None:
        version = block, one.index
        waiting = self._waiting(txn, one.tx_id)
        if waiting is not None and (one.valid or self._rules.keeps_invalid):
            for ns, coll, values in agreed(one.results, waiting):
                if self._rules.is_member(ns, coll):
                    self._take(txn, version, ns, coll, values, valid=one.valid)
        for ns, coll, key_hash in purged:
            self._purge(txn, version, ns, coll, key_hash)

    def _take(
        self, txn: Any, version: Version, ns: str, coll: str, values: bytes, *, valid: bool
    ) -> None:
        life = self._rules.block_to_live(ns, coll)
        self._write_sets.put(txn, version, ns, coll, values, expiring_block(version[0], life))
        if not valid:
            return
        written = kvrwset.KVRWSet.FromString(values)
        for write in written.writes:
            value = None if write.is_delete or not write.value else write.value
            self._put(txn, ns, coll, write.key, value, version)
        for metadata in written.metadata_writes:
            found = self._row(txn, ns, coll, metadata.key)
            # A change of metadata alone makes the value as new as the hash.
            if found is not None:
                self._put(txn, ns, coll, metadata.key, found[0], version)

    def _purge(self, txn: Any, version: Version, ns: str, coll: str, key_hash: bytes) -> None:
        key = self._write_sets.purge(txn, version, ns, coll, key_hash)
        found = None if key is None else self._row(txn, ns, coll, key)
        if key is not None and found is not None and found[1] < version:
            self._put(txn, ns, coll, key, None, version)

    def _expire(self, txn: Any, block: int) -> None:
        for ns, coll, committed, written in self._write_sets.expire(txn, block):
            keys = [write.key for write in written.writes]
            for key in keys + [metadata.key for metadata in written.metadata_writes]:
                found = self._row(txn, ns, coll, key)
                # One that was written again lives on.
                if found is not None and found[1][0] == committed:
                    self._put(txn, ns, coll, key, None, found[1])

    def _forget(self, txn: Any, height: int) -> None:
        """Drop what was endorsed before a height and never committed."""
        with txn.cursor(db=self._endorsed) as cursor:
            while cursor.first() and int.from_bytes(bytes(cursor.key())[:8], "big") < height:
                txn.delete(bytes(cursor.key())[8:], db=self._transient)
                cursor.delete()

    def _put(
        self, txn: Any, ns: str, coll: str, key: str, value: bytes | None, version: Version
    ) -> None:
        row = _row_key(collection_prefix(ns, coll), key.encode())
        if value is None:
            txn.delete(row, db=self._values)
        else:
            encoded = key.encode()
            packed = _ROW.pack(*version, len(encoded)) + encoded + value
            txn.put(row, packed, db=self._values)
        self._indexes.put(txn, ns, coll, key, value)

    # Reading.

    def get(self, ns: str, coll: str, key: str) -> tuple[bytes, Version] | None:
        """Read a value and the transaction that wrote it."""
        with self._env.begin() as txn:
            return self._row(txn, ns, coll, key)

    def range(
        self, ns: str, coll: str, start: str, end: str, holds: Holds = believe
    ) -> Iterator[tuple[str, bytes]]:
        """Read the keys from ``start`` up to ``end``, an empty one meaning no bound.

        Args:
            ns: The chaincode.
            coll: The collection.
            start: The first key.
            end: The key after the last one.
            holds: Called with each key, value and version; raises for one that is not the
                channel's.
        """
        prefix, last = collection_prefix(ns, coll), end.encode()
        rows: list[tuple[bytes, bytes]] = []
        with self._env.begin() as txn:
            rows_from = prefix + start.encode()[:KEY_BYTES]
            for row_key, key, value, version in self._rows(txn, ns, coll, rows_from):
                if last and key[:KEY_BYTES] > last[:KEY_BYTES]:
                    break
                if key >= start.encode() and (not last or key < last):
                    _check_key(ns, coll, key.decode("utf-8", "replace"), row_key)
                    holds(key, value, version)
                    rows.append((key, value))
        # Long keys of one beginning stand in the order of their hashes.
        rows.sort()
        return ((key.decode(), value) for key, value in rows)

    def write_sets(self, block: int) -> dict[int, rwset.TxPvtReadWriteSet]:
        """Read what a block's transactions wrote to collections, as far as it is here, by index.

        What has been purged or has lived its time is gone from it.
        """
        with self._env.begin() as txn:
            return self._write_sets.block(txn, block)

    def _row(self, txn: Any, ns: str, coll: str, key: str) -> tuple[bytes, Version] | None:
        place = _row_key(collection_prefix(ns, coll), key.encode())
        row = txn.get(place, db=self._values)
        if row is None:
            return None
        found, value, version = _split(row)
        if found != key.encode():
            raise _damaged(ns, coll, key)
        return value, version

    def _rows(
        self, txn: Any, ns: str, coll: str, start: bytes = b""
    ) -> Iterator[tuple[bytes, bytes, bytes, Version]]:
        """Yield a collection's rows: their keys, private keys, values and versions."""
        prefix = collection_prefix(ns, coll)
        with txn.cursor(db=self._values) as cursor:
            rows = cursor.iternext() if cursor.set_range(start or prefix) else ()
            for row_key, row in rows:
                if not bytes(row_key).startswith(prefix):
                    return
                yield bytes(row_key), *_split(row)

    # Indexes.

    def define_indexes(self, ns: str, coll: str, files: Mapping[str, bytes]) -> None:
        """Add a package's indexes of a collection; `make_entries` makes their entries."""
        self._indexes.define(ns, coll, files)

    def make_entries(self) -> bool:
        """Make some entries of new indexes; False when there is nothing left to do."""
        return self._indexes.make_entries()

    def indexes(self, ns: str, coll: str) -> Sequence[Index]:
        """The indexes of a collection."""
        return self._indexes.of(ns, coll)

    def entries(self, ns: str, coll: str, index: Index, holds: Holds = believe) -> Entries | None:
        """Open an index; None where it has no entries that can be used; ``holds`` as in `range`."""
        return self._indexes.entries(ns, coll, index, holds)

    def _save(self, txn: Any) -> None:
        height = self.height.to_bytes(_HEIGHT_BYTES, "big")
        txn.put(_SAVEPOINT, seal(_SAVEPOINT, height), db=self._meta)
        self._saved = self.height


def _open(folder: Path) -> lmdb.Environment:
    """Open the environment; indexes that are damaged, or of an older form, are made again."""
    try:
        return _environment(folder, tables.NAMES)
    except LedgerCorrupted as error:
        damage = error
    env = _environment(folder, ())
    _logger.warning("indexes of private values are made again: %s", damage)
    tables.drop(env)
    return env


def _environment(folder: Path, sealed: Sequence[str]) -> lmdb.Environment:
    return open_environment(folder, map_bytes=MAP_BYTES, databases=_DATABASES, sealed=sealed)


def _height_of(stored: bytes | None) -> int:
    """Read a savepoint; a wrong one would pass over blocks."""
    if stored is None:
        return 0
    # The first stores did not seal theirs.
    plain = len(stored) == _HEIGHT_BYTES
    return int.from_bytes(stored if plain else unseal(_SAVEPOINT, stored), "big")


def _purges(public: bytes) -> Iterator[_Key]:
    """Yield chaincode, collection and hash of each private key that a transaction purges."""
    for ns in rwset.TxReadWriteSet.FromString(public).ns_rwset:
        for coll in ns.collection_hashed_rwset:
            for write in kvrwset.HashedRWSet.FromString(coll.hashed_rwset).hashed_writes:
                if write.is_purge:
                    yield ns.namespace, coll.collection_name, write.key_hash


def _row_key(prefix: bytes, key: bytes) -> bytes:
    if len(key) <= KEY_BYTES:
        return prefix + key
    return prefix + key[:KEY_BYTES] + sha256(key).digest()


def _check_key(ns: str, coll: str, key: str, row_key: bytes) -> None:
    if _row_key(collection_prefix(ns, coll), key.encode()) != row_key:
        raise _damaged(ns, coll, key)


def _damaged(ns: str, coll: str, key: str) -> LedgerCorrupted:
    return LedgerCorrupted(
        f"the private value of key {key!r} in collection {coll} of {ns} is damaged on this peer: "
        "what is stored is not what the channel agreed on"
    )


def _split(row: bytes) -> tuple[bytes, bytes, Version]:
    block, tx, length = _ROW.unpack_from(row)
    body = bytes(row[_ROW.size :])
    return body[:length], body[length:], (block, tx)
