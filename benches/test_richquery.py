# SPDX-License-Identifier: Apache-2.0
"""Rich queries over 100,000 documents, with an index that is read and without.

pytest benches/test_richquery.py
"""

import json
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path

import lmdb
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from fastledger.ledger import richquery
from fastledger.ledger.richquery import Index, IndexTables, StoredEntries

DOCUMENTS = 100_000
FILES = {
    f"META-INF/statedb/couchdb/indexes/{fields[0]}.json": json.dumps(
        {"index": {"fields": fields}, "ddoc": fields[0], "name": fields[0]}
    ).encode()
    for fields in (["owner", "size"], ["size"])
}
QUERIES = {
    "10 of an owner": {"selector": {"docType": "asset", "owner": "owner77", "size": {"$lt": 100}}},
    "a range of 100": {"selector": {"size": {"$gte": 500, "$lt": 501}}},
    "first page, sorted": {"selector": {"owner": "owner5"}, "sort": ["size"], "limit": 20},
}


class State:
    """Documents in memory, and their indexes on disk."""

    def __init__(self, folder: Path) -> None:
        self.values = {
            f"asset{n:06}": json.dumps(
                {
                    "docType": "asset",
                    "ID": f"asset{n:06}",
                    "owner": f"owner{n % 1000}",
                    "size": n // 100,
                    "colour": "blue",
                }
            ).encode()
            for n in range(DOCUMENTS)
        }
        self.keys = sorted(self.values)
        self.env = lmdb.open(str(folder), max_dbs=3, map_size=1 << 30, sync=False)
        self.tables = IndexTables(self.env)
        with self.env.begin(write=True) as txn:
            space = self.tables.define(txn, "cc", "", FILES)
            assert space is not None
            self.space = space
            for key, value in self.values.items():
                self.tables.put(txn, space, key, value)

    def rows(self, start: str) -> Iterator[tuple[str, bytes]]:
        for key in self.keys[bisect_left(self.keys, start) :]:
            yield key, self.values[key]

    def entries(self, index: Index) -> StoredEntries:
        number = self.space.number_of(index)
        assert number is not None
        return StoredEntries(self.tables, self.env.begin(), number, index, self.values.get)

    def query(self, query: dict, *, by_index: bool) -> list[str]:
        rows = richquery.execute(
            json.dumps(query),
            self.rows,
            indexes=list(self.space.indexes.values()),
            entries_of=self.entries if by_index else None,
        )
        return [key for key, _ in rows]


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> State:
    return State(tmp_path_factory.mktemp("state"))


@pytest.mark.parametrize("by_index", [True, False], ids=["index", "scan"])
@pytest.mark.parametrize("name", QUERIES)
def test_query(benchmark: BenchmarkFixture, state: State, name: str, by_index: bool) -> None:
    found = benchmark.pedantic(
        lambda: state.query(QUERIES[name], by_index=by_index),
        rounds=50 if by_index else 3,
        warmup_rounds=1,
    )
    assert 0 < len(found) <= 100
    assert found == state.query(QUERIES[name], by_index=False)
