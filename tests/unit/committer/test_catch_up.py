# SPDX-License-Identifier: Apache-2.0
"""A process that ended between a block's commit and its private writes."""

import asyncio

from corpora import OpenCorpus
from fastledger.committer.committer import Committer
from fastledger.ledger import kvledger
from fastledger.ledger.pvtdata import PrivateDataStore
from fastledger.ledger.results import endorsed_results, verdicts
from fastledger.protos.ledger.rwset import rwset_pb2
from fastledger.protos.ledger.rwset.kvrwset import kv_rwset_pb2


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
