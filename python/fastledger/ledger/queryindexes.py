# SPDX-License-Identifier: Apache-2.0
"""Indexes of public state: entries in a store beside the ledger that follow its blocks.

::

    <ledger>/indexes    LMDB; each space knows which blocks its entries follow

A thread of its own reads the blocks that were committed and changes entries. So a block never waits
for an index, and after a crash the thread goes on where it was. A simulation sees the state at some
height and an index at another: keys that the blocks between write are looked up in the state, which
makes the results exactly those of the simulation's height.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from shutil import rmtree
from typing import Any

import lmdb

from fastledger import _core
from fastledger.common import log
from fastledger.common.errors import FastledgerError, LedgerCorrupted, LedgerIo
from fastledger.ledger.environment import open_environment
from fastledger.ledger.kvledger import Ledger
from fastledger.ledger.pvtdata import PrivateDataStore
from fastledger.ledger.results import endorsed_results
from fastledger.ledger.richquery import Entries, Index, IndexTables, Space, StoredEntries, tables
from fastledger.protos.ledger.rwset import rwset_pb2 as rwset
from fastledger.protos.ledger.rwset.kvrwset import kv_rwset_pb2 as kvrwset

FOLDER = "indexes"
"""In a ledger's folder."""

MAP_BYTES = 16 << 30
"""Address space of a store; it takes neither memory nor disk."""

MAX_READERS = 1024
"""Queries that may read entries at a time; what comes on top reads the state."""

MAX_LAG = 64
"""Blocks between a simulation and an index; with more the query reads the state."""

ROWS_AT_ONCE = 1000
"""Keys whose entries are changed in one transaction."""

Deployed = Callable[[], Iterable[tuple[str, Mapping[str, bytes]]]]
"""Chaincodes that are committed on the channel and installed here, with their index files."""

Writes = Mapping[str, Mapping[str, bytes | None]]
"""What a block left under the keys that it wrote, by chaincode; None for what it deleted."""

_COLLECTIONS = "/collections/"
_logger = log.get("statecouchdb")


class QueryIndexes:
    """The indexes of one channel."""

    def __init__(
        self, folder: Path, ledger: Ledger, private: PrivateDataStore, deployed: Deployed
    ) -> None:
        """Open the store of a ledger, or begin one.

        Args:
            folder: The ledger's.
            ledger: The ledger.
            private: Where collections are.
            deployed: Which indexes there have to be.

        Raises:
            LedgerIo: The folder cannot be used.
        """
        self._folder = folder / FOLDER
        self._ledger = ledger
        self._private = private
        self._deployed = deployed
        try:
            self._open()
        except LedgerCorrupted as error:
            _logger.warning("indexes of %s are made again: %s", ledger.channel_id, error)
            drop(folder)
            self._open()
        if any((space.height or 0) > ledger.height for space in self._spaces.values()):
            # The disk lost blocks that were not synced.
            self._env.close()
            drop(folder)
            self._open()
        self._written: OrderedDict[int, Mapping[str, frozenset[str]]] = OrderedDict()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping, self._look = threading.Event(), threading.Event()
        self._thread = threading.Thread(
            target=self._run, name=f"index-{ledger.channel_id}", daemon=True
        )

    def _open(self) -> None:
        try:
            self._env = open_environment(
                self._folder,
                map_bytes=MAP_BYTES,
                databases=tables.DATABASES,
                readers=MAX_READERS,
                sealed=tables.NAMES,
            )
            self._tables = IndexTables(self._env)
            with self._env.begin() as txn:
                found = self._tables.spaces(txn)
        except lmdb.Error as error:
            raise LedgerIo(f"{self._folder}: indexes cannot be opened: {error}") from error
        self._spaces = {ns: space for (ns, _), space in found.items()}

    # Growth.

    def start(self) -> None:
        """Bring the entries up to the ledger, and begin to follow it."""
        self.installed()
        self._thread.start()

    def stop(self) -> None:
        """Stop following and let go of the store."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        self._env.close()

    def committed(self) -> None:
        """Take note of a block."""
        if self._spaces:
            self._wake.set()

    def installed(self) -> None:
        """Take note that a package was installed."""
        self._look.set()
        self._wake.set()

    def deploy(self) -> None:
        """Define the indexes of committed and installed chaincodes; their entries come later.

        Fabric: ``cceventmgmt``, ``ProcessIndexesForChaincodeDeploy``.
        """
        try:
            for name, files in self._deployed():
                for coll, of_coll in _by_collection(files).items():
                    if coll:
                        self._private.define_indexes(name, coll, of_coll)
                    else:
                        self._define(name, of_coll)
        except (FastledgerError, OSError, lmdb.Error) as error:
            # The channel goes on without; queries read the state.
            _logger.error("error creating indexes on %s: %s", self._ledger.channel_id, error)
        self._wake.set()

    def _define(self, ns: str, files: Mapping[str, bytes]) -> None:
        with self._env.begin(write=True) as txn:
            space = self._tables.define(txn, ns, "", files)
            if space is not None:
                self._spaces[ns] = space

    # The thread.

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.wait()
            self._wake.clear()
            try:
                if self._look.is_set():
                    self._look.clear()
                    self.deploy()
                while not self._stopping.is_set() and self._work():
                    pass
            except (FastledgerError, lmdb.Error) as error:
                _logger.error("indexes of %s do not grow: %s", self._ledger.channel_id, error)

    def _work(self) -> bool:
        """Do some of what is to be done; False when there is nothing."""
        if self._follow() or self._private.make_entries():
            return True
        new = next((space for space in tuple(self._spaces.values()) if space.height is None), None)
        if new is None:
            return False
        self._make(new)
        return True

    def _follow(self) -> bool:
        height = self._ledger.height
        behind = [
            space.height
            for space in tuple(self._spaces.values())
            if space.height is not None and space.height < height
        ]
        if not behind:
            return False
        rows = 0
        with self._env.begin(write=True) as txn:
            followed = dict(self._spaces)
            for number in range(min(behind), height):
                rows += self._apply(txn, followed, number)
                if rows >= ROWS_AT_ONCE or self._stopping.is_set():
                    break
            for ns, space in followed.items():
                if space is not self._spaces[ns]:
                    self._spaces[ns] = self._tables.follow(txn, space, space.height or 0)
        return True

    def _apply(self, txn: Any, followed: dict[str, Space], number: int) -> int:
        """Change the entries of what a block wrote; return how many keys that were."""
        writes = self._read(number)
        rows = 0
        for ns, space in followed.items():
            if space.height == number:
                for key, value in writes.get(ns, {}).items():
                    self._tables.put(txn, space, key, value)
                    rows += 1
                followed[ns] = replace(space, height=number + 1)
        return rows

    def _make(self, space: Space) -> None:
        """Make a new space's entries out of the state; others go on following meanwhile."""
        view = self._ledger.view()
        try:
            rows = view.range(space.ns, "", "")
            first = True
            while not self._stopping.is_set():
                some = list(islice(rows, ROWS_AT_ONCE))
                with self._env.begin(write=True) as txn:
                    if self._spaces[space.ns] is not space:
                        return
                    if first:
                        self._tables.clear(txn, space)
                        first = False
                    for _, _, key, found in some:
                        self._tables.put(txn, space, key.decode(), found.value)
                    if not some:
                        self._spaces[space.ns] = self._tables.follow(txn, space, view.height)
                        return
                self._follow()
        finally:
            view.close()

    # Queries.

    def indexes(self, ns: str) -> Sequence[Index]:
        """The indexes of a chaincode's public state."""
        space = self._spaces.get(ns)
        return () if space is None else tuple(space.indexes.values())

    def entries(self, view: _core.StateView, ns: str, index: Index) -> Entries | None:
        """Open an index for a view of the state; None where it has no entries that can be used."""
        space = self._spaces.get(ns)
        number = None if space is None else space.number_of(index)
        if space is None or number is None or space.height is None:
            return None
        try:
            txn = self._env.begin()
            height = self._tables.height(txn, space)
            if height is None:
                return None
            changed = self._changed(ns, min(height, view.height), max(height, view.height))
        except (FastledgerError, lmdb.Error) as error:
            _logger.warning("the state of %s is read instead of an index: %s", ns, error)
            return None
        if changed is None:
            return None

        def value(key: str) -> bytes | None:
            found = view.get(ns, key)
            return None if found is None else found.value

        return StoredEntries(self._tables, txn, number, index, value, changed)

    def _changed(self, ns: str, start: int, end: int) -> set[str] | None:
        """The keys that blocks wrote; None if they are too many blocks."""
        if end - start > MAX_LAG:
            return None
        found: set[str] = set()
        for number in range(start, end):
            with self._lock:
                keys = self._written.get(number)
            if keys is None:
                keys = {name: frozenset(written) for name, written in self._read(number).items()}
            found |= keys.get(ns, frozenset())
        return found

    def _read(self, number: int) -> Writes:
        """Read what a block wrote, and remember the keys for queries."""
        block = self._ledger.block(number)
        writes = _writes(block.encoded, block.codes)
        with self._lock:
            self._written[number] = {ns: frozenset(keys) for ns, keys in writes.items()}
            while len(self._written) > MAX_LAG:
                self._written.popitem(last=False)
        return writes


def drop(folder: Path) -> None:
    """Forget the entries of a ledger's indexes; they are made again when it is opened."""
    rmtree(folder / FOLDER, ignore_errors=True)


def _by_collection(files: Mapping[str, bytes]) -> dict[str, dict[str, bytes]]:
    """Sort index files by their collections; an empty one is public state."""
    found: dict[str, dict[str, bytes]] = {}
    for path, content in files.items():
        _, _, rest = path.partition(_COLLECTIONS)
        found.setdefault(rest.partition("/")[0], {})[path] = content
    return found


def _writes(block: bytes, codes: bytes) -> Writes:
    written: dict[str, dict[str, bytes | None]] = {}
    for one in endorsed_results(block, codes):
        for ns in rwset.TxReadWriteSet.FromString(one.results).ns_rwset if one.valid else ():
            writes = kvrwset.KVRWSet.FromString(ns.rwset).writes
            if writes:
                keys = written.setdefault(ns.namespace, {})
                for write in writes:
                    gone = write.is_delete or not write.value
                    keys[write.key] = None if gone else write.value
    return written
