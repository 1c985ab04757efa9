# SPDX-License-Identifier: Apache-2.0
"""Private values: those that wait for their transaction's commit, and the committed ones.

The channel agrees on hashes; values travel beside it. An endorsement leaves its private writes in
the transient part; when its transaction commits as valid, and the writes have the hash that the
transaction names, they become the collection's values, and are kept as write sets (Fabric:
``core/transientstore``, ``core/ledger/pvtdatastorage``, ``txmgmt/pvtstatepurgemgmt``). A block's
effects, expired and purged values and those that are missing included, are one LMDB transaction.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import lmdb

from fastledger._core import expiring_block
from fastledger.common import log
from fastledger.common.errors import LedgerCorrupted, LedgerIo
from fastledger.ledger import pvtmissing, pvttransient, pvtvalues, pvtwritesets
from fastledger.ledger.environment import open_environment, seal, unseal
from fastledger.ledger.pvteffects import PrivateEffects
from fastledger.ledger.pvtindexes import PrivateIndexes
from fastledger.ledger.pvtmissing import CONVERTED_AT_ONCE, Missing, MissingSet
from fastledger.ledger.pvtrules import Holds, KeepAll, Rules, believe
from fastledger.ledger.pvttransient import Transient
from fastledger.ledger.pvtvalues import Values
from fastledger.ledger.pvtwritesets import Version, WriteSets, collection_prefix
from fastledger.ledger.richquery import Entries, Index, tables
from fastledger.protos.ledger.rwset import rwset_pb2 as rwset
from fastledger.protos.ledger.rwset.kvrwset import kv_rwset_pb2 as kvrwset

MAP_BYTES = 16 << 30
"""Address space of a store; it takes neither memory nor disk."""

SAVEPOINT_BLOCKS = 64
"""Blocks without private data after which the savepoint is written all the same."""

WAITING_BLOCKS = 20_000
"""Blocks after which nobody waits for a transaction (``transientstoreMaxBlockRetention``)."""

_logger = log.get("pvtdatastorage")

_SAVEPOINT = b"height"
_HEIGHT_BYTES = 8
_HELP = (
    "the blocks have no copy of private values: put a backup of the folder in its place, or remove "
    "it, and the peer goes on without those that are gone"
)
_DATABASES = 1 + sum(
    one.DATABASES for one in (pvttransient, pvtvalues, pvtwritesets, pvtmissing, tables)
)


class Lacking(NamedTuple):
    """What one transaction wrote to one collection, and this peer has not."""

    block: int
    tx: int
    ns: str
    coll: str


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
            self._transient = Transient(self._env, lambda: self.height)
            self._values = Values(self._env)
            self._meta = self._env.open_db(b"meta")
            self._write_sets = WriteSets(self._env)
            self._missing = Missing(self._env)
            self._indexes = PrivateIndexes(self._env, self._values.rows, self._values.row)
            with self._env.begin() as txn:
                height = _height_of(txn.get(_SAVEPOINT, db=self._meta))
                self._note(txn)
        except LedgerCorrupted as error:
            raise LedgerCorrupted(f"{path}: {error}; {_HELP}") from error
        except lmdb.Error as error:
            raise LedgerIo(f"{path}: the private data store cannot be opened: {error}") from error
        self._rules = rules or KeepAll()
        self.height = height or 0
        """Blocks of which the private writes were applied."""
        self._saved = height
        """Of them, those of which it is on disk; None for a store that is new."""

    def close(self) -> None:
        """Write the savepoint and let go of the folder."""
        self._transient.close()
        if self.height != (self._saved or 0):
            with self._env.begin(write=True) as txn:
                self._save(txn)
        self._env.close()

    def _note(self, txn: Any) -> None:
        """Remember what is asked for often."""
        self._transient.note(txn)
        self._next_expiry = self._write_sets.next_expiry(txn)
        self.missing_count = self._missing.count(txn)
        """Write sets that this peer should have and has not."""

    # What waits.

    async def keep(self, tx_id: str, private: bytes) -> None:
        """Keep an endorsed transaction's private writes until it commits; they are synced then.

        The loop goes on meanwhile, and what is asked for at the same time is synced together.

        Args:
            tx_id: The transaction.
            private: Encoded ``rwset.TxPvtReadWriteSet``.
        """
        await self._transient.keep(tx_id, private)

    def endorse(self, tx_id: str, private: bytes) -> None:
        """Do what `keep` does, and wait for it."""
        self._transient.put([(tx_id, private)])

    @property
    def awaits(self) -> bool:
        """Whether any transaction is waited for."""
        return self._transient.count > 0

    def endorsed(self, tx_id: str) -> bytes | None:
        """Read the private writes that wait for a transaction."""
        with self._env.begin() as txn:
            return self._transient.get(txn, tx_id)

    # Blocks.

    def apply(
        self, block: int, transactions: Iterable[PrivateEffects], ids: Iterable[str] = ()
    ) -> None:
        """Take over the private writes of a block's transactions, and drop what waited.

        Invalid ones leave their write sets at most. Then goes what the block purges, and what has
        lived its time. A block that was applied before changes nothing.

        Args:
            block: The block's number.
            transactions: What its transactions do to private data.
            ids: Those of all its transactions, where anything is waited for: an id comes once.
        """
        if block < self.height:
            return
        before = self.height
        self.height = block + 1
        try:
            self._apply(block, transactions, ids)
        except BaseException:
            # Whoever tries again begins with this block.
            self.height = before
            raise

    def _apply(
        self, block: int, transactions: Iterable[PrivateEffects], ids: Iterable[str]
    ) -> None:
        transactions = tuple(transactions)
        effects = [one for one in transactions if self._concerns(one)]
        over = self._waiting_of({*ids, *(one.tx_id for one in transactions)})
        due = self._next_expiry is not None and self._next_expiry <= block
        late = block % WAITING_BLOCKS == 0 and block > WAITING_BLOCKS
        soon = self._saved is not None and self.height - self._saved < SAVEPOINT_BLOCKS
        if soon and not (effects or over or due or late):
            return
        with self._env.begin(write=True) as txn:
            for one in effects:
                self._effect(txn, block, one)
            for tx_id in over:
                self._transient.drop(txn, tx_id)
            self._expire(txn, block)
            if late:
                self._transient.forget(txn, block - WAITING_BLOCKS)
            self._save(txn)
            self._note(txn)

    def begin(self, height: int) -> None:
        """Begin a store that is new at a ledger's height: what is missing is noted from there on.

        It begins earlier when something waits already: the blocks may bring it.
        """
        if self._saved is None and not self.awaits:
            self.height = height
            with self._env.begin(write=True) as txn:
                self._save(txn)

    def _waiting_of(self, ids: Iterable[str]) -> list[str]:
        if not self.awaits:
            return []
        with self._env.begin() as txn:
            return [tx_id for tx_id in ids if self._transient.get(txn, tx_id) is not None]

    def _concerns(self, one: PrivateEffects) -> bool:
        return self._keeps(one) and (any(one.written) or any(one.purges))

    def _effect(self, txn: Any, block: int, one: PrivateEffects) -> None:
        version = block, one.index
        self._keep_or_miss(txn, version, one)
        for ns, coll, key_hash in one.purges if one.valid else ():
            self._purge(txn, version, ns, coll, key_hash)

    def _keeps(self, one: PrivateEffects) -> bool:
        return one.valid or self._rules.keeps_invalid

    def _keep_or_miss(self, txn: Any, version: Version, one: PrivateEffects) -> None:
        waiting = self._transient.get(txn, one.tx_id)
        found = one.agreed(waiting) if waiting is not None else ()
        had = {(ns, coll): values for ns, coll, values in found}
        for ns, coll in one.written:
            is_member = self._rules.is_member(ns, coll, version[0])
            if is_member and (ns, coll) in had:
                self._take(txn, version, ns, coll, had[ns, coll], valid=one.valid)
            else:
                expiring = self._expiring(version, ns, coll)
                collection = self._write_sets.expect(txn, version, ns, coll, expiring)
                self._missing.note(txn, version, collection, is_eligible=is_member)

    def _expiring(self, version: Version, ns: str, coll: str) -> int | None:
        return expiring_block(version[0], self._rules.block_to_live(ns, coll))

    def _take(
        self, txn: Any, version: Version, ns: str, coll: str, values: bytes, *, valid: bool
    ) -> None:
        expiring = self._expiring(version, ns, coll)
        self._write_sets.put(txn, version, ns, coll, values, expiring)
        self._missing.forget(txn, version, collection_prefix(ns, coll))
        if not valid:
            return
        decoded = kvrwset.KVRWSet.FromString(values)
        for write in decoded.writes:
            value = None if write.is_delete or not write.value else write.value
            self._put(txn, ns, coll, write.key, value, version)
        for metadata in decoded.metadata_writes:
            found = self._values.row(txn, ns, coll, metadata.key)
            # A change of metadata alone makes the value as new as the hash.
            if found is not None:
                self._put(txn, ns, coll, metadata.key, found[0], version)

    def _purge(self, txn: Any, version: Version, ns: str, coll: str, key_hash: bytes) -> None:
        key = self._write_sets.purge(txn, version, ns, coll, key_hash)
        found = None if key is None else self._values.row(txn, ns, coll, key)
        if key is not None and found is not None and found[1] < version:
            self._put(txn, ns, coll, key, None, version)

    def _expire(self, txn: Any, block: int) -> None:
        for ns, coll, version, expired in self._write_sets.expire(txn, block):
            self._missing.forget(txn, version, collection_prefix(ns, coll))
            keys = [write.key for write in expired.writes]
            for key in keys + [metadata.key for metadata in expired.metadata_writes]:
                found = self._values.row(txn, ns, coll, key)
                # One that was written again lives on.
                if found is not None and found[1][0] == version[0]:
                    self._put(txn, ns, coll, key, None, found[1])

    def _put(
        self, txn: Any, ns: str, coll: str, key: str, value: bytes | None, version: Version
    ) -> None:
        self._values.put(txn, ns, coll, key, value, version)
        self._indexes.put(txn, ns, coll, key, value)

    # Reading.

    def collections(self) -> set[tuple[str, str]]:
        """Chaincodes and collections to which anything was ever written, here or elsewhere."""
        with self._env.begin() as txn:
            return self._write_sets.collections(txn)

    def get(self, ns: str, coll: str, key: str) -> tuple[bytes, Version] | None:
        """Read a value and the transaction that wrote it."""
        with self._env.begin() as txn:
            return self._values.row(txn, ns, coll, key)

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
        with self._env.begin() as txn:
            return iter(self._values.range(txn, ns, coll, start, end, holds))

    def write_sets(self, block: int) -> dict[int, rwset.TxPvtReadWriteSet]:
        """Read what a block's transactions wrote to collections, as far as it is here, by index.

        What has been purged or has lived its time is gone from it.
        """
        with self._env.begin() as txn:
            return self._write_sets.block(txn, block)

    # What is missing.

    def missing(self, most_blocks: int, *, is_later: bool = False) -> list[Lacking]:
        """List the write sets that this peer should have and has not, of the newest blocks first.

        Args:
            most_blocks: Of how many blocks, each of them whole.
            is_later: Those that were postponed, instead of the others.
        """
        with self._env.begin() as txn:
            return [
                Lacking(one.block, one.tx, *self._write_sets.named(txn, one.collection))
                for one in self._missing.newest(txn, most_blocks, is_later=is_later)
            ]

    def postpone(self, unavailable: Iterable[Lacking]) -> None:
        """Ask less often for write sets that nobody had (Fabric: "deprioritized")."""
        with self._env.begin(write=True) as txn:
            for one in unavailable:
                collection = collection_prefix(one.ns, one.coll)
                self._missing.postpone(txn, MissingSet(one.block, one.tx, collection))

    def reconsider(self) -> None:
        """Look which collections the peer is in by now, and miss what they had before, too.

        To be called when a collection's definition may have changed, and at the start: a process
        may have ended in between.
        """
        for ns, coll in self._others():
            if self._rules.is_member(ns, coll, self.height):
                while self._include(ns, coll):
                    pass

    @property
    def knows_others(self) -> bool:
        """Whether anything is noted of collections that the peer was not in."""
        with self._env.begin() as txn:
            return self._missing.knows_others(txn)

    def _others(self) -> list[tuple[str, str]]:
        with self._env.begin() as txn:
            return [self._write_sets.named(txn, one) for one in self._missing.ineligible(txn)]

    def _include(self, ns: str, coll: str) -> bool:
        with self._env.begin(write=True) as txn:
            changed = self._missing.include(txn, collection_prefix(ns, coll))
            self._note(txn)
        return changed == CONVERTED_AT_ONCE

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


def _height_of(stored: bytes | None) -> int | None:
    """Read a savepoint; a wrong one would pass over blocks."""
    if stored is None:
        return None
    # The first stores did not seal theirs.
    plain = len(stored) == _HEIGHT_BYTES
    return int.from_bytes(stored if plain else unseal(_SAVEPOINT, stored), "big")
