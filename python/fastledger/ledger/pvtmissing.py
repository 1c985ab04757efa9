# SPDX-License-Identifier: Apache-2.0
"""Private write sets that this peer has not, though their blocks are committed.

Fabric: ``elgMissingData`` and ``inelgMissingData`` of ``core/ledger/pvtdatastorage``.

::

    missing       <group><newest first><transaction><collection>    of collections that it is in
    ineligible    <collection><newest first><transaction>           of others

    committed ─── had it ───────────────────────────────► nothing to note
        │                                                    ▲
        ├─ in the collection ──► missing, prioritized ───────┤ arrived, or its time is over
        │                            ▲        │ postpone     │
        │                     include│        ▼              │
        │                            │    missing, later ────┤
        └─ not in it ──► ineligible ─┴───────────────────────┘

"Newest first" is a block's number subtracted from the largest: the newest blocks are the likeliest
to be found elsewhere, and the first to be asked for. A collection is a hash of its names.
"""

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

DATABASES = 2
"""Named databases that these tables need of their environment."""

CONVERTED_AT_ONCE = 10_000
"""Entries of a collection that become eligible in one transaction: a new member may be told of
millions, and blocks wait meanwhile (``ledger.pvtdataStore.collElgProcMaxDbBatchSize`` is 5000)."""

Version = tuple[int, int]

_LAST = (1 << 64) - 1
_GROUP = struct.Struct(">B")
_PLACE = struct.Struct(">QQ")
_PRIORITIZED, _LATER = 0, 1


class MissingSet(NamedTuple):
    """One transaction's write set of one collection, by where it is in the chain."""

    block: int
    tx: int
    collection: bytes
    """As it stands in keys."""


class Missing:
    """The tables; every call takes the LMDB transaction to work in."""

    def __init__(self, env: Any) -> None:
        """Open or make the tables."""
        self._missing = env.open_db(b"missing")
        self._ineligible = env.open_db(b"ineligible")

    def count(self, txn: Any) -> int:
        """How many write sets are missing of collections that the peer is in."""
        return int(txn.stat(self._missing)["entries"])

    def note(self, txn: Any, version: Version, collection: bytes, *, is_eligible: bool) -> None:
        """Note that the peer has not got what a transaction wrote to a collection."""
        if is_eligible:
            txn.put(_key(_PRIORITIZED, version, collection), b"", db=self._missing)
        else:
            txn.put(collection + _place(version), b"", db=self._ineligible)

    def forget(self, txn: Any, version: Version, collection: bytes) -> None:
        """Miss a write set no longer: it has arrived, or its time is over."""
        for group in (_PRIORITIZED, _LATER):
            txn.delete(_key(group, version, collection), db=self._missing)
        txn.delete(collection + _place(version), db=self._ineligible)

    def newest(self, txn: Any, most_blocks: int, *, is_later: bool = False) -> list[MissingSet]:
        """List what is missing of the newest blocks that miss anything.

        Args:
            txn: Where to read.
            most_blocks: Of how many blocks, each of them whole.
            is_later: Those that were postponed, instead of the others.
        """
        found: list[MissingSet] = []
        blocks: set[int] = set()
        for one in self._group(txn, _LATER if is_later else _PRIORITIZED):
            blocks.add(one.block)
            if len(blocks) > most_blocks:
                break
            found.append(one)
        return found

    def postpone(self, txn: Any, one: MissingSet) -> None:
        """Ask for a write set less often: nobody had it."""
        version = one.block, one.tx
        if txn.delete(_key(_PRIORITIZED, version, one.collection), db=self._missing):
            txn.put(_key(_LATER, version, one.collection), b"", db=self._missing)

    def knows_others(self, txn: Any) -> bool:
        """Whether anything is noted of collections that the peer is not in."""
        return int(txn.stat(self._ineligible)["entries"]) > 0

    def ineligible(self, txn: Any) -> list[bytes]:
        """List the collections of others of which anything is noted."""
        found: list[bytes] = []
        with txn.cursor(db=self._ineligible) as cursor:
            while cursor.set_range(found[-1] + b"\xff" * _PLACE.size if found else b""):
                if found and bytes(cursor.key())[: -_PLACE.size] == found[-1]:
                    break
                found.append(bytes(cursor.key())[: -_PLACE.size])
        return found

    def include(self, txn: Any, collection: bytes) -> int:
        """Be in a collection from now on: miss what it had before, too, the newest first.

        Returns:
            How many entries have changed; less than `CONVERTED_AT_ONCE` when none is left.
        """
        changed = 0
        with txn.cursor(db=self._ineligible) as cursor:
            found = cursor.set_range(collection)
            while found and changed < CONVERTED_AT_ONCE:
                key = bytes(cursor.key())
                if not key.startswith(collection):
                    break
                version = _version(key[-_PLACE.size :])
                txn.put(_key(_PRIORITIZED, version, collection), b"", db=self._missing)
                found = cursor.delete()
                changed += 1
        return changed

    def _group(self, txn: Any, group: int) -> Iterator[MissingSet]:
        start = _GROUP.pack(group)
        with txn.cursor(db=self._missing) as cursor:
            rows = cursor.iternext(values=False) if cursor.set_range(start) else ()
            for row in rows:
                key = bytes(row)
                if not key.startswith(start):
                    return
                place = key[_GROUP.size :]
                yield MissingSet(*_version(place[: _PLACE.size]), place[_PLACE.size :])


def _place(version: Version) -> bytes:
    return _PLACE.pack(_LAST - version[0], version[1])


def _version(place: bytes) -> Version:
    block, tx = _PLACE.unpack(place)
    return _LAST - block, tx


def _key(group: int, version: Version, collection: bytes) -> bytes:
    return _GROUP.pack(group) + _place(version) + collection
