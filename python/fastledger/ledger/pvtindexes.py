# SPDX-License-Identifier: Apache-2.0
"""Indexes of collections, in the environment of the private values: both change together."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import lmdb

from fastledger.ledger.pvtrules import Holds
from fastledger.ledger.pvtwritesets import Version
from fastledger.ledger.richquery import Entries, Index, IndexTables, StoredEntries

ROWS_AT_ONCE = 1000
"""Rows that are indexed in one transaction while a new index is made."""

Rows = Callable[[Any, str, str, bytes], Iterator[tuple[bytes, bytes, bytes, Version]]]
"""A collection's rows in a transaction, from a row's key on: that, the private key, the value, and
which transaction wrote it."""

Row = Callable[[Any, str, str, str], tuple[bytes, Version] | None]
"""A private value in a transaction, and which transaction wrote it."""


class PrivateIndexes:
    """The indexes of one store."""

    def __init__(self, env: Any, rows: Rows, row: Row) -> None:
        """Open the tables."""
        self._env = env
        self._rows = rows
        self._row = row
        self._tables = IndexTables(env)
        self._made: dict[int, bytes] = {}
        """How far new spaces are, by their number."""
        with env.begin() as txn:
            self._spaces = self._tables.spaces(txn)

    def define(self, ns: str, coll: str, files: Mapping[str, bytes]) -> None:
        """Add a package's indexes."""
        with self._env.begin(write=True) as txn:
            space = self._tables.define(txn, ns, coll, files)
            if space is not None:
                self._made.pop(space.number, None)
                self._spaces[ns, coll] = space

    def put(self, txn: Any, ns: str, coll: str, key: str, value: bytes | None) -> None:
        """Follow a change of a value, in its transaction."""
        space = self._spaces.get((ns, coll))
        if space is not None:
            self._tables.put(txn, space, key, value)

    def make_entries(self) -> bool:
        """Make some entries of new indexes; False when there is nothing left to do."""
        new = [space for space in tuple(self._spaces.values()) if space.height is None]
        if not new:
            return False
        with self._env.begin(write=True) as txn:
            space = self._spaces[new[0].ns, new[0].coll]
            start = self._made.get(space.number, b"")
            rows = list(islice(self._rows(txn, space.ns, space.coll, start), ROWS_AT_ONCE))
            for _, key, value, _ in rows:
                self._tables.put(txn, space, key.decode(), value)
            if len(rows) == ROWS_AT_ONCE:
                self._made[space.number] = rows[-1][0]
            else:
                self._spaces[space.ns, space.coll] = self._tables.follow(txn, space, 0)
            return True

    def of(self, ns: str, coll: str) -> Sequence[Index]:
        """The indexes of a collection."""
        space = self._spaces.get((ns, coll))
        return () if space is None else tuple(space.indexes.values())

    def entries(self, ns: str, coll: str, index: Index, holds: Holds) -> Entries | None:
        """Open an index; None where it has no entries that can be used."""
        space = self._spaces.get((ns, coll))
        number = None if space is None else space.number_of(index)
        if space is None or number is None or space.height is None:
            return None
        try:
            txn = self._env.begin()
        except lmdb.ReadersFullError:
            return None
        if self._tables.height(txn, space) is None:
            return None

        def value(key: str) -> bytes | None:
            found = self._row(txn, ns, coll, key)
            if found is not None:
                holds(key.encode(), *found)
            return None if found is None else found[0]

        return StoredEntries(self._tables, txn, number, index, value)
