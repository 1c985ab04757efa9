# SPDX-License-Identifier: Apache-2.0
"""Private values as blocks go by: written, changed, expired, purged, after a crash.

The judge is the public state. It has the hash of every private value of the channel, and that the
core makes them expire when Fabric does is held against the states of real peers.
"""

import asyncio
import json
import random
import re
import shutil
from collections.abc import Iterator
from hashlib import sha256
from itertools import count
from pathlib import Path

import lmdb
import pytest
from google.protobuf.message import DecodeError

from corpora import Corpus, OpenCorpus
from fastledger.endorser.collectionconfigs import block_to_live
from fastledger.ledger import kvledger
from fastledger.ledger.pvtdata import WAITING_BLOCKS, PrivateDataStore
from fastledger.ledger.pvtrules import KeepAll
from fastledger.ledger.results import Endorsed, endorsed_results
from fastledger.protos.common import common_pb2
from fastledger.protos.ledger.rwset import rwset_pb2 as rwset
from fastledger.protos.ledger.rwset.kvrwset import kv_rwset_pb2 as kvrwset
from fastledger.protos.peer import chaincode_pb2, proposal_pb2, transaction_pb2
from private_blocks import Generated, Model, built, effects, endorsed, generated

Held = dict[tuple[str, str, bytes], tuple[bytes, tuple[int, int]]]
"""Hash of a value, and its version, by chaincode, collection and hash of the key."""


def arguments(block: bytes) -> Iterator[bytes]:
    """Yield what chaincodes were called with."""
    for encoded in common_pb2.Block.FromString(block).data.data:
        try:
            data = common_pb2.Payload.FromString(common_pb2.Envelope.FromString(encoded).payload)
            action = transaction_pb2.Transaction.FromString(data.data).actions[0]
            payload = transaction_pb2.ChaincodeActionPayload.FromString(action.payload)
            proposal = proposal_pb2.ChaincodeProposalPayload.FromString(
                payload.chaincode_proposal_payload
            )
            spec = chaincode_pb2.ChaincodeInvocationSpec.FromString(proposal.input)
            yield from spec.chaincode_spec.input.args
        except (DecodeError, IndexError):
            continue


def words(corpus: Corpus) -> dict[bytes, bytes]:
    """Everything that may be a private key or value, by its hash."""
    found = {argument for block in corpus.blocks("peer") for argument in arguments(block)}
    text = (corpus.folder / "expected.json").read_text("utf-8")
    for pattern in (r"[A-Za-z0-9_:.-]+", r"[^\"\\]+"):
        found |= {word.encode() for word in re.findall(pattern, text)}
    return {sha256(word).digest(): word for word in found}


def private_part(public: bytes, known: dict[bytes, bytes]) -> rwset.TxPvtReadWriteSet:
    """Make the private writes of a transaction again, as far as its hashes can be undone."""
    private = rwset.TxPvtReadWriteSet()
    for ns in rwset.TxReadWriteSet.FromString(public).ns_rwset:
        for coll in ns.collection_hashed_rwset:
            hashed = kvrwset.HashedRWSet.FromString(coll.hashed_rwset)
            try:
                values = kvrwset.KVRWSet(
                    writes=[
                        kvrwset.KVWrite(
                            key=known[write.key_hash].decode(),
                            is_delete=write.is_delete,
                            value=b"" if write.is_delete else known[write.value_hash],
                        )
                        for write in hashed.hashed_writes
                    ],
                    metadata_writes=[
                        kvrwset.KVMetadataWrite(key=known[write.key_hash].decode())
                        for write in hashed.metadata_writes
                    ],
                ).SerializeToString()
            except (KeyError, UnicodeDecodeError):
                continue
            if sha256(values).digest() == coll.pvt_rwset_hash:
                into = private.ns_pvt_rwset.add(namespace=ns.namespace)
                into.collection_pvt_rwset.add(collection_name=coll.collection_name, rwset=values)
    return private


def held(store: PrivateDataStore) -> Held:
    found: Held = {}
    for ns, coll in store.collections():
        for key, value in store.range(ns, coll, "", ""):
            row = store.get(ns, coll, key)
            assert row is not None
            found[ns, coll, sha256(key.encode()).digest()] = sha256(value).digest(), row[1]
    return found


def hashes(ledger: kvledger.Ledger) -> Held:
    return {
        (entry.namespace, entry.collection, entry.key): (entry.state.value, entry.state.version)
        for entry in ledger.state()
        if entry.collection
    }


class Lives(KeepAll):
    """Values live as long as the ledger's definitions say."""

    def __init__(self, ledger: kvledger.Ledger) -> None:
        self._ledger = ledger

    def block_to_live(self, ns: str, coll: str) -> int:
        return block_to_live(self._ledger, ns, coll)


class Replay:
    """A corpus' blocks, committed one by one, with their private parts."""

    def __init__(self, corpus: Corpus, folder: Path, stop: int | None = None) -> None:
        known = words(corpus)
        self.touched: set[tuple[str, str, bytes]] = set()
        self.ever: set[tuple[str, str, bytes]] = set()
        with kvledger.open(folder / "ledger") as ledger:
            self.ledger = ledger
            store = self.open(folder)
            for number, block in enumerate(corpus.blocks("peer")[:stop]):
                commit = ledger.commit(block)
                found = list(endorsed_results(block, commit.filter))
                self.endorse(store, known, [one for one in found if one.valid])
                ours = [
                    effects(one.index, one.tx_id, one.results, valid=one.valid) for one in found
                ]
                assert list(commit.private_effects) == [one for one in ours if one.collections]
                assert ledger.private_effects(number) == commit.private_effects
                store.apply(number, commit.private_effects)
                self.check(store, number)
                if number % 7 == 3:
                    store.close()
                    store = self.open(folder)
            self.last = held(store)
            self.sets = {n: store.write_sets(n) for n in range(ledger.height)}
            store.close()

    def open(self, folder: Path) -> PrivateDataStore:
        return PrivateDataStore(folder / "private", Lives(self.ledger))

    def endorse(self, store: PrivateDataStore, known: dict, found: list[Endorsed]) -> None:
        for one in found:
            private = private_part(one.results, known)
            if private.ns_pvt_rwset:
                store.endorse(one.tx_id, private.SerializeToString())
            there = {
                (ns.namespace, coll.collection_name)
                for ns in private.ns_pvt_rwset
                for coll in ns.collection_pvt_rwset
            }
            for ns in rwset.TxReadWriteSet.FromString(one.results).ns_rwset:
                for coll in ns.collection_hashed_rwset:
                    place = ns.namespace, coll.collection_name
                    hashed = kvrwset.HashedRWSet.FromString(coll.hashed_rwset)
                    keys = [write.key_hash for write in hashed.hashed_writes]
                    keys += [write.key_hash for write in hashed.metadata_writes]
                    if place not in there:
                        self.touched.update((*place, key) for key in keys)

    def check(self, store: PrivateDataStore, number: int) -> None:
        """What is held are the values of the hashes, but for writes that nobody has."""
        ours = {key: row for key, row in held(store).items() if key not in self.touched}
        theirs = {key: row for key, row in hashes(self.ledger).items() if key not in self.touched}
        assert ours == theirs, number
        self.ever |= ours.keys()


@pytest.fixture(scope="module")
def pvt14(open_corpus: OpenCorpus) -> Corpus:
    return open_corpus("pvt14")


def test_values_end_as_on_a_real_peer(pvt14: Corpus, tmp_path: Path) -> None:
    replay = Replay(pvt14, tmp_path)
    assert len(replay.touched) == 2
    lines = (pvt14.folder / "pvt_peer1.jsonl").read_text("utf-8").splitlines()
    theirs: Held = {}
    for row in map(json.loads, lines):
        block, tx = row["version"].split(":")
        place = row["namespace"], row["collection"], sha256(row["key"].encode()).digest()
        theirs[place] = bytes.fromhex(row["value_sha256"]), (int(block), int(tx))
    assert replay.last == theirs
    assert not any(coll == "cBoth" for _, coll, _ in replay.last)
    for number, written in replay.sets.items():
        names = {
            coll.collection_name
            for one in written.values()
            for ns in one.ns_pvt_rwset
            for coll in ns.collection_pvt_rwset
        }
        # blockToLive is 2 for the one, 4 for the other.
        assert "cBoth" not in names or number + 2 + 1 > len(replay.sets) - 1
        assert "cNew" not in names or number + 4 + 1 > len(replay.sets) - 1


def test_expired_as_on_real_3_1_peers(open_corpus: OpenCorpus, tmp_path: Path) -> None:
    replay = Replay(open_corpus("small"), tmp_path)
    # What could be made again of it lived for some blocks, and went as the hashes went.
    assert replay.ever
    assert not replay.last


class Briefly(KeepAll):
    def block_to_live(self, ns: str, coll: str) -> int:
        return 2


@pytest.mark.parametrize("seed", range(25))
def test_generated_blocks(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    blocks = generated(chance, 25)
    model = Model()
    store = PrivateDataStore(tmp_path / "p", Generated())
    names = count()
    for number, transactions in enumerate(blocks):
        results = endorsed(store, number, transactions)
        if chance.random() < 0.3:
            # A crash right before: what is on the disk is taken up again.
            copy = tmp_path / f"p{next(names)}"
            shutil.copytree(store._env.path(), copy)
            store._env.close()
            store = PrivateDataStore(copy, Generated())
            # Blocks since the savepoint had no effect; they are applied once more.
            for again in range(store.height, number):
                store.apply(again, ())
        store.apply(number, results)
        model.commit(number, transactions)
        assert model.same(store), (seed, number)
        assert model.stored(store, number + 1), (seed, number)
        assert model.lacks(store), (seed, number)
        store.apply(number, results)
        assert model.same(store), "applied twice"
        assert model.lacks(store), "applied twice"
    store.close()


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    store = PrivateDataStore(tmp_path / "p", Briefly())
    _, public, private = built(
        0, 0, [("c", key, b"value", False, True) for key in ("k", "x" * 900)]
    )
    assert private is not None
    store.endorse("tx", private)
    store.endorse("never committed", private)
    store.apply(0, [effects(0, "tx", public)])
    assert set(store.write_sets(0)) == {0}
    store.apply(1, ())
    store.apply(2, ())
    assert store.get("cc", "c", "k") == (b"value", (0, 0))
    store.apply(3, ())
    assert store.get("cc", "c", "k") is None
    assert store.write_sets(0) == {}
    store.apply(2 * WAITING_BLOCKS - 1, ())
    store.apply(2 * WAITING_BLOCKS, ())
    assert not store.awaits
    with store._env.begin() as txn:
        left = {
            name: txn.stat(store._env.open_db(name, txn))["entries"]
            for name in (
                b"transient",
                b"endorsed",
                b"values",
                b"write-sets",
                b"key-hashes",
                b"expiry",
            )
        }
    assert set(left.values()) == {0}, left


def test_whatever_an_invalid_transaction_says(tmp_path: Path) -> None:
    store = PrivateDataStore(tmp_path / "p", Generated())
    store.endorse("tx", built(0, 0, [("ever", "k", b"v", False, True)])[2] or b"")
    named = ["", "tx", "tx" * 1000, "\0", "é"]
    store.apply(0, (), [*named, *named])
    assert store.write_sets(0) == {}
    assert not store.awaits
    store.close()


def test_many_endorsements_are_kept_at_once(tmp_path: Path) -> None:
    store = PrivateDataStore(tmp_path / "p")

    async def story() -> None:
        await asyncio.gather(*(store.keep(f"tx{n}", b"private") for n in range(200)))
        # An id that no key can hold.
        kept = await asyncio.gather(
            store.keep("", b"1"), store.keep("", b"2"), return_exceptions=True
        )
        assert [type(one) for one in kept] == [lmdb.BadValsizeError] * 2
        await store.keep("a", b"3")

    asyncio.run(story())
    assert all(store.endorsed(f"tx{n}") == b"private" for n in range(200))
    assert store.endorsed("a") == b"3"
    store.close()
