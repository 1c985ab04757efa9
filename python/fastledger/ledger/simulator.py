# SPDX-License-Identifier: Apache-2.0
"""Simulates a transaction: reads the committed state, keeps writes to itself, says what it did.

Fabric: ``txmgr/tx_simulator.go`` and ``query_executor.go``. All reads are as of one height,
whatever is committed meanwhile, and none sees a write of the transaction itself. The core simulates
public state and keeps the read-write set; here are private values, rich queries and history.
"""

from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING

from fastledger import _core
from fastledger.common.errors import LedgerCorrupted, SimulationError
from fastledger.ledger import richquery
from fastledger.ledger.rwset import Version, key_hash, metadata_entries
from fastledger.ledger.scans import HistoryScan, PlainScan, QueryScan

if TYPE_CHECKING:
    from fastledger.ledger.pvtdata import PrivateDataStore
    from fastledger.ledger.queryindexes import QueryIndexes
    from fastledger.protos.ledger.queryresult.kv_query_result_pb2 import KeyModification


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
        self.core = _core.Simulation(view, tx_id)
        """What a chaincode's stream reads and writes without Python."""
        self._private = private
        self._collections = collections
        self._history = history
        self._indexes = indexes
        self._checked: dict[str, set[str]] = {}
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
        found = self.core.get(ns, key)
        return None if found is None else found.value

    def set_state(self, ns: str, key: str, value: bytes) -> None:
        """Write a key."""
        self.core.put(ns, key, value)

    def delete_state(self, ns: str, key: str) -> None:
        """Delete a key."""
        self.core.put(ns, key, b"")

    def set_metadata(self, ns: str, key: str, metadata: Mapping[str, bytes]) -> None:
        """Replace a key's metadata."""
        self.core.put_metadata(ns, key, metadata)

    def get_range(self, ns: str, start: str, end: str) -> _core.RangeScan:
        """Read keys from ``start`` up to ``end``, an empty one meaning no bound."""
        return self.core.range(ns, start, end)

    def query(self, ns: str, query: str, page_size: int = 0, bookmark: str = "") -> QueryScan:
        """Run a rich query; the rows that are read stand in the read set, phantoms do not."""
        if page_size or bookmark:
            self.core.begin_page()
        self.core.check_open()

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
        return QueryScan(rows, lambda key: self.core.get(ns, key))

    def history(self, ns: str, key: str) -> HistoryScan:
        """Read the valid writes of a key, newest first."""
        self.core.check_open()
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
        self.core.read_hash(ns, coll, key, public)
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
        self._check_collection(ns, coll)
        self.core.put_private(ns, coll, key, value)

    def delete_private_data(self, ns: str, coll: str, key: str) -> None:
        """Delete a private key."""
        self.set_private_data(ns, coll, key, b"")

    def purge_private_data(self, ns: str, coll: str, key: str) -> None:
        """Delete a private key and what was kept of it."""
        self._check_collection(ns, coll)
        self.core.put_private(ns, coll, key, b"", is_purge=True)

    def set_private_metadata(
        self, ns: str, coll: str, key: str, metadata: Mapping[str, bytes]
    ) -> None:
        """Replace a private key's metadata."""
        self._check_collection(ns, coll)
        self.core.put_private_metadata(ns, coll, key, metadata)

    def get_private_range(self, ns: str, coll: str, start: str, end: str) -> PlainScan:
        """Read a range of a collection, in a transaction that writes nothing."""
        self.core.begin_private_query()
        self._check_collection(ns, coll)
        if self._private is None:
            return PlainScan(iter(()))
        return PlainScan(self._private.range(ns, coll, start, end, self._holds(ns, coll)))

    def query_private(self, ns: str, coll: str, query: str) -> PlainScan:
        """Run a rich query over a collection, in a transaction that writes nothing."""
        self.core.begin_private_query()
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
        return self.core.results()

    def namespaces(self) -> list[str]:
        """Namespaces that were read or written."""
        return self.core.namespaces()

    def written_metadata(self) -> Iterator[tuple[str, str, Mapping[str, bytes]]]:
        """Yield namespace, collection and committed metadata of the keys that are written."""
        for ns, coll, _, metadata in self.core.written():
            yield ns, coll, metadata_entries(metadata)

    def done(self) -> None:
        """Let go of the state, and of what was read and written; harmless when repeated."""
        self.core.done()
        self._view.close()

    def _read_hash(self, ns: str, coll: str, key: str) -> _core.VersionedValue | None:
        self._check_collection(ns, coll)
        found = self._view.get_hash(ns, coll, key_hash(key))
        self.core.read_hash(ns, coll, key, None if found is None else found.version)
        return found

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

    def _check_collection(self, ns: str, coll: str) -> None:
        self.core.check_open()
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
