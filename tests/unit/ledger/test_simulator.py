# SPDX-License-Identifier: Apache-2.0
"""Simulations against the read-write sets that real peers endorsed."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from google.protobuf.message import DecodeError

from corpora import Corpus
from fastledger.common.errors import LedgerCorrupted, SimulationError
from fastledger.ledger import kvledger
from fastledger.ledger.pvtdata import PrivateDataStore
from fastledger.ledger.rwset import ReadWriteSet
from fastledger.ledger.simulator import TxSimulator
from fastledger.protos.common import common_pb2
from fastledger.protos.ledger.rwset import rwset_pb2
from fastledger.protos.ledger.rwset.kvrwset import kv_rwset_pb2
from fastledger.protos.peer import proposal_pb2, proposal_response_pb2, transaction_pb2
from private_blocks import effects


def is_natural(corpus: Corpus, block: int, index: int) -> bool:
    """Whether a real peer simulated it; some corpora hold hand-made read-write sets, too."""
    if corpus.name != "small":
        return True
    notes = {(tx["block"], tx["index"]): tx["note"] or "" for tx in corpus.transactions}
    return notes[block, index].startswith("natural")


def writes_nothing(results: bytes) -> bool:
    """Whether an empty value is written and not called a deletion, as peers before 2.0 do."""
    return any(
        not write.value and not write.is_delete
        for ns in rwset_pb2.TxReadWriteSet.FromString(results).ns_rwset
        for write in kv_rwset_pb2.KVRWSet.FromString(ns.rwset).writes
    )


def results_of(envelope: bytes) -> bytes:
    payload = common_pb2.Payload.FromString(common_pb2.Envelope.FromString(envelope).payload)
    header = common_pb2.ChannelHeader.FromString(payload.header.channel_header)
    if header.type != common_pb2.ENDORSER_TRANSACTION:
        return b""
    actions = transaction_pb2.Transaction.FromString(payload.data).actions
    action = transaction_pb2.ChaincodeActionPayload.FromString(actions[0].payload).action
    response = proposal_response_pb2.ProposalResponsePayload.FromString(
        action.proposal_response_payload
    )
    return proposal_pb2.ChaincodeAction.FromString(response.extension).results


def valid_results(corpus: Corpus) -> Iterator[tuple[int, bytes, bytes]]:
    for verdict, encoded in zip(corpus.verdicts, corpus.blocks(), strict=True):
        block = common_pb2.Block.FromString(encoded)
        for index, envelope in enumerate(block.data.data):
            if verdict.codes[index] == 0 and is_natural(corpus, verdict.number, index):
                results = results_of(envelope)
                if results:
                    yield verdict.number, envelope, results


@pytest.fixture(params=["small", "pvt14", "v14", "perf-2of2"])
def corpus(request, open_corpus) -> Corpus:
    return open_corpus(request.param)


def entries(write) -> dict[str, bytes]:
    return {entry.name: entry.value for entry in write.entries}


def replay(simulator: TxSimulator, results: bytes) -> None:
    """Do again what a read-write set says was done to public state."""
    for ns in rwset_pb2.TxReadWriteSet.FromString(results).ns_rwset:
        done = kv_rwset_pb2.KVRWSet.FromString(ns.rwset)
        for read in done.reads:
            simulator.get_state(ns.namespace, read.key)
        for info in done.range_queries_info:
            end = info.end_key if info.itr_exhausted else ""
            for key, _ in simulator.get_range(ns.namespace, info.start_key, end):
                if key == info.end_key and not info.itr_exhausted:
                    break
        for write in done.writes:
            simulator.set_state(ns.namespace, write.key, write.value)
        for write in done.metadata_writes:
            simulator.set_metadata(ns.namespace, write.key, entries(write))


def test_simulating_again_gives_the_real_peers_bytes(corpus, tmp_path) -> None:
    compared = 0
    with kvledger.open(tmp_path / "ledger", verify_block_signatures=False) as ledger:
        for verdict, encoded in zip(corpus.verdicts, corpus.blocks(), strict=True):
            block = common_pb2.Block.FromString(encoded)
            for index, envelope in enumerate(block.data.data):
                results = results_of(envelope) if verdict.codes[index] == 0 else b""
                sets = rwset_pb2.TxReadWriteSet.FromString(results).ns_rwset
                if not results or not is_natural(corpus, verdict.number, index):
                    continue
                if any(ns.collection_hashed_rwset for ns in sets) or writes_nothing(results):
                    continue
                simulator = TxSimulator(ledger.view(), "tx")
                replay(simulator, results)
                rebuilt, private = simulator.results()
                simulator.done()
                assert rebuilt == results, f"block {verdict.number}, transaction {index}"
                assert private is None
                compared += 1
            ledger.commit(encoded)
    assert compared > 3


def test_every_read_write_set_is_built_again_from_its_parts(corpus) -> None:
    for number, _, results in valid_results(corpus):
        built = ReadWriteSet()
        collections = False
        for ns in rwset_pb2.TxReadWriteSet.FromString(results).ns_rwset:
            collections = collections or bool(ns.collection_hashed_rwset)
            done = kv_rwset_pb2.KVRWSet.FromString(ns.rwset)
            for read in reversed(done.reads):
                version = (
                    (read.version.block_num, read.version.tx_num)
                    if read.HasField("version")
                    else None
                )
                built.read(ns.namespace, read.key, version)
            for info in done.range_queries_info:
                built.add_range(ns.namespace, info.SerializeToString())
            for write in reversed(done.writes):
                built.write(ns.namespace, write.key, write.value)
            for write in reversed(done.metadata_writes):
                built.write_metadata(ns.namespace, write.key, entries(write))
        if not collections and not writes_nothing(results):
            assert built.build()[0] == results, f"block {number}"


def test_private_writes_are_hashed_and_kept_apart() -> None:
    built = ReadWriteSet()
    built.read_hash("cc", "c", "k", (3, 1))
    built.write_private("cc", "c", "k", b"value")
    built.write_private("cc", "c", "gone", b"")
    public, private = built.build()
    hashed = rwset_pb2.TxReadWriteSet.FromString(public).ns_rwset[0].collection_hashed_rwset[0]
    assert private is not None
    kept = rwset_pb2.TxPvtReadWriteSet.FromString(private).ns_pvt_rwset[0]
    values = kept.collection_pvt_rwset[0].rwset
    assert hashed.pvt_rwset_hash == hashlib.sha256(values).digest()
    decoded = kv_rwset_pb2.HashedRWSet.FromString(hashed.hashed_rwset)
    assert [write.is_delete for write in decoded.hashed_writes] == [True, False]
    assert decoded.hashed_writes[1].value_hash == hashlib.sha256(b"value").digest()
    assert decoded.hashed_reads[0].version.block_num == 3


@pytest.mark.parametrize(
    ("count", "level", "hashes"),
    [(0, 0, 0), (50, 0, 0), (51, 1, 1), (102, 1, 2), (2601, 2, 1), (2602, 2, 2)],
)
def test_many_results_are_summed_up(count: int, level: int, hashes: int) -> None:
    simulator = TxSimulator(MemoryView({f"key{i:05}": b"v" for i in range(count)}), "tx")
    assert len(list(simulator.get_range("cc", "", ""))) == count
    public = rwset_pb2.TxReadWriteSet.FromString(simulator.results()[0]).ns_rwset[0]
    (info,) = kv_rwset_pb2.KVRWSet.FromString(public.rwset).range_queries_info
    assert info.reads_merkle_hashes.max_level == level
    assert len(info.reads_merkle_hashes.max_level_hashes) == hashes
    assert len(info.raw_reads.kv_reads) == (count if count <= 50 else 0)


def test_a_query_of_private_data_and_a_write_exclude_each_other(small_ledger) -> None:
    with kvledger.open(small_ledger) as ledger:
        exclude_each_other(ledger)


def exclude_each_other(small_ledger) -> None:
    simulator = TxSimulator(small_ledger.view(), "tx")
    simulator.set_state("cc", "k", b"v")
    with pytest.raises(SimulationError, match="only in a read-only transaction"):
        simulator.get_private_range("cc", "c", "", "")
    other = TxSimulator(small_ledger.view(), "tx")
    other.get_private_range("cc", "c", "", "")
    with pytest.raises(SimulationError, match="Writes are not allowed"):
        other.set_state("cc", "k", b"v")


def test_private_values_wait_for_their_transaction(tmp_path) -> None:
    built = ReadWriteSet()
    built.write_private("cc", "c", "k", b"value")
    built.write_private("cc", "c", "x" * 1000, b"long")
    built.write_private("cc", "c", "x" * 1001, b"longer")
    public, private = built.build()
    store = PrivateDataStore(tmp_path / "private")
    store.endorse("tx1", private)
    assert store.get("cc", "c", "k") is None
    store.close()
    store = PrivateDataStore(tmp_path / "private")
    assert store.awaits
    store.apply(7, [effects(2, "tx1", public)])
    assert not store.awaits
    assert store.get("cc", "c", "k") == (b"value", (7, 2))
    assert [value for _, value in store.range("cc", "c", "", "")] == [b"value", b"long", b"longer"]
    assert [value for _, value in store.range("cc", "c", "k", "x")] == [b"value"]
    store.close()
    assert PrivateDataStore(tmp_path / "private").height == 8


def test_private_values_of_another_hash_are_not_taken(tmp_path) -> None:
    built, forged = ReadWriteSet(), ReadWriteSet()
    built.write_private("cc", "c", "k", b"value")
    forged.write_private("cc", "c", "k", b"forged")
    store = PrivateDataStore(tmp_path / "private")
    store.endorse("tx1", forged.build()[1])
    store.apply(0, [effects(0, "tx1", built.build()[0])])
    assert store.get("cc", "c", "k") is None


class Found:
    metadata = b""

    def __init__(self, value: bytes, version: tuple[int, int]) -> None:
        self.value, self.version = value, version


class MemoryView:
    """A state in memory."""

    height = 9

    def __init__(self, keys: dict[str, bytes]) -> None:
        self._keys = {key: Found(keys[key], (index, 1)) for index, key in enumerate(sorted(keys))}

    def get(self, namespace: str, key: str) -> Found | None:
        return self._keys.get(key)

    def range(self, namespace: str, start: str, end: str):
        rows = ((namespace, "", key.encode(), found) for key, found in self._keys.items())
        return iter([row for row in rows if row[2].decode() >= start])


def test_a_rich_query_reads_what_it_returns() -> None:
    keys = {"a": b'{"size": 1}', "b": b'{"size": 5}', "c": b"no document", "d": b'{"size": 7}'}
    simulator = TxSimulator(MemoryView(keys), "tx")
    rows = list(simulator.query("cc", '{"selector": {"size": {"$gt": 2}}}'))
    assert rows == [("b", keys["b"]), ("d", keys["d"])]
    public = rwset_pb2.TxReadWriteSet.FromString(simulator.results()[0]).ns_rwset[0]
    reads = kv_rwset_pb2.KVRWSet.FromString(public.rwset).reads
    assert [(read.key, read.version.block_num) for read in reads] == [("b", 1), ("d", 3)]
    with pytest.raises(SimulationError):
        simulator.query("cc", "no query")


class Agreed:
    """A view of a state that has the hashes of one private key."""

    height = 10

    def __init__(self, **values: bytes) -> None:
        self._hashes = {
            hashlib.sha256(key.encode()).digest(): hashlib.sha256(value).digest()
            for key, value in values.items()
        }

    def get_hash(self, ns: str, coll: str, key: bytes) -> SimpleNamespace | None:
        found = self._hashes.get(key)
        return None if found is None else SimpleNamespace(value=found, version=(7, 0), metadata=b"")

    def close(self) -> None:
        pass


@pytest.fixture
def private(tmp_path: Path):
    """A store with two private values, that of block 7 and of 8; it has seen all blocks."""
    store = PrivateDataStore(tmp_path / "private")
    for number, key in ((7, "k"), (8, "later")):
        built = ReadWriteSet()
        built.write_private("cc", "c", key, b"value")
        public, values = built.build()
        store.endorse(key, values)
        store.apply(number, [effects(0, key, public)])
    store.apply(9, ())
    yield store
    store.close()


READS = {
    "get": lambda simulator: simulator.get_private_data("cc", "c", "k"),
    "range": lambda simulator: list(simulator.get_private_range("cc", "c", "", "l")),
}


@pytest.mark.parametrize("read", READS)
def test_a_private_value_is_held_against_its_hash(private, read: str) -> None:
    whole = TxSimulator(Agreed(k=b"value"), "tx", private=private)
    assert READS[read](whole) in (b"value", [("k", b"value")])
    changed = TxSimulator(Agreed(k=b"other value"), "tx", private=private)
    with pytest.raises(LedgerCorrupted, match="key 'k' in collection c of cc is damaged"):
        READS[read](changed)


def test_a_private_key_that_the_channel_does_not_know_is_damage(private) -> None:
    simulator = TxSimulator(Agreed(k=b"value"), "tx", private=private)
    with pytest.raises(LedgerCorrupted, match="key 'later'"):
        list(simulator.get_private_range("cc", "c", "", ""))


def test_a_store_that_is_elsewhere_than_the_simulation_is_no_damage(private) -> None:
    """A value of a block that the simulation does not see, or a deletion yet to come."""
    view = Agreed(k=b"value")
    view.height = 8
    simulator = TxSimulator(view, "tx", private=private)
    assert len(list(simulator.get_private_range("cc", "c", "", ""))) == 2
    view = Agreed(k=b"value")
    view.height = 20
    simulator = TxSimulator(view, "tx", private=private)
    assert len(list(simulator.get_private_range("cc", "c", "", ""))) == 2


def test_write_sets_are_held_against_their_block() -> None:
    built = ReadWriteSet()
    for key in ("a", "b"):
        built.write_private("cc", "c", key, b"value")
    built.write_private("cc", "c", "gone", b"")
    public, values = built.build()
    kept = rwset_pb2.TxPvtReadWriteSet.FromString(values).ns_pvt_rwset[0].collection_pvt_rwset[0]
    wrote = effects(0, "tx", public).wrote
    assert wrote("cc", "c", kept.rwset)
    trimmed = kv_rwset_pb2.KVRWSet.FromString(kept.rwset)
    del trimmed.writes[0]
    assert wrote("cc", "c", trimmed.SerializeToString())
    assert not wrote("cc", "other", kept.rwset)
    written = {(w.key, w.value, w.is_delete) for w in trimmed.writes} | {("a", b"value", False)}
    refused = 0
    for at in range(len(kept.rwset)):
        changed = bytearray(kept.rwset)
        changed[at] ^= 1
        found = kv_rwset_pb2.KVRWSet()
        try:
            found.ParseFromString(bytes(changed))
        except DecodeError:
            assert not wrote("cc", "c", bytes(changed))
            continue
        # A change can also take a write away, as a purge does.
        held = all((w.key, w.value, w.is_delete) in written for w in found.writes)
        assert wrote("cc", "c", bytes(changed)) == held, at
        refused += not held
    assert refused > 10
