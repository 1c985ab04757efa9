# SPDX-License-Identifier: Apache-2.0
"""A process that ended between a block's commit and its private writes."""

import asyncio
from pathlib import Path

import pytest

from corpora import OpenCorpus
from fastledger.committer.committer import Committer
from fastledger.common import metrics
from fastledger.ledger import kvledger
from fastledger.ledger.pvtdata import Lacking, PrivateDataStore
from fastledger.ledger.results import endorsed_results, verdicts
from fastledger.protos.ledger.rwset import rwset_pb2
from fastledger.protos.ledger.rwset.kvrwset import kv_rwset_pb2
from private_blocks import effects


def private_set() -> bytes:
    values = kv_rwset_pb2.KVRWSet(writes=[kv_rwset_pb2.KVWrite(key="k", value=b"v")])
    private = rwset_pb2.TxPvtReadWriteSet()
    namespace = private.ns_pvt_rwset.add(namespace="cc")
    namespace.collection_pvt_rwset.add(collection_name="c", rwset=values.SerializeToString())
    return private.SerializeToString()


def test_waiting_values_that_their_transaction_does_not_name_are_dropped_at_the_start(
    open_corpus: OpenCorpus, tmp_path
) -> None:
    blocks = open_corpus("v14").blocks("peer")

    async def story() -> None:
        with kvledger.open(tmp_path / "ledger") as ledger:
            commits = [ledger.commit(block) for block in blocks]
            ids = [
                one.tx_id
                for block, commit in zip(blocks, commits, strict=True)
                for one in endorsed_results(block, commit.filter)
                if one.valid
            ]
            assert set(ids) <= {
                tx_id
                for block, commit in zip(blocks, commits, strict=True)
                for tx_id, _ in verdicts(block, commit.filter)
            }
            store = PrivateDataStore(tmp_path / "private")
            store.endorse(ids[-1], private_set())
            committer = Committer("c", ledger, store, lambda *_: None, lambda _: None)
            committer.start()
            await committer.stop()
            assert committer.failure is None
            assert not store.awaits
            # The transaction names no such hash, so the values are not taken.
            assert store.get("cc", "c", "k") is None
            store.close()

    asyncio.run(story())


def expected(blocks: list[bytes], codes: list[bytes]) -> set[Lacking]:
    return {
        Lacking(number, one.index, ns, coll)
        for number, (block, filter_) in enumerate(zip(blocks, codes, strict=True))
        for one in endorsed_results(block, filter_)
        for ns, coll in (effects(0, "", one.results).written if one.valid else ())
    }


def gauge() -> float:
    text = metrics.exposition().decode()
    (line,) = (x for x in text.splitlines() if x.startswith('ledger_pvtdata_missing{channel="c"}'))
    return float(line.rpartition(" ")[2])


def test_what_is_missing_is_noted_told_and_counted_also_after_a_crash(
    open_corpus: OpenCorpus, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocks = open_corpus("pvt14").blocks("peer")
    half = len(blocks) // 2

    async def story() -> None:
        with kvledger.open(tmp_path / "ledger") as ledger:
            ledger.commit(blocks[0])
            store = PrivateDataStore(tmp_path / "private")
            committer = Committer("c", ledger, store, lambda *_: None, lambda _: None)
            committer.start()
            for block in blocks[1:half]:
                await committer.room(block)
                committer.submit(block)
            await committer.stop()
            store.close()
            # A process that ends here has committed blocks, and not looked at their private writes.
            for block in blocks[half:]:
                ledger.commit(block)
            store = PrivateDataStore(tmp_path / "private")
            committer = Committer("c", ledger, store, lambda *_: None, lambda _: None)
            committer.start()
            await committer.stop()
            assert committer.failure is None
            codes = [ledger.block(number).codes for number in range(len(blocks))]
            missing = set(store.missing(len(blocks)))
            assert missing == expected(blocks, codes)
            assert {one.block < half for one in missing} == {True, False}
            assert gauge() == store.missing_count == len(missing)
            store.close()

    with caplog.at_level("WARNING", "kvledger"):
        asyncio.run(story())
    assert any("private write set(s) that this peer should have" in x for x in caplog.messages)
