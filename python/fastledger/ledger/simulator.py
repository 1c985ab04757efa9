# SPDX-License-Identifier: Apache-2.0
"""Simulates a transaction: reads the committed state, keeps writes to itself, says what it did.

Fabric: ``txmgr/tx_simulator.go`` and ``query_executor.go``. All reads are as of one height,
whatever is committed meanwhile, and none sees a write of the transaction itself.
"""

from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING

from fastledger import _core
from fastledger.common.errors import FastledgerError, LedgerCorrupted
from fastledger.ledger import richquery
from fastledger.ledger.rwset import ReadWriteSet, Version, key_hash, metadata_entries
from fastledger.ledger.scans import HistoryScan, PlainScan, QueryScan, RangeScan

if TYPE_CHECKING:
    from fastledger.ledger.pvtdata import PrivateDataStore
    from fastledger.ledger.queryindexes import QueryIndexes
    from fastledger.protos.ledger.queryresult.kv_query_result_pb2 import KeyModification


class SimulationError(FastledgerError):
    """A transaction asked for what a simulation cannot do; the text is Fabric's."""


Collections = Callable[["TxSimulator", str], "set[str] | None"]
"""Names of a chaincode's collections, None when it defines none; it may read the simulation."""


class TxSimulator:
    """One transaction on one channel; ``results`` ends it, ``done`` lets go of the state."""

    def __init__(
        self,
        view: _core.StateView,
        tx_id: str,
        *,
        private: "PrivateDataStore | None" = None,
        collections: Collections | None = None,
        history: "Callable[[str, str], Iterator[KeyModification]] | None" = None,
        indexes: "QueryIndexes | None" = None,
    ) -> None:
        """Simulate on a view of the state, which is closed with the simulation.

        Args:
            view: The state to read.
            tx_id: The transaction's id, for error texts.
            private: Where private values are kept; None where the peer keeps none.
            collections: Which collections a chaincode has; None to check no names.
            history: Reads a key's history; None where it is not kept.
            indexes: Those of public state; None for none.
        """
        self._view = view
        self._tx_id = tx_id
        self._private = private
        self._collections = collections
        self._history = history
        self._indexes = indexes
        self._set = ReadWriteSet()
        self._ranges: list[tuple[str, RangeScan]] = []
        self._checked: dict[str, set[str]] = {}
        self._done = self._wrote = self._private_query = self._paged = False
        self.written_metadata: dict[tuple[str, str, str], Mapping[str, bytes]] = {}
        """Committed metadata of the keys that are written, by namespace, collection, key."""
        self.private_reads: set[tuple[str, str]] = set()
        """Namespaces and collections of which values were read."""

    @property
    def height(self) -> int:
        """Blocks whose effects the simulation sees."""
        return self._view.height

    @property
    def view(self) -> _core.StateView:
        """The state that the simulation sees, to be read without a trace."""
        return self._view

    # Public state.

    def get_state(self, ns: str, key: str) -> bytes | None:
        """Read a key; None when it does not exist."""
        found = self._read(ns, key)
        return None if found is None else found.value

    def get_metadata(self, ns: str, key: str) -> Mapping[str, bytes]:
        """Read a key's metadata."""
        found = self._read(ns, key)
        return {} if found is None else metadata_entries(found.metadata)

    def set_state(self, ns: str, key: str, value: bytes) -> None:
        """Write a key."""
        self._check_write()
        self._set.write(ns, key, value)
        self._note_metadata(ns, key)

    def delete_state(self, ns: str, key: str) -> None:
        """Delete a key."""
        self.set_state(ns, key, b"")

    def set_metadata(self, ns: str, key: str, metadata: Mapping[str, bytes]) -> None:
        """Replace a key's metadata."""
        self._check_write()
        self._set.write_metadata(ns, key, metadata)
        self._note_metadata(ns, key)

    def get_range(self, ns: str, start: str, end: str) -> RangeScan:
        """Read keys from ``start`` up to ``end``, an empty one meaning no bound."""
        self._check_open()
        scan = RangeScan(self._view.range(ns, start, end), start, end)
        self._ranges.append((ns, scan))
        return scan

    def get_range_page(self, ns: str, start: str, end: str, page_size: int) -> RangeScan:
        """Read a page of a range, in a transaction that writes nothing."""
        self._begin_page()
        return self.get_range(ns, start, end).limit(page_size)

    def query(self, ns: str, query: str, page_size: int = 0, bookmark: str = "") -> QueryScan:
        """Run a rich query; the rows that are read stand in the read set, phantoms do not."""
        if page_size or bookmark:
            self._begin_page()
        self._check_open()

        def rows_from(start: str) -> Iterator[tuple[str, bytes]]:
            for _, _, key, found in self._view.range(ns, start, ""):
                yield key.decode(), found.value

        def entries_of(index: richquery.Index) -> richquery.Entries | None:
            return self._indexes.entries(self._view, ns, index) if self._indexes else None

        try:
            rows = richquery.execute(
                query,
                rows_from,
                indexes=self._indexes.indexes(ns) if self._indexes else (),
                entries_of=entries_of,
                page_size=page_size,
                bookmark=bookmark,
            )
        except richquery.QueryInvalid as error:
            raise SimulationError(str(error)) from error
        return QueryScan(rows, lambda key: self._read(ns, key))

    def history(self, ns: str, key: str) -> HistoryScan:
        """Read the valid writes of a key, newest first."""
        self._check_open()
        if self._history is None:
            raise SimulationError("history database is not enabled")
        return HistoryScan(self._history(ns, key))

    # Private data.

    def get_private_data(self, ns: str, coll: str, key: str) -> bytes | None:
        """Read a private value; the peer must have the one that the channel agreed on."""
        self._check_collection(ns, coll)
        hashed = self._view.get_hash(ns, coll, key_hash(key))
        public = None if hashed is None else hashed.version
        found = self._private.get(ns, coll, key) if self._private else None
        private = None if found is None else found[1]
        if public != private:
            raise SimulationError(
                "private data matching public hash version is not available. "
                f"Public hash version = {_height(public)}, "
                f"Private data version = {_height(private)}"
            )
        if hashed is not None and found is not None:
            _check_value(ns, coll, key.encode(), found[0], hashed.value)
        self._set.read_hash(ns, coll, key, public)
        self.private_reads.add((ns, coll))
        return None if found is None else found[0]

    def get_private_data_hash(self, ns: str, coll: str, key: str) -> bytes | None:
        """Read a private value's hash."""
        found = self._read_hash(ns, coll, key)
        return None if found is None else found.value

    def get_private_metadata(self, ns: str, coll: str, key: str) -> Mapping[str, bytes]:
        """Read a private key's metadata."""
        found = self._read_hash(ns, coll, key)
        return {} if found is None else metadata_entries(found.metadata)

    def set_private_data(self, ns: str, coll: str, key: str, value: bytes) -> None:
        """Write a private key."""
        self._write_private(ns, coll, key)
        self._set.write_private(ns, coll, key, value)

    def delete_private_data(self, ns: str, coll: str, key: str) -> None:
        """Delete a private key."""
        self.set_private_data(ns, coll, key, b"")

    def purge_private_data(self, ns: str, coll: str, key: str) -> None:
        """Delete a private key and what was kept of it."""
        self._write_private(ns, coll, key)
        self._set.write_private(ns, coll, key, b"", is_purge=True)

    def set_private_metadata(
        self, ns: str, coll: str, key: str, metadata: Mapping[str, bytes]
    ) -> None:
        """Replace a private key's metadata."""
        self._write_private(ns, coll, key)
        self._set.write_private_metadata(ns, coll, key, metadata)

    def get_private_range(self, ns: str, coll: str, start: str, end: str) -> PlainScan:
        """Read a range of a collection, in a transaction that writes nothing."""
        self._begin_private_query()
        self._check_collection(ns, coll)
        if self._private is None:
            return PlainScan(iter(()))
        return PlainScan(self._private.range(ns, coll, start, end, self._holds(ns, coll)))

    def query_private(self, ns: str, coll: str, query: str) -> PlainScan:
        """Run a rich query over a collection, in a transaction that writes nothing."""
        self._begin_private_query()
        self._check_collection(ns, coll)
        store = self._private
        holds = self._holds(ns, coll)

        def rows_from(start: str) -> Iterator[tuple[str, bytes]]:
            return store.range(ns, coll, start, "", holds) if store else iter(())

        def entries_of(index: richquery.Index) -> richquery.Entries | None:
            return store.entries(ns, coll, index, holds) if store else None

        indexes = store.indexes(ns, coll) if store else ()
        try:
            rows = richquery.execute(query, rows_from, indexes=indexes, entries_of=entries_of)
            return PlainScan(rows)
        except richquery.QueryInvalid as error:
            raise SimulationError(str(error)) from error

    # The end.

    def results(self) -> tuple[bytes, bytes | None]:
        """Encode what was read and written: the public set, and the private one if any."""
        for ns, scan in self._ranges:
            self._set.add_range(ns, scan.finish())
        self._ranges.clear()
        return self._set.build()

    def namespaces(self) -> list[str]:
        """Namespaces that were read or written."""
        return list(self._set.namespaces())

    def done(self) -> None:
        """Let go of the state; harmless when repeated."""
        if not self._done:
            self._done = True
            self._view.close()

    def _read(self, ns: str, key: str) -> _core.VersionedValue | None:
        self._check_open()
        found = self._view.get(ns, key)
        self._set.read(ns, key, None if found is None else found.version)
        return found

    def _read_hash(self, ns: str, coll: str, key: str) -> _core.VersionedValue | None:
        self._check_collection(ns, coll)
        found = self._view.get_hash(ns, coll, key_hash(key))
        self._set.read_hash(ns, coll, key, None if found is None else found.version)
        return found

    def _note_metadata(self, ns: str, key: str) -> None:
        found = self._view.get(ns, key)
        entries = metadata_entries(found.metadata) if found and found.metadata else {}
        self.written_metadata[ns, "", key] = entries

    def _holds(self, ns: str, coll: str) -> Callable[[bytes, bytes, Version], None]:
        """What holds the values of a collection against their hashes.

        The store of private values may be behind the simulation's height, or ahead of it. A value
        then is of another version, which is not this simulation's to judge.
        """
        behind = self._private is not None and self._private.height < self._view.height

        def check(key: bytes, value: bytes, version: Version) -> None:
            hashed = self._view.get_hash(ns, coll, sha256(key).digest())
            same = hashed is not None and hashed.version == version
            if hashed is not None and same:
                _check_value(ns, coll, key, value, hashed.value)
            elif not behind and version[0] < self._view.height:
                raise _damaged(ns, coll, key)

        return check

    def _write_private(self, ns: str, coll: str, key: str) -> None:
        self._check_collection(ns, coll)
        self._check_write()
        found = self._view.get_hash(ns, coll, key_hash(key))
        entries = metadata_entries(found.metadata) if found and found.metadata else {}
        self.written_metadata[ns, coll, key] = entries

    def _check_open(self) -> None:
        if self._done:
            raise SimulationError("this instance should not be used after calling Done()")

    def _check_write(self) -> None:
        self._check_open()
        if self._private_query:
            raise SimulationError(
                f"txid [{self._tx_id}]: unsuppored transaction. Transaction has already performed "
                "queries on pvt data. Writes are not allowed"
            )
        if self._paged:
            raise SimulationError(
                f"txid [{self._tx_id}]: unsuppored transaction. Transaction has already performed "
                "a paginated query. Writes are not allowed"
            )
        self._wrote = True

    def _begin_private_query(self) -> None:
        if self._wrote:
            raise SimulationError(
                f"txid [{self._tx_id}]: unsuppored transaction. Queries on pvt data is supported "
                "only in a read-only transaction"
            )
        self._private_query = True

    def _begin_page(self) -> None:
        if self._wrote:
            raise SimulationError(
                f"txid [{self._tx_id}]: unsuppored transaction. Paginated queries are supported "
                "only in a read-only transaction"
            )
        self._paged = True

    def _check_collection(self, ns: str, coll: str) -> None:
        self._check_open()
        if self._collections is None:
            return
        known = self._checked.get(ns)
        if known is None:
            found = self._collections(self, ns)
            if found is None:
                raise SimulationError(
                    f"collection config not defined for chaincode [{ns}], pass the collection "
                    "configuration upon chaincode definition/instantiation"
                )
            known = self._checked[ns] = found
        if coll not in known:
            raise SimulationError(
                f"collection [{coll}] not defined in the collection config for chaincode [{ns}]"
            )


def _check_value(ns: str, coll: str, key: bytes, value: bytes, value_hash: bytes) -> None:
    if sha256(value).digest() != value_hash:
        raise _damaged(ns, coll, key)


def _damaged(ns: str, coll: str, key: bytes) -> LedgerCorrupted:
    return LedgerCorrupted(
        f"the private value of key {key.decode('utf-8', 'replace')!r} in collection {coll} of {ns} "
        "is damaged on this peer: it does not have the hash that the channel agreed on"
    )


def _height(version: Version | None) -> str:
    return "<nil>" if version is None else f"{{BlockNum: {version[0]}, TxNum: {version[1]}}}"
