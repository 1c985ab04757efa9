# SPDX-License-Identifier: Apache-2.0
"""Indexes that follow a ledger: at every distance from it, started again, installed late."""

import json
import random
from pathlib import Path

import pytest

from fastledger.common.errors import SimulationError
from fastledger.ledger.pvtdata import PrivateDataStore
from fastledger.ledger.queryindexes import MAX_LAG, QueryIndexes
from fastledger.ledger.simulator import TxSimulator
from memory_ledger import CHAINCODE, FILES, OWNER, SIZE, MemoryLedger
from waiting import wait_until

QUERIES = [
    {"selector": {"size": 3}},
    {"selector": {"size": {"$gt": 2, "$lte": 5}, "owner": "a"}},
    {"selector": {"owner": "b"}, "sort": [{"size": "desc"}]},
    {"selector": {"size": {"$gte": 1}}, "sort": ["size"], "limit": 4, "skip": 1},
    {"selector": {"owner": "a", "size": {"$lt": 4}}, "sort": [{"owner": "asc"}, {"size": "asc"}]},
]


class Unread(QueryIndexes):
    """Indexes that queries know of, and do not read."""

    def entries(self, *_: object) -> None:
        return None


class Channel:
    """Indexes of a ledger in memory."""

    def __init__(self, folder: Path, ledger: MemoryLedger, files: dict | None = None) -> None:
        self.files = FILES if files is None else files
        self.private = PrivateDataStore(folder / "private")
        self.indexes = QueryIndexes(folder, ledger, self.private, self.deployed)
        self.used = 0

    def deployed(self):
        return [(CHAINCODE, self.files)]

    def close(self) -> None:
        self.indexes.stop()
        self.private.close()

    def work(self, steps: int) -> None:
        """Follow, as the thread would."""
        while steps and self.indexes._work():
            steps -= 1

    def same(self, view) -> None:
        """Every query finds the same with and without reading an index."""
        for query in QUERIES:
            text = json.dumps(query)
            with_index = TxSimulator(view, "tx", indexes=self.indexes)
            self.used += self.reads(view)
            found = list(with_index.query(CHAINCODE, text))
            without = TxSimulator(view, "tx", indexes=as_unread(self.indexes))
            assert found == list(without.query(CHAINCODE, text)), query
            assert with_index.results() == without.results()

    def reads(self, view) -> bool:
        index = self.indexes.indexes(CHAINCODE)[0]
        return self.indexes.entries(view, CHAINCODE, index) is not None


def as_unread(indexes: QueryIndexes) -> QueryIndexes:
    other = object.__new__(Unread)
    other.__dict__ = indexes.__dict__
    return other


@pytest.mark.parametrize("seed", range(10))
def test_at_every_distance_from_the_state(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    ledger = MemoryLedger(seed, height=5)
    channel = Channel(tmp_path, ledger)
    channel.indexes.deploy()
    for _ in range(60):
        for _ in range(chance.randrange(3)):
            ledger.grow()
        channel.work(chance.randrange(3))
        # A simulation may have begun some blocks ago.
        channel.same(ledger.view(max(0, ledger.height - chance.randrange(4))))
    channel.work(1000)
    channel.same(ledger.view())
    assert channel.used > 200
    channel.close()


def test_too_far_behind_it_is_not_read(tmp_path: Path) -> None:
    ledger = MemoryLedger(1, height=3)
    channel = Channel(tmp_path, ledger)
    channel.indexes.deploy()
    assert not channel.reads(ledger.view()), "it has no entries yet"
    channel.same(ledger.view())
    channel.work(10)
    assert channel.reads(ledger.view())
    for _ in range(MAX_LAG):
        ledger.grow()
    assert channel.reads(ledger.view())
    channel.same(ledger.view())
    ledger.grow()
    assert not channel.reads(ledger.view())
    channel.same(ledger.view())
    channel.close()


def test_it_goes_on_where_it_was(tmp_path: Path) -> None:
    ledger = MemoryLedger(2, height=20)
    first = Channel(tmp_path, ledger)
    first.indexes.deploy()
    first.work(100)
    first.close()
    for _ in range(10):
        ledger.grow()
    second = Channel(tmp_path, ledger, files={})
    assert second.reads(ledger.view()), "ten blocks behind"
    second.same(ledger.view())
    second.work(100)
    second.same(ledger.view())
    second.close()
    # A disk that lost the newest blocks: what was derived from them is not believed.
    third = Channel(tmp_path, MemoryLedger(2, height=25))
    assert third.indexes.indexes(CHAINCODE) == ()
    third.close()


def test_an_interrupted_beginning_is_begun_again(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("fastledger.ledger.queryindexes.ROWS_AT_ONCE", 3)
    ledger = MemoryLedger(3, height=30)
    first = Channel(tmp_path, ledger)
    first.indexes.deploy()
    follow = first.indexes._follow
    rounds = []

    def interrupted() -> bool:
        rounds.append(None)
        if len(rounds) == 3:
            first.indexes._stopping.set()
        return follow()

    monkeypatch.setattr(first.indexes, "_follow", interrupted)
    first.work(1)
    assert not first.reads(ledger.view())
    first.close()
    for _ in range(10):
        ledger.grow()
    second = Channel(tmp_path, ledger)
    second.work(1000)
    assert second.reads(ledger.view())
    second.same(ledger.view())
    second.close()


def test_a_package_that_is_installed_last_and_one_that_follows(tmp_path: Path) -> None:
    ledger = MemoryLedger(4, height=10)
    channel = Channel(tmp_path, ledger, files={})
    channel.indexes.start()
    with pytest.raises(SimulationError, match="No index exists"):
        TxSimulator(ledger.view(), "tx", indexes=channel.indexes).query(
            CHAINCODE, '{"selector":{},"sort":["size"]}'
        )
    channel.files = {SIZE: FILES[SIZE]}
    channel.indexes.installed()
    wait_until(lambda: channel.indexes.indexes(CHAINCODE) and channel.reads(ledger.view()))
    channel.files = {OWNER: FILES[OWNER]}
    channel.indexes.deploy()
    # Known at once; that of the package before is still there.
    assert len(channel.indexes.indexes(CHAINCODE)) == 2
    channel.same(ledger.view())
    wait_until(lambda: channel.reads(ledger.view()))
    for _ in range(200):
        ledger.grow()
        channel.indexes.committed()
        channel.same(ledger.view())
    wait_until(lambda: not channel.indexes._work())
    channel.same(ledger.view())
    channel.close()


def test_a_package_that_cannot_be_read_stops_nothing(tmp_path: Path) -> None:
    ledger = MemoryLedger(5, height=10)
    channel = Channel(tmp_path, ledger, files={SIZE: b"no json", OWNER: FILES[OWNER]})
    channel.indexes.deploy()
    assert [index.name for index in channel.indexes.indexes(CHAINCODE)] == ["owner"]
    channel.close()
