# SPDX-License-Identifier: Apache-2.0
"""Results of queries, fetched page by page while they are iterated."""

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

from google.protobuf.message import Message

from fastledger.protos.peer.chaincode_shim_pb2 import (
    ChaincodeMessage,
    QueryResponse,
    QueryResponseMetadata,
    QueryStateClose,
    QueryStateNext,
)

Row = TypeVar("Row", bound=Message)
Ask = Callable[["ChaincodeMessage.Type.ValueType", bytes], bytes]


class Results(Generic[Row]):
    """Iterates over rows; a ``with`` block closes it early.

    Example::

        with stub.get_state_by_range("a", "b") as rows:
            for row in rows:
                print(row.key, row.value)
    """

    def __init__(self, kind: type[Row], payload: bytes, ask: Ask) -> None:
        """Begin with the peer's first answer."""
        self._kind = kind
        self._ask = ask
        self._response = QueryResponse.FromString(payload)
        self._position = 0

    @property
    def metadata(self) -> QueryResponseMetadata:
        """Of a page: ``fetched_records_count``, and the ``bookmark`` of the next page."""
        return QueryResponseMetadata.FromString(self._response.metadata)

    def has_next(self) -> bool:
        """Whether there is another row."""
        return self._position < len(self._response.results) or self._response.has_more

    def __iter__(self) -> Iterator[Row]:
        """Itself."""
        return self

    def __next__(self) -> Row:
        """The next row, asking the peer for the next page when this one is used up."""
        if self._position >= len(self._response.results):
            if not self._response.has_more:
                raise StopIteration
            payload = QueryStateNext(id=self._response.id).SerializeToString()
            answer = self._ask(ChaincodeMessage.QUERY_STATE_NEXT, payload)
            self._response = QueryResponse.FromString(answer)
            self._position = 0
            return next(self)
        row = self._kind.FromString(self._response.results[self._position].resultBytes)
        self._position += 1
        return row

    def close(self) -> None:
        """Let the peer forget the query; needed only when rows are left."""
        if self._response.has_more:
            payload = QueryStateClose(id=self._response.id).SerializeToString()
            self._ask(ChaincodeMessage.QUERY_STATE_CLOSE, payload)
        self._response = QueryResponse()
        self._position = 0

    def __enter__(self) -> Self:
        """Close at the end of the block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()
