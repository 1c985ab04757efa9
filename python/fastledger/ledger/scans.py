# SPDX-License-Identifier: Apache-2.0
"""What a simulation's queries return, and what they leave in its read-write set."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Self

from fastledger.ledger.richquery import QueryRows

if TYPE_CHECKING:
    from fastledger.protos.ledger.queryresult.kv_query_result_pb2 import KeyModification

KeyValue = tuple[str, bytes]


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
