# SPDX-License-Identifier: Apache-2.0
"""Generated blocks of private writes, and what has to be left of them."""

import random
from collections.abc import Iterator

from google.protobuf.message import DecodeError

from fastledger.ledger.pvtdata import PrivateDataStore
from fastledger.ledger.pvteffects import CollectionEffects, HashedWrite, PrivateEffects
from fastledger.ledger.pvtrules import KeepAll
from fastledger.ledger.rwset import ReadWriteSet
from fastledger.protos.ledger.rwset import rwset_pb2 as rwset
from fastledger.protos.ledger.rwset.kvrwset import kv_rwset_pb2 as kvrwset

LIVES = {"ever": 0, "short": 1, "long": 4}
FOREIGN = "foreign"
FOREIGN_LIFE = 2


class Generated(KeepAll):
    """Rules of a peer that is a member of all collections but one."""

    keeps_invalid = True

    def is_member(self, ns: str, coll: str, block: int) -> bool:
        return coll != FOREIGN

    def block_to_live(self, ns: str, coll: str) -> int:
        return LIVES.get(coll, FOREIGN_LIFE)


class Model:
    """Fabric's rules, one value at a time: what a store must hold after each block."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, str], tuple[bytes, tuple[int, int]]] = {}
        self.sets: dict[tuple[int, int, str], dict[str, bytes]] = {}
        self.missing: set[tuple[int, int, str]] = set()
        self.ineligible: set[tuple[int, int, str]] = set()

    def commit(self, block: int, transactions: list) -> None:
        for tx, (valid, writes) in enumerate(transactions):
            for coll, key, value, purge, mine in writes:
                if coll == FOREIGN:
                    self.ineligible.add((block, tx, coll))
                elif not mine:
                    self.missing.add((block, tx, coll))
                if mine and coll != FOREIGN:
                    self.sets.setdefault((block, tx, coll), {})[key] = value
                    if valid:
                        self.write((block, tx), coll, key, value)
                if purge and valid:
                    self.purge((block, tx), coll, key)
        self.expire(block)

    def write(self, version: tuple[int, int], coll: str, key: str, value: bytes) -> None:
        self.values[coll, key] = value, version
        if not value:
            del self.values[coll, key]

    def purge(self, version: tuple[int, int], coll: str, key: str) -> None:
        self.values.pop((coll, key), None)
        for (block, tx, there), written in self.sets.items():
            if there == coll and (block, tx) <= version:
                written.pop(key, None)

    def expire(self, block: int) -> None:
        def over(coll: str, committed: int) -> bool:
            life = LIVES.get(coll, FOREIGN_LIFE)
            return life > 0 and committed + life + 1 <= block

        for noted in (self.missing, self.ineligible):
            noted -= {place for place in noted if over(place[2], place[0])}

        for (coll, key), (_, version) in list(self.values.items()):
            if over(coll, version[0]):
                del self.values[coll, key]
        for place in list(self.sets):
            if over(place[2], place[0]):
                del self.sets[place]

    def same(self, store: PrivateDataStore) -> bool:
        values = {
            (coll, key): store.get("cc", coll, key)
            for coll in LIVES
            for key, _ in store.range("cc", coll, "", "")
        }
        return values == self.values

    def stored(self, store: PrivateDataStore, height: int) -> bool:
        found = {
            (block, tx, coll.collection_name): {
                write.key: write.value for write in kvrwset.KVRWSet.FromString(coll.rwset).writes
            }
            for block in range(height)
            for tx, written in store.write_sets(block).items()
            for ns in written.ns_pvt_rwset
            for coll in ns.collection_pvt_rwset
        }
        return found == self.sets

    def lacks(self, store: PrivateDataStore) -> bool:
        found = [(one.block, one.tx, one.coll) for one in store.missing(10**6)]
        newest_first = sorted({block for block, _, _ in found}, reverse=True)
        in_order = list(dict.fromkeys(block for block, _, _ in found)) == newest_first
        return set(found) == self.missing and len(found) == store.missing_count and in_order


def generated(chance: random.Random, blocks: int) -> list:
    """Blocks of transactions: valid or not; collection, key, value, if purged, if endorsed here."""
    made = []
    for _ in range(blocks):
        transactions = []
        for _ in range(chance.randrange(4)):
            mine = chance.random() < 0.8
            writes = {}
            for _ in range(chance.randrange(1, 4)):
                place = chance.choice([*LIVES, FOREIGN]), chance.choice("abc")
                value = chance.choice([b"", b"1", b"2", b"3"])
                writes[place] = value, not value and chance.random() < 0.5
            made_of = [(*place, value, purge, mine) for place, (value, purge) in writes.items()]
            transactions.append((chance.random() < 0.8, made_of))
        made.append(transactions)
    return made


def effects(index: int, tx_id: str, public: bytes, *, valid: bool = True) -> PrivateEffects:
    """What a transaction does to private data, read by another decoder than the core's."""
    try:
        collections = tuple(_collections(public))
    except DecodeError:
        # Of an invalid transaction: nothing of it counts.
        collections = ()
    return PrivateEffects(index, tx_id, valid, collections)


def _collections(public: bytes) -> Iterator[CollectionEffects]:
    for ns in rwset.TxReadWriteSet.FromString(public).ns_rwset:
        for coll in ns.collection_hashed_rwset:
            writes = kvrwset.HashedRWSet.FromString(coll.hashed_rwset).hashed_writes
            yield CollectionEffects(
                ns.namespace,
                coll.collection_name,
                coll.pvt_rwset_hash,
                tuple(
                    HashedWrite(write.key_hash, write.value_hash, write.is_delete, write.is_purge)
                    for write in writes
                ),
            )


def built(block: int, tx: int, writes: list) -> tuple[str, bytes, bytes | None]:
    made = ReadWriteSet()
    for coll, key, value, purge, _ in writes:
        made.write_private("cc", coll, key, value, is_purge=purge)
    public, private = made.build()
    return f"tx{block}.{tx}", public, private if writes[0][4] else None


def endorsed(store: PrivateDataStore, number: int, transactions: list) -> list[PrivateEffects]:
    """Let a block's transactions be endorsed; return what the block has of them."""
    found = []
    for tx, (valid, writes) in enumerate(transactions):
        tx_id, public, private = built(number, tx, writes)
        if private is not None:
            store.endorse(tx_id, private)
        found.append(effects(tx, tx_id, public, valid=valid))
    return found
