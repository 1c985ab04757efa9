# SPDX-License-Identifier: Apache-2.0
"""Indexes that have entries, in an LMDB environment that belongs to somebody else.

::

    index-spaces     <chaincode, collection>      which indexes it has
                     <the same>height             which blocks the entries follow
    index-documents  <space><document's id>       the entries that the document has
    index-entries    <index><values><id>          where the id begins; the key itself if it was cut

All records are sealed: a changed byte is found when the environment is opened, or the record read.

A space is a chaincode's public state, or one of its collections. LMDB's keys are short. Of one that
is too long the beginning stands there, and a hash: entries of one beginning are put in order when
they are read.
"""

import json
import struct
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from heapq import merge
from typing import Any

from fastledger.common import log
from fastledger.ledger.environment import seal, unseal
from fastledger.ledger.richquery.conditions import BEHIND
from fastledger.ledger.richquery.documents import parse_document
from fastledger.ledger.richquery.indexes import Index, parse_index
from fastledger.ledger.richquery.query import QueryInvalid

NAMES = "index-spaces", "index-documents", "index-entries"
DATABASES = len(NAMES)
"""Named databases that the tables need of their environment."""

_HEAD = 475
"""Bytes of a key that stand in LMDB when it does not fit: number, these, and a hash are 511."""

_Name = tuple[str, str]
_NUMBER = struct.Struct(">I")
_LENGTH = struct.Struct(">H")
_FOLLOWED = struct.Struct(">QI")
_LAST_NUMBER = b"last"
_HEIGHT = b"height"
_SPACE_BYTES = 32

_logger = log.get("statecouchdb")


@dataclass(frozen=True, slots=True)
class Space:
    """The indexes of a chaincode's public state, or of one of its collections."""

    ns: str
    coll: str
    number: int
    indexes: Mapping[int, Index]
    """By their numbers."""
    files: Mapping[int, tuple[str, str]]
    """Path and content, by the indexes' numbers."""
    height: int | None = None
    """Blocks that the entries follow; None while they are being made."""

    @property
    def last(self) -> int:
        """The number of its newest index."""
        return max(self.indexes)

    def number_of(self, index: Index) -> int | None:
        """The number of an index."""
        return next((number for number, one in self.indexes.items() if one is index), None)


class IndexTables:
    """The tables in one environment; every call takes the transaction to work in."""

    def __init__(self, env: Any) -> None:
        """Open or make the tables."""
        self._spaces, self._documents, self._entries = (
            env.open_db(name.encode()) for name in NAMES
        )

    # Definitions.

    def spaces(self, txn: Any) -> dict[tuple[str, str], Space]:
        """Read all spaces."""
        found = {}
        with txn.cursor(db=self._spaces) as cursor:
            for key, value in cursor:
                if len(bytes(key)) == _SPACE_BYTES:
                    space = _decode(unseal(bytes(key), bytes(value)))
                    found[space.ns, space.coll] = replace(space, height=self.height(txn, space))
        return found

    def height(self, txn: Any, space: Space) -> int | None:
        """Read which blocks a space follows; None if it is being made, or is another one now."""
        stored = _get(txn, self._spaces, _space_key(space.ns, space.coll) + _HEIGHT)
        if stored is None:
            return None
        height, last = _FOLLOWED.unpack(stored)
        return int(height) if last == space.last else None

    def follow(self, txn: Any, space: Space, height: int) -> Space:
        """Write which blocks a space follows."""
        row = _space_key(space.ns, space.coll) + _HEIGHT
        _put(txn, self._spaces, row, _FOLLOWED.pack(height, space.last))
        return replace(space, height=height)

    def define(self, txn: Any, ns: str, coll: str, files: Mapping[str, bytes]) -> Space | None:
        """Add a package's indexes to a space; return it if that changed anything.

        As in CouchDB an index replaces that of the same design document and name, and the indexes
        of packages before stay. A bad definition is told in the log.
        """
        stored = _get(txn, self._spaces, _space_key(ns, coll))
        old = _decode(stored) if stored else None
        space = old or Space(ns, coll, self._next(txn), {}, {})
        indexes, kept = dict(space.indexes), dict(space.files)
        for name, (path, content, index) in _definitions(ns, files).items():
            same = [
                number for number, one in indexes.items() if _name(one, kept[number][1]) == name
            ]
            if any(kept[number][1] == content for number in same):
                continue
            for number in same:
                del indexes[number], kept[number]
            number = self._next(txn)
            indexes[number], kept[number] = index, (path, content)
        if indexes.keys() == space.indexes.keys():
            return None
        self.clear(txn, space)
        changed = replace(space, indexes=indexes, files=kept, height=None)
        _put(txn, self._spaces, _space_key(ns, coll), _encode(changed))
        return changed

    def clear(self, txn: Any, space: Space) -> None:
        """Drop all entries of a space."""
        txn.delete(_space_key(space.ns, space.coll) + _HEIGHT, db=self._spaces)
        self._drop(txn, self._documents, space.number)
        for number in space.indexes:
            self._drop(txn, self._entries, number)

    def _drop(self, txn: Any, table: Any, number: int) -> None:
        prefix = _NUMBER.pack(number)
        with txn.cursor(db=table) as cursor:
            while cursor.set_range(prefix) and bytes(cursor.key()).startswith(prefix):
                cursor.delete()

    def _next(self, txn: Any) -> int:
        stored = _get(txn, self._spaces, _LAST_NUMBER)
        number = int.from_bytes(stored, "big") + 1 if stored else 1
        _put(txn, self._spaces, _LAST_NUMBER, number.to_bytes(4, "big"))
        return number

    # Entries.

    def put(self, txn: Any, space: Space, key: str, value: bytes | None) -> None:
        """Make a document's entries those of its new value; None where there is none any more."""
        row = _cut(_NUMBER.pack(space.number), key.encode())
        stored = _get(txn, self._documents, row)
        old = set(_split(stored)) if stored else set()
        new = dict(self._entries_of(space, key, value))
        for entry in old - new.keys():
            txn.delete(entry, db=self._entries)
        for entry in new.keys() - old:
            _put(txn, self._entries, entry, new[entry])
        if new:
            _put(txn, self._documents, row, b"".join(_LENGTH.pack(len(e)) + e for e in new))
        elif old:
            txn.delete(row, db=self._documents)

    def _entries_of(
        self, space: Space, key: str, value: bytes | None
    ) -> Iterator[tuple[bytes, bytes]]:
        document = parse_document(key, value) if value else None
        if document is None:
            return
        for number, index in space.indexes.items():
            values = index.key(document)
            if values is not None:
                whole = values + key.encode()
                entry = _cut(_NUMBER.pack(number), whole)
                rest = whole if len(whole) > _HEAD + 32 else b""
                yield entry, _NUMBER.pack(len(values)) + rest

    def scan(
        self, txn: Any, number: int, lower: bytes, upper: bytes, *, reverse: bool
    ) -> Iterator[tuple[bytes, str]]:
        """Yield places and keys from ``lower`` up to and without ``upper``, in their order."""
        group: list[tuple[bytes, int]] = []
        head = b""
        for place, whole, start in self._raw(txn, number, lower, upper, reverse=reverse):
            if group and place[:_HEAD] != head:
                yield from _ordered(group, lower, upper, reverse=reverse)
                group = []
            if len(place) > _HEAD:
                head = place[:_HEAD]
                group.append((whole, start))
            elif lower <= whole < upper:
                yield whole, whole[start:].decode()
        yield from _ordered(group, lower, upper, reverse=reverse)

    def _raw(
        self, txn: Any, number: int, lower: bytes, upper: bytes, *, reverse: bool
    ) -> Iterator[tuple[bytes, bytes, int]]:
        """Yield what stands in LMDB, the whole of it, and where the id begins."""
        prefix = _NUMBER.pack(number)
        first, last = lower[:_HEAD], upper[:_HEAD]
        with txn.cursor(db=self._entries) as cursor:
            rows = _backwards(cursor, prefix + last) if reverse else _from(cursor, prefix + first)
            for key, value in rows:
                entry = bytes(key)
                place = entry[_NUMBER.size :]
                beyond = place[:_HEAD] < first if reverse else place[:_HEAD] > last
                if beyond or not entry.startswith(prefix):
                    return
                row = unseal(entry, bytes(value))
                (start,) = _NUMBER.unpack_from(row)
                yield place, row[_NUMBER.size :] or place, start


class StoredEntries:
    """An index in a transaction, and a state that may differ from it in a few keys.

    The transaction ends when nobody holds this any more.
    """

    def __init__(
        self,
        tables: IndexTables,
        txn: Any,
        number: int,
        index: Index,
        value: Callable[[str], bytes | None],
        changed: Collection[str] = (),
    ) -> None:
        """Read an index.

        Args:
            tables: Where it is.
            txn: The transaction to read in.
            number: The index's.
            index: What it is.
            value: Reads a value of the state.
            changed: The keys of which the index may know another value than the state has.
        """
        self._tables = tables
        self._txn = txn
        self._number = number
        self._index = index
        self._changed = changed
        self.value = value

    def scan(self, lower: bytes, upper: bytes, *, reverse: bool) -> Iterator[tuple[bytes, str]]:
        """Yield place and key of each document from ``lower`` up to ``upper``, in their order."""
        changed = self._changed
        stored = self._tables.scan(self._txn, self._number, lower, upper, reverse=reverse)
        if not changed:
            return stored
        same = (found for found in stored if found[1] not in changed)
        other = sorted(self._others(lower, upper), reverse=reverse)
        return merge(same, other, reverse=reverse)

    def _others(self, lower: bytes, upper: bytes) -> Iterator[tuple[bytes, str]]:
        for key in self._changed:
            value = self.value(key)
            document = parse_document(key, value) if value else None
            values = self._index.key(document) if document is not None else None
            if values is not None and lower <= (place := values + key.encode()) < upper:
                yield place, key


def drop(env: Any) -> None:
    """Forget all indexes of an environment, whatever is left of them."""
    tables = [env.open_db(name.encode()) for name in NAMES]
    with env.begin(write=True) as txn:
        for table in tables:
            txn.drop(table, delete=False)


def _get(txn: Any, table: Any, key: bytes) -> bytes | None:
    stored = txn.get(key, db=table)
    return None if stored is None else unseal(key, bytes(stored))


def _put(txn: Any, table: Any, key: bytes, value: bytes) -> None:
    txn.put(key, seal(key, value), db=table)


def _from(cursor: Any, start: bytes) -> Any:
    return cursor.iternext() if cursor.set_range(start) else ()


def _backwards(cursor: Any, end: bytes) -> Any:
    """Rows from the last one before these bytes on; if they were cut, from all that begin so."""
    if len(end) == _NUMBER.size + _HEAD:
        end = end.rstrip(BEHIND)
        end = end[:-1] + bytes([end[-1] + 1])
    positioned = cursor.prev() if cursor.set_range(end) else cursor.last()
    return cursor.iterprev() if positioned else ()


def _ordered(
    group: list[tuple[bytes, int]], lower: bytes, upper: bytes, *, reverse: bool
) -> Iterator[tuple[bytes, str]]:
    for whole, start in sorted(group, reverse=reverse):
        if lower <= whole < upper:
            yield whole, whole[start:].decode()


def _cut(prefix: bytes, key: bytes) -> bytes:
    if len(key) <= _HEAD + 32:
        return prefix + key
    return prefix + key[:_HEAD] + sha256(key).digest()


def _split(row: bytes) -> Iterator[bytes]:
    place = 0
    while place < len(row):
        (length,) = _LENGTH.unpack_from(row, place)
        place += _LENGTH.size + length
        yield row[place - length : place]


def _definitions(ns: str, files: Mapping[str, bytes]) -> dict[_Name, tuple[str, str, Index]]:
    """Read a package's definitions by their names; of one name the last path counts."""
    found = {}
    for path in sorted(files):
        content = files[path].decode("utf-8", "replace")
        try:
            index = parse_index(path, content.encode())
        except QueryInvalid as error:
            _logger.error("error creating index of chaincode [%s]: %s", ns, error)
        else:
            found[_name(index, content)] = (path, content, index)
    return found


def _name(index: Index, content: str) -> _Name:
    """What an index is known by; CouchDB makes names up where none are given."""
    return (index.ddoc, index.name) if index.ddoc and index.name else ("", content)


def _space_key(ns: str, coll: str) -> bytes:
    return sha256(f"{ns}\0{coll}".encode()).digest()


def _encode(space: Space) -> bytes:
    files = {str(number): file for number, file in space.files.items()}
    return json.dumps([space.ns, space.coll, space.number, files]).encode()


def _decode(stored: bytes) -> Space:
    ns, coll, number, files = json.loads(stored)
    numbered = {int(one): (path, content) for one, (path, content) in files.items()}
    indexes = {one: parse_index(path, text.encode()) for one, (path, text) in numbered.items()}
    return Space(ns, coll, number, indexes, numbered)
