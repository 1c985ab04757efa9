# SPDX-License-Identifier: Apache-2.0
"""What a simulation's queries return, and what they leave in its read-write set."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Self

from fastledger import _core
from fastledger.ledger.rangequery import RangeResults
from fastledger.ledger.richquery import QueryRows
from fastledger.protos.ledger.rwset.kvrwset import kv_rwset_pb2 as kvrwset

if TYPE_CHECKING:
    from fastledger.protos.ledger.queryresult.kv_query_result_pb2 import KeyModification

KeyValue = tuple[str, bytes]


class RangeScan:
    """A range of public keys; what was read of it becomes a range query info."""

    def __init__(
        self, rows: Iterator[tuple[str, str, bytes, _core.VersionedValue]], start: str, end: str
    ) -> None:
        """Begin before the first row."""
        self._rows = rows
        self._end = end
        self._results = RangeResults()
        self._left: int | None = None
        self.info = kvrwset.RangeQueryInfo(start_key=start)

    def limit(self, page_size: int) -> Self:
        """Stop after a page; without a positive size never."""
        self._left = page_size if page_size > 0 else None
        return self

    def __iter__(self) -> Self:
        """Itself."""
        return self

    def __next__(self) -> KeyValue:
        """The next key and value."""
        found = next(self._rows, None) if self._left is None or self._left > 0 else None
        if found is None:
            self.info.itr_exhausted = True
            self.info.end_key = self._end
            raise StopIteration
        if self._left is not None:
            self._left -= 1
        key = found[2].decode()
        self._results.add(key, found[3].version)
        self.info.end_key = key
        return key, found[3].value

    def bookmark_and_close(self) -> str:
        """Name the first key behind the page; empty when there is none."""
        found = next(self._rows, None)
        self.close()
        return found[2].decode() if found else ""

    def close(self) -> None:
        """Let go of the rows."""
        self._rows = iter(())

    def finish(self) -> kvrwset.RangeQueryInfo:
        """Say what was read."""
        self._results.fill(self.info)
        return self.info


class QueryScan:
    """A rich query's rows; each one read stands in the read set."""

    def __init__(self, rows: QueryRows, record: Callable[[str], object]) -> None:
        """Begin before the first row."""
        self._rows = rows
        self._record = record

    def __iter__(self) -> Self:
        """Itself."""
        return self

    def __next__(self) -> KeyValue:
        """The next key and value."""
        key, value = next(self._rows)
        self._record(key)
        return key, value

    def bookmark_and_close(self) -> str:
        """Say where the next page begins."""
        return self._rows.bookmark_and_close()

    def close(self) -> None:
        """Let go of the rows."""
        self._rows.close()


class PlainScan:
    """Rows that the read-write set does not mention."""

    def __init__(self, rows: Iterator[KeyValue] | QueryRows) -> None:
        """Begin before the first row."""
        self._rows = rows

    def __iter__(self) -> Self:
        """Itself."""
        return self

    def __next__(self) -> KeyValue:
        """The next key and value."""
        return next(self._rows)

    def close(self) -> None:
        """Let go of the rows."""
        self._rows = iter(())


class HistoryScan:
    """The valid writes of a key, newest first."""

    def __init__(self, rows: "Iterator[KeyModification]") -> None:
        """Begin before the first row."""
        self._rows = rows

    def __iter__(self) -> Self:
        """Itself."""
        return self

    def __next__(self) -> "KeyModification":
        """The next modification."""
        return next(self._rows)

    def close(self) -> None:
        """Let go of the rows."""
        self._rows = iter(())
