# SPDX-License-Identifier: Apache-2.0
"""Runs a query over keys and values.

Unsorted results come in the order of keys and are read as they are asked for. Sorted ones are read
to the end first; a page keeps no more rows than it has. A bookmark says where a page ended, not how
many rows it had, so what is committed between two pages shifts no other row.
"""

import base64
import heapq
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Self

from fastledger.ledger.richquery.collation import sort_key
from fastledger.ledger.richquery.indexes import Index, index_for
from fastledger.ledger.richquery.query import Query, QueryInvalid, SortField, parse
from fastledger.ledger.richquery.selector import is_missing, lookup

TIME_LIMIT_S = 30.0
"""How long one query may read: as long as a transaction may take."""

MAX_SORTED_BYTES = 256 * 1024 * 1024
"""Rows that a sort without pages may hold."""

NO_MORE = "nil"
"""CouchDB's bookmark of a page without rows."""

_CLOCK_ROWS = 256
"""Rows between two looks at the clock."""

KeyValue = tuple[str, bytes]
RowsFrom = Callable[[str], Iterable[KeyValue]]
"""Rows in the order of keys, from a key on; an empty key means all."""


def execute(
    text: str,
    rows_from: RowsFrom,
    *,
    indexes: Sequence[Index] = (),
    page_size: int = 0,
    bookmark: str = "",
    time_limit_s: float = TIME_LIMIT_S,
) -> "QueryRows":
    """Start a query.

    Args:
        text: The query as JSON.
        rows_from: The state to look through.
        indexes: Those of the chaincode, or of the collection.
        page_size: Rows of a page, instead of the query's limit; 0 for the query's limit.
        bookmark: Where the previous page ended.
        time_limit_s: How long it may take.

    Raises:
        QueryInvalid: The query or the bookmark cannot be used, or no index allows the sort.
    """
    query = parse(text)
    index = index_for(query, indexes)
    after = _read_bookmark(bookmark)
    limit = page_size or query.limit
    scan = _Scan(query, index, rows_from, time.monotonic() + time_limit_s)
    if query.sort:
        found = scan.sorted(after, limit)
    else:
        found = scan.unsorted(str(after["key"]) if after else None)
    return QueryRows(query, found, limit=limit, skip=0 if after else query.skip)


class QueryRows:
    """The results, row by row; keys with documents, or with the fields that are asked for."""

    def __init__(
        self, query: Query, found: Iterator["_Found"], *, limit: int | None, skip: int
    ) -> None:
        """Made by :func:`execute`."""
        self._query = query
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
        place: dict[str, Any] = {"key": self._last.key}
        if self._query.sort:
            place["sort"] = self._last.values
        raw = json.dumps(place, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(raw).decode()


class _Found:
    """A document that matches."""

    __slots__ = ("document", "key", "value", "values")

    def __init__(
        self, key: str, value: bytes, document: dict[str, Any], sort: Sequence[SortField]
    ) -> None:
        self.key = key
        self.value = value
        self.document = document
        self.values = [lookup(document, field.path) for field in sort]

    def order(self) -> tuple[Any, ...]:
        return _order(self.values, self.key)


class _Scan:
    """Reads rows and keeps those that match."""

    def __init__(
        self, query: Query, index: Index | None, rows_from: RowsFrom, deadline: float
    ) -> None:
        self._query = query
        self._index = index
        self._rows_from = rows_from
        self._deadline = deadline

    def unsorted(self, after: str | None) -> Iterator[_Found]:
        """Matches in the order of keys, from behind a key on."""
        for found in self._matches(after or ""):
            if found.key != after:
                yield found

    def sorted(self, after: dict[str, Any] | None, limit: int | None) -> Iterator[_Found]:
        """Matches in the query's order, from behind a bookmark on."""
        descending = self._query.sort[0].descending
        found: Iterable[_Found] = self._matches("")
        if after is not None:
            place = _order(after.get("sort", []), after["key"])
            found = (f for f in found if (f.order() < place if descending else f.order() > place))
        if limit is not None:
            choose = heapq.nlargest if descending else heapq.nsmallest
            skip = 0 if after else self._query.skip
            yield from choose(limit + skip, found, key=_Found.order)
            return
        yield from sorted(_bounded(found), key=_Found.order, reverse=descending)

    def _matches(self, start: str) -> Iterator[_Found]:
        for count, (key, value) in enumerate(self._rows_from(start)):
            if count % _CLOCK_ROWS == 0 and time.monotonic() > self._deadline:
                raise QueryInvalid(
                    f"the query has read {count} rows and takes too long; ask for less, or read a "
                    "range of keys"
                )
            document = _document(key, value)
            if document is None or not self._query.matches(document):
                continue
            if self._index is None or self._index.has(document):
                yield _Found(key, value, document, self._query.sort)


def _document(key: str, value: bytes) -> dict[str, Any] | None:
    """The document under a key, with its ``_id``; None for what is no JSON object."""
    if value.lstrip()[:1] != b"{":
        return None
    try:
        document = json.loads(value, parse_constant=_no_json)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    document["_id"] = key
    return document


def _no_json(name: str) -> None:
    """Refuse NaN and Infinity, which Python reads but no JSON has."""
    raise ValueError(name)


def _order(values: Sequence[Any], key: str) -> tuple[Any, ...]:
    return (*(() if is_missing(value) else sort_key(value) for value in values), key)


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
    text = json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    for character, escape in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):
        text = text.replace(character, escape)
    # Half of a surrogate pair cannot be encoded; Go replaces it, too.
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _read_bookmark(bookmark: str) -> dict[str, Any] | None:
    if not bookmark or bookmark == NO_MORE:
        return None
    try:
        place = json.loads(base64.urlsafe_b64decode(bookmark.encode()))
    except (ValueError, RecursionError) as error:
        raise QueryInvalid(f"the bookmark {bookmark[:80]!r} is none of ours") from error
    sort = place.get("sort", []) if isinstance(place, dict) else None
    if not isinstance(sort, list) or not isinstance(place.get("key"), str):
        raise QueryInvalid(f"the bookmark {bookmark[:80]!r} is none of ours")
    return dict(place)
