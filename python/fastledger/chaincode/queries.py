# SPDX-License-Identifier: Apache-2.0
"""A transaction's open queries, and the pages in which their rows travel.

A query that is not paged sends 100 rows a message and knows one row ahead whether there are more,
as Fabric's ``QueryResponseGenerator`` does. What is read becomes part of the read-write set, so
the row ahead is not a detail: the peers that endorse have to read equally far.
"""

import threading
import uuid
from dataclasses import dataclass, field
from typing import Protocol, Self, TypeVar, cast

from fastledger.chaincode.config import MAX_OPEN_ITERATORS, PAGE_ROWS
from fastledger.protos.ledger.queryresult.kv_query_result_pb2 import KV, KeyModification
from fastledger.protos.peer.chaincode_shim_pb2 import (
    QueryResponse,
    QueryResponseMetadata,
    QueryResultBytes,
)

Row = TypeVar("Row", covariant=True)

KeyValue = tuple[str, bytes]


class Results(Protocol[Row]):
    """Rows of a query; reading one records it where the query is validated at commit."""

    def __iter__(self) -> Self:
        """Itself."""

    def __next__(self) -> Row:
        """The next row."""

    def close(self) -> None:
        """Let go of what the query holds; harmless when repeated."""


class PagedResults(Results[Row], Protocol[Row]):
    """At most one page of rows (Fabric: ``QueryResultsIterator``)."""

    def bookmark_and_close(self) -> str:
        """Close, and say where the next page begins: empty after the last page.

        For a range it is the first key not read; for a rich query it means what the query engine
        says.
        """


AnyRow = KeyValue | KeyModification


@dataclass(slots=True, eq=False)
class Query:
    """One open query."""

    rows: Results[AnyRow]
    namespace: str
    limit: int
    """Rows that may be returned in all."""

    paged: bool = False
    slow: bool = False
    """Whether reading a row may take long: a rich query, or history."""

    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    returned: int = 0
    pending: list[QueryResultBytes] = field(default_factory=list)

    def encode(self, row: AnyRow) -> QueryResultBytes:
        """Encode a row as ``queryresult.KV`` or ``KeyModification``."""
        if isinstance(row, KeyModification):
            return QueryResultBytes(resultBytes=row.SerializeToString())
        key, value = row
        kv = KV(namespace=self.namespace, key=key, value=value)
        return QueryResultBytes(resultBytes=kv.SerializeToString())


class OpenQueries:
    """The queries of one transaction.

    A worker may be inside a slow query's next row when the transaction ends on the loop. The loop
    never waits for it: whoever holds the lock last closes.
    """

    __slots__ = ("_closed", "_lock", "_queries")

    def __init__(self) -> None:
        """Start with none."""
        self._queries: dict[str, Query] = {}
        self._lock = threading.Lock()
        self._closed = False

    def open(self, query: Query) -> QueryResponse:
        """Register a query and answer with its first rows."""
        if len(self._queries) >= MAX_OPEN_ITERATORS:
            query.rows.close()
            raise ValueError(
                f"{MAX_OPEN_ITERATORS} queries are open in this transaction; close some"
            )
        self._queries[query.id] = query
        return self._next_page(query)

    def find(self, query_id: str) -> Query | None:
        """Look an open query up."""
        return self._queries.get(query_id)

    def next(self, query_id: str) -> QueryResponse:
        """Answer with the next rows of a query."""
        query = self._queries.get(query_id)
        if query is None:
            raise ValueError("query iterator not found")
        return self._next_page(query)

    def forget(self, query_id: str) -> None:
        """Close a query; harmless when it is unknown."""
        query = self._queries.pop(query_id, None)
        if query is not None:
            query.rows.close()

    def close(self) -> None:
        """Close them all, and any that is opened later."""
        self._closed = True
        self._close_if_idle()

    def _close_if_idle(self) -> None:
        if self._lock.acquire(blocking=False):
            try:
                while self._queries:
                    self._queries.popitem()[1].rows.close()
            finally:
                self._lock.release()

    def _next_page(self, query: Query) -> QueryResponse:
        try:
            with self._lock:
                return self._read_page(query)
        except BaseException:
            self.forget(query.id)
            raise
        finally:
            if self._closed:
                self._close_if_idle()

    def _read_page(self, query: Query) -> QueryResponse:
        while query.returned < query.limit:
            if self._closed:
                raise ValueError("the transaction has ended")
            row = next(query.rows, None)
            if row is None:
                break
            encoded = query.encode(row)
            query.returned += 1
            if not query.paged and len(query.pending) == PAGE_ROWS:
                page, query.pending = query.pending, [encoded]
                return QueryResponse(results=page, has_more=True, id=query.id)
            query.pending.append(encoded)
        return self._last_page(query)

    def _last_page(self, query: Query) -> QueryResponse:
        response = QueryResponse(results=query.pending, id=query.id)
        if query.paged:
            rows = cast(PagedResults[AnyRow], query.rows)
            response.metadata = QueryResponseMetadata(
                fetched_records_count=query.returned, bookmark=rows.bookmark_and_close()
            ).SerializeToString()
        self.forget(query.id)
        return response
