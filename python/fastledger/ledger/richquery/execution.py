# SPDX-License-Identifier: Apache-2.0
"""Runs a query over keys and values.

Results come in the order of keys, or of the index that has the order that is asked for. An index
with entries gives the keys that can match; without entries all rows are read. The results are the
same, and so is their order. A bookmark says where a page ended, not how many rows it had, so what
is committed between two pages shifts no other row.
"""

import base64
import heapq
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Protocol, Self

from fastledger.common import gojson
from fastledger.common.errors import InputError
from fastledger.ledger.richquery.collation import sort_key
from fastledger.ledger.richquery.documents import parse_document
from fastledger.ledger.richquery.indexes import Index, choose
from fastledger.ledger.richquery.query import Query, QueryInvalid, number_of, parse
from fastledger.ledger.richquery.selector import is_missing, lookup

TIME_LIMIT_S = 30.0
"""How long one query may read: as long as a transaction may take."""

MAX_SORTED_BYTES = 256 * 1024 * 1024
"""Rows that a sort without pages may hold."""

NO_MORE = "nil"
"""CouchDB's bookmark of a page without rows."""

_CLOCK_ROWS = 256
"""Rows between two looks at the clock."""

MAX_SCATTERED = 10_000
"""Entries that a page may look at when they are not in its order; then the rows are read instead.

So many matches are near each other in the state, too.
"""

KeyValue = tuple[str, bytes]
RowsFrom = Callable[[str], Iterable[KeyValue]]
"""Rows in the order of keys, from a key on; an empty key means all."""


class Entries(Protocol):
    """An index, as the state has it that is looked through."""

    def scan(self, lower: bytes, upper: bytes, *, reverse: bool) -> Iterator[tuple[bytes, str]]:
        """Yield place and key of each document from ``lower`` up to ``upper``, in their order.

        A place is the document's key in the index, followed by its id.
        """

    def value(self, key: str) -> bytes | None:
        """Read the value of a key."""


EntriesOf = Callable[[Index], Entries | None]
"""Opens an index; None where it has no entries that can be used."""


def execute(
    text: str,
    rows_from: RowsFrom,
    *,
    indexes: Sequence[Index] = (),
    entries_of: EntriesOf | None = None,
    page_size: int = 0,
    bookmark: str = "",
    time_limit_s: float = TIME_LIMIT_S,
) -> "QueryRows":
    """Start a query.

    Args:
        text: The query as JSON.
        rows_from: The state to look through.
        indexes: Those of the chaincode, or of the collection.
        entries_of: Opens what of them can be used; without it all rows are read.
        page_size: Rows of a page, instead of the query's limit; 0 or less for the query's limit.
        bookmark: Where the previous page ended.
        time_limit_s: How long it may take.

    Raises:
        QueryInvalid: The query or the bookmark cannot be used, or no index allows the sort.
    """
    query = parse(text)
    index = choose(query, indexes)
    order = _Order(query, index)
    after = _read_bookmark(bookmark)
    limit = page_size if page_size > 0 else query.limit
    skip = 0 if after else query.skip
    wanted = None if limit is None else limit + skip
    entries = entries_of(index) if index is not None and entries_of is not None else None
    search = _Search(query, order, order.after(after), wanted, time.monotonic() + time_limit_s)
    found = search.through(rows_from) if entries is None else search.by(entries, rows_from)
    return QueryRows(query, order, found, limit=limit, skip=skip)


class QueryRows:
    """The results, row by row; keys with documents, or with the fields that are asked for."""

    def __init__(
        self,
        query: Query,
        order: "_Order",
        found: Iterator["_Found"],
        *,
        limit: int | None,
        skip: int,
    ) -> None:
        """Made by :func:`execute`."""
        self._query = query
        self._order = order
        self._found = found
        self._left = limit
        self._skip = skip
        self._last: _Found | None = None

    def __iter__(self) -> Self:
        """Itself."""
        return self

    def __next__(self) -> KeyValue:
        """The next row.

        Raises:
            QueryInvalid: The query took too long, or sorts too much.
        """
        while self._skip:
            self._skip -= 1
            next(self._found)
        if self._left == 0:
            raise StopIteration
        found = next(self._found)
        if self._left is not None:
            self._left -= 1
        self._last = found
        value = _project(found.document, self._query.fields) if self._query.fields else found.value
        return found.key, value

    def close(self) -> None:
        """Read no further."""
        close = getattr(self._found, "close", None)
        if close is not None:
            close()
        self._left = 0

    def bookmark_and_close(self) -> str:
        """Close, and say where the next page begins.

        As with CouchDB the last page has a bookmark too, and the page after it no rows.
        """
        self.close()
        if self._last is None:
            return NO_MORE
        raw = gojson.marshal(self._order.bookmark(self._last)).encode()
        return base64.urlsafe_b64encode(raw).decode()


class _Found:
    """A document that matches, and its place in the order."""

    __slots__ = ("document", "key", "place", "value")

    def __init__(self, key: str, value: bytes, document: dict[str, Any], place: bytes) -> None:
        self.key = key
        self.value = value
        self.document = document
        self.place = place


class _Order:
    """The order of the results: that of the index if the query is sorted, that of keys if not."""

    def __init__(self, query: Query, index: Index | None) -> None:
        self.index = index
        self.by_index = index is not None and query.is_sorted
        self.descending = query.descending

    def place(self, key: str, document: Any) -> bytes | None:
        """Where a document stands; None where the index has it not."""
        index = self.index
        if index is None or not (self.by_index or index.partial):
            return key.encode()
        found = index.key(document)
        if found is None:
            return None
        return found + key.encode() if self.by_index else key.encode()

    def bookmark(self, last: _Found) -> dict[str, Any]:
        """Say where a page ended."""
        if not self.by_index or self.index is None:
            return {"key": last.key}
        values = [lookup(last.document, path) for path in self.index.paths]
        return {"key": last.key, "sort": values}

    def after(self, bookmark: dict[str, Any] | None) -> bytes | None:
        """The place that a bookmark names."""
        if bookmark is None:
            return None
        values = bookmark.get("sort", []) if self.by_index else []
        key: str = bookmark["key"]
        return b"".join(map(sort_key, values)) + key.encode()


class _Search:
    """Finds what matches, from behind a place on."""

    def __init__(
        self,
        query: Query,
        order: _Order,
        after: bytes | None,
        wanted: int | None,
        deadline: float,
    ) -> None:
        self._query = query
        self._order = order
        self._after = after
        self._wanted = wanted
        self._deadline = deadline
        self._read = 0

    def through(self, rows_from: RowsFrom) -> Iterator[_Found]:
        """Read the rows."""
        if self._order.by_index or self._order.descending:
            yield from self._sorted(self._behind(self._matches(rows_from(""))))
            return
        start = "" if self._after is None else self._after.decode()
        yield from self._behind(self._matches(rows_from(start)))

    def by(self, entries: Entries, rows_from: RowsFrom) -> Iterator[_Found]:
        """Read what an index names."""
        keys = self._in_order(entries)
        if keys is None:
            yield from self.through(rows_from)
            return
        rows = ((key, entries.value(key)) for key in keys)
        yield from self._behind(
            self._matches((key, value) for key, value in rows if value is not None)
        )

    def _in_order(self, entries: Entries) -> Iterable[str] | None:
        """Keys that can match, from behind the place on; None where reading all rows is better."""
        if self._order.index is None:
            return None
        part = self._order.index.range(self._query.conditions)
        descending = self._order.descending
        lower, upper = part.lower, part.upper
        prefix = b"" if self._order.by_index else part.fixed
        if prefix is not None:
            if self._after is not None and descending:
                upper = min(upper, prefix + self._after)
            elif self._after is not None:
                lower = max(lower, prefix + self._after)
            return (key for _, key in entries.scan(lower, upper, reverse=descending))
        found = (key for _, key in entries.scan(lower, upper, reverse=False))
        if self._wanted is None:
            return sorted(filter(self._is_behind, found), reverse=descending)
        keys = list(islice(found, MAX_SCATTERED + 1))
        if len(keys) > MAX_SCATTERED:
            return None
        return sorted(filter(self._is_behind, keys), reverse=descending)

    def _is_behind(self, key: str) -> bool:
        place = key.encode()
        if self._after is None:
            return True
        return place < self._after if self._order.descending else place > self._after

    def _behind(self, found: Iterable[_Found]) -> Iterator[_Found]:
        after = self._after
        if after is None:
            return iter(found)
        if self._order.descending:
            return (one for one in found if one.place < after)
        return (one for one in found if one.place > after)

    def _sorted(self, found: Iterable[_Found]) -> Iterable[_Found]:
        descending = self._order.descending
        if self._wanted is None:
            return sorted(_bounded(found), key=_place, reverse=descending)
        pick = heapq.nlargest if descending else heapq.nsmallest
        return pick(self._wanted, found, key=_place)

    def _matches(self, rows: Iterable[KeyValue]) -> Iterator[_Found]:
        for key, value in rows:
            if self._read % _CLOCK_ROWS == 0 and time.monotonic() > self._deadline:
                raise QueryInvalid(
                    f"the query has read {self._read} rows and takes too long; ask for less, or "
                    "read a range of keys"
                )
            self._read += 1
            document = parse_document(key, value)
            if document is None or not self._query.matches(document):
                continue
            place = self._order.place(key, document)
            if place is not None:
                yield _Found(key, value, document, place)


def _place(found: _Found) -> bytes:
    return found.place


def _bounded(found: Iterable[_Found]) -> Iterator[_Found]:
    left = MAX_SORTED_BYTES
    for one in found:
        left -= len(one.key) + len(one.value)
        if left < 0:
            raise QueryInvalid(
                f"the query would sort more than {MAX_SORTED_BYTES} bytes; give it a limit, or ask "
                "for pages"
            )
        yield one


def _project(document: dict[str, Any], fields: Sequence[str]) -> bytes:
    """Keep some fields, as Go would write them: sorted, compact."""
    kept: dict[str, Any] = {}
    for field in fields:
        path = tuple(field.split("."))
        value = lookup(document, path)
        if is_missing(value) or field == "_id":
            continue
        inner = kept
        for name in path[:-1]:
            step = inner.setdefault(name, {})
            inner = step if isinstance(step, dict) else {}
        inner[path[-1]] = value
    return gojson.marshal(kept).encode()


def _read_bookmark(bookmark: str) -> dict[str, Any] | None:
    if not bookmark or bookmark == NO_MORE:
        return None
    try:
        raw = base64.urlsafe_b64decode(bookmark.encode())
        place = gojson.plain(gojson.read(raw), number_of)
    except (ValueError, InputError) as error:
        raise QueryInvalid(f"the bookmark {bookmark[:80]!r} is none of ours") from error
    right = isinstance(place, dict) and isinstance(place.get("sort", []), list)
    if not right or not isinstance(place.get("key"), str):
        raise QueryInvalid(f"the bookmark {bookmark[:80]!r} is none of ours")
    return dict(place)
