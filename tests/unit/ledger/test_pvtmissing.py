# SPDX-License-Identifier: Apache-2.0
"""What a store remembers of private values that it did not get.

That it remembers all of it, and forgets what has lived its time, `test_pvtdata.py` holds against a
model over generated blocks; here is what is done with the record.
"""

from pathlib import Path

import pytest

from fastledger.ledger import pvtdata, pvtmissing
from fastledger.ledger.environment import open_environment
from fastledger.ledger.pvtdata import Lacking, PrivateDataStore
from fastledger.ledger.pvtmissing import Missing, MissingSet
from fastledger.ledger.pvtrules import KeepAll
from fastledger.ledger.rwset import ReadWriteSet
from private_blocks import effects


class Growing(KeepAll):
    """A peer that is in one collection, and in another one from a block on."""

    joins_at = 10**9

    def is_member(self, ns: str, coll: str, block: int) -> bool:
        return coll == "own" or block > self.joins_at


def writes(*collections: str) -> tuple[bytes, bytes]:
    made = ReadWriteSet()
    for coll in collections:
        made.write_private("cc", coll, "k", b"v")
    public, private = made.build()

    return public, private or b""


def open_with(folder: Path, *blocks: list[tuple[str, ...]], rules: Growing) -> PrivateDataStore:
    """A store that has seen blocks of transactions that write to these collections."""
    store = PrivateDataStore(folder, rules)
    for number, transactions in enumerate(blocks):
        store.apply(
            number,
            [
                effects(tx, f"{number}.{tx}", writes(*collections)[0])
                for tx, collections in enumerate(transactions)
            ],
        )
    return store


OWN = ("own",)


def test_the_newest_blocks_come_first_and_whole(tmp_path: Path) -> None:
    store = open_with(tmp_path, [OWN], [OWN, OWN], [], [OWN, (), OWN], rules=Growing())
    assert store.missing(2) == [
        Lacking(3, 0, "cc", "own"),
        Lacking(3, 2, "cc", "own"),
        Lacking(1, 0, "cc", "own"),
        Lacking(1, 1, "cc", "own"),
    ]
    assert store.missing(0) == []
    assert [one.block for one in store.missing(10)] == [3, 3, 1, 1, 0]
    assert store.missing_count == 5
    store.close()


def test_what_nobody_had_is_asked_for_later(tmp_path: Path) -> None:
    store = open_with(tmp_path, [OWN], [OWN], [OWN], rules=Growing())
    newest = store.missing(1)
    store.postpone(newest)
    store.postpone([Lacking(7, 7, "cc", "own")])
    assert [one.block for one in store.missing(10)] == [1, 0]
    assert store.missing(10, is_later=True) == newest
    assert store.missing_count == 3
    store.close()


def test_a_new_member_misses_what_was_there_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (pvtdata, pvtmissing):
        monkeypatch.setattr(module, "CONVERTED_AT_ONCE", 2)
    rules, both = Growing(), ("own", "other")
    store = open_with(tmp_path, [both, both], [both], [("third",)], [both], rules=rules)
    assert {one.coll for one in store.missing(10)} == {"own"}
    store.reconsider()
    assert store.missing_count == 4
    assert store.knows_others
    rules.joins_at = 3
    store.reconsider()
    found = store.missing(10)
    assert [one.block for one in found] == [3, 3, 2, 1, 1, 0, 0, 0, 0]
    assert {one.coll for one in found} == {"own", "other", "third"}
    assert store.missing_count == len(found)
    assert not store.knows_others
    store.close()


def test_the_record_survives_a_restart_and_blocks_that_come_again(tmp_path: Path) -> None:
    """As after a rollback: the blocks are committed once more, the private store was not cut."""
    store = open_with(tmp_path, [OWN], [OWN, ("other",)], rules=Growing())
    found = store.missing(10)
    store.close()
    again = open_with(tmp_path, [OWN], [OWN, ("other",)], rules=Growing())
    assert again.missing(10) == found
    assert again.missing_count == len(found) == 2
    assert again.height == 2
    again.close()


def test_only_what_did_not_come_is_missing(tmp_path: Path) -> None:
    store = PrivateDataStore(tmp_path, Growing())
    public, private = writes("own", "other")
    _, half = writes("own")
    store.endorse("whole", private)
    store.endorse("half", half)
    store.apply(0, [effects(0, "whole", public), effects(1, "half", public)])
    assert store.missing(10) == []
    store.apply(1, [effects(0, "none", public), effects(1, "invalid", public, valid=False)])
    assert store.missing(10) == [Lacking(1, 0, "cc", "own")]
    store.close()


def test_what_arrives_is_missed_no_longer(tmp_path: Path) -> None:
    env = open_environment(tmp_path, map_bytes=1 << 20, databases=pvtmissing.DATABASES, sealed=())
    table, version = Missing(env), (5, 1)
    with env.begin(write=True) as txn:
        table.note(txn, version, b"mine", is_eligible=True)
        table.note(txn, version, b"that", is_eligible=True)
        table.note(txn, version, b"else", is_eligible=False)
        table.postpone(txn, MissingSet(5, 1, b"that"))
        assert table.count(txn) == 2
        assert table.ineligible(txn) == [b"else"]
        for collection in (b"mine", b"that", b"else"):
            table.forget(txn, version, collection)
        assert table.count(txn) == 0
        assert table.ineligible(txn) == []
    env.close()
