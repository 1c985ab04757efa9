# SPDX-License-Identifier: Apache-2.0
"""What the handler asks of a transaction's simulation (Fabric: ``ledger.TxSimulator``).

A simulator serves one transaction on one channel, one call at a time, though not always on the
same thread: rich queries and history run on a worker. Reads see the state at the height where the
simulation began, never its own writes. What a caller did wrong is raised as an exception whose
text the chaincode gets to see.
"""

from collections.abc import Mapping
from typing import Protocol, Self, TypeVar

from fastledger.protos.ledger.queryresult.kv_query_result_pb2 import KeyModification

Row = TypeVar("Row", covariant=True)


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


KeyValue = tuple[str, bytes]


class TxSimulator(Protocol):
    """Reads and writes of one transaction. ``ns`` is a chaincode's name."""

    def get_state(self, ns: str, key: str) -> bytes | None:
        """Read a public key; None when it does not exist."""

    def set_state(self, ns: str, key: str, value: bytes) -> None:
        """Write a public key."""

    def delete_state(self, ns: str, key: str) -> None:
        """Delete a public key."""

    def get_range(self, ns: str, start: str, end: str) -> Results[KeyValue]:
        """Read keys from ``start`` up to but not including ``end``; empty means no bound.

        What is read becomes the read-write set's range query info.
        """

    def get_range_page(
        self, ns: str, start: str, end: str, page_size: int
    ) -> PagedResults[KeyValue]:
        """Read one page of a range; ``page_size`` 0 means as many as the ledger allows."""

    def get_metadata(self, ns: str, key: str) -> Mapping[str, bytes]:
        """Read a public key's metadata as committed; empty when there is none."""

    def set_metadata(self, ns: str, key: str, metadata: Mapping[str, bytes]) -> None:
        """Replace a public key's metadata."""

    def query(
        self, ns: str, query: str, page_size: int = 0, bookmark: str = ""
    ) -> PagedResults[KeyValue]:
        """Run a rich query over public keys; its rows are not validated at commit.

        Args:
            ns: Chaincode name.
            query: A Mango selector as JSON text.
            page_size: Rows of one page; negative for a page of all that the ledger allows, 0 for
                all without pages.
            bookmark: Where the previous page ended; empty for the first.
        """

    def history(self, ns: str, key: str) -> Results[KeyModification]:
        """Read the valid writes of a public key, newest first.

        Raises:
            Exception: "history database is not enabled", where it is not kept.
        """

    def get_private_data(self, ns: str, coll: str, key: str) -> bytes | None:
        """Read a key of a collection."""

    def get_private_data_hash(self, ns: str, coll: str, key: str) -> bytes | None:
        """Read the SHA-256 of a private value, which every peer of the channel has."""

    def set_private_data(self, ns: str, coll: str, key: str, value: bytes) -> None:
        """Write a key of a collection."""

    def delete_private_data(self, ns: str, coll: str, key: str) -> None:
        """Delete a key of a collection."""

    def purge_private_data(self, ns: str, coll: str, key: str) -> None:
        """Delete a key of a collection, and its history from every peer's stores."""

    def get_private_range(self, ns: str, coll: str, start: str, end: str) -> Results[KeyValue]:
        """Read a range of a collection; not validated at commit."""

    def get_private_metadata(self, ns: str, coll: str, key: str) -> Mapping[str, bytes]:
        """Read a private key's metadata as committed."""

    def set_private_metadata(
        self, ns: str, coll: str, key: str, metadata: Mapping[str, bytes]
    ) -> None:
        """Replace a private key's metadata."""

    def query_private(self, ns: str, coll: str, query: str) -> Results[KeyValue]:
        """Run a rich query over a collection."""

    def results(self) -> tuple[bytes, bytes | None]:
        """End the simulation: ``rwset.TxReadWriteSet``, and ``rwset.TxPvtReadWriteSet`` if any."""

    def done(self) -> None:
        """Let go of the state; harmless when repeated."""
