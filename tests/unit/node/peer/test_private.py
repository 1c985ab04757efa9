# SPDX-License-Identifier: Apache-2.0
"""Which private writes of a block a client gets, as collections were defined before the block."""

import asyncio
from collections.abc import Callable
from hashlib import sha256
from types import SimpleNamespace
from typing import Any

import pytest

from fastledger.common.errors import FastledgerError, LedgerCorrupted, PolicyUnsatisfied
from fastledger.deliver import PreparedBlocks
from fastledger.deliver.request import DeliverRequest
from fastledger.endorser.collectionconfigs import block_to_live
from fastledger.ledger.pvteffects import PrivateEffects
from fastledger.node.peer.private import PrivateDataForm
from fastledger.policies import from_string
from fastledger.protos.common.common_pb2 import (
    Block,
    Envelope,
)
from fastledger.protos.ledger.rwset import rwset_pb2 as rwset
from fastledger.protos.ledger.rwset.kvrwset.kv_rwset_pb2 import KVRWSet
from fastledger.protos.peer.collection_pb2 import CollectionConfigPackage
from fastledger.protos.peer.events_pb2 import DeliverResponse
from private_blocks import effects

MINE, OTHERS = "OR('A.member')", "OR('B.member')"


def package(**members: str) -> bytes:
    """Collections that only members may read; an empty policy stands for one without that."""
    found = CollectionConfigPackage()
    for name, policy in members.items():
        one = found.config.add().static_collection_config
        one.name, one.member_only_read, one.block_to_live = name, bool(policy), 3
        one.member_orgs_policy.signature_policy.CopyFrom(from_string(policy or "OR('A.member')"))
    return found.SerializeToString()


class Ledger:
    """Which collections blocks brought, by chaincode, oldest first."""

    height = 100

    def __init__(self, **brought: list[tuple[int, bytes]]) -> None:
        self._brought = brought

    private_effects: Callable[[int], tuple[PrivateEffects, ...]]

    def collections_before(self, chaincode: str, block: int) -> bytes | None:
        before = [package for number, package in self._brought.get(chaincode, []) if number < block]
        return before[-1] if before else None


class Bundle:
    """Everybody is a client of A."""

    def evaluate_envelope(self, policy: bytes, signed: list) -> None:
        assert [one.identity for one in signed] == [b"client"]
        if policy != from_string(MINE).SerializeToString():
            raise PolicyUnsatisfied("not a member", "")


def written(*collections: str) -> rwset.TxPvtReadWriteSet:
    found = rwset.TxPvtReadWriteSet()
    ns = found.ns_pvt_rwset.add(namespace="cc")
    for name in collections:
        ns.collection_pvt_rwset.add(collection_name=name, rwset=b"")
    return found


def public_part(private: rwset.TxPvtReadWriteSet) -> bytes:
    """A read-write set that states the hashes of private writes."""
    public = rwset.TxReadWriteSet()
    for ns in private.ns_pvt_rwset:
        one = public.ns_rwset.add(namespace=ns.namespace)
        for coll in ns.collection_pvt_rwset:
            one.collection_hashed_rwset.add(
                collection_name=coll.collection_name, pvt_rwset_hash=sha256(coll.rwset).digest()
            )
    return public.SerializeToString()


def delivered(
    ledger: Ledger,
    block: int,
    sets: dict,
    stored: dict | None = None,
    *,
    header_only: bool = False,
) -> dict[int, list[str]]:
    kept = sets if stored is None else stored
    private = SimpleNamespace(write_sets=lambda number: kept if number == block else {})
    written = tuple(effects(index, "", public_part(one)) for index, one in sets.items())
    ledger.private_effects = lambda _: written
    channel: Any = SimpleNamespace(ledger=ledger, private=private, bundle=Bundle())
    form = PrivateDataForm(lambda _: channel)
    encoded = Block(header={"number": block}, data={}).SerializeToString()
    request = DeliverRequest(Envelope(payload=b"p", signature=b"s"), "ch", b"client", b"", b"")
    source = SimpleNamespace(blocks=PreparedBlocks(lambda _: encoded, lambda: block + 1))
    answer = asyncio.run(form.response(source, block, request, header_only=header_only))
    response = DeliverResponse.FromString(answer)
    both = response.block_and_private_data
    assert both.block.header.number == block
    assert both.block.HasField("data") is not header_only
    return {
        index: [coll.collection_name for ns in one.ns_pvt_rwset for coll in ns.collection_pvt_rwset]
        for index, one in both.private_data_map.items()
    }


def test_members_and_whoever_may_read_get_it() -> None:
    ledger = Ledger(cc=[(3, package(mine=MINE, others=OTHERS, open=""))])
    sets = {0: written("mine", "open", "others"), 4: written("others"), 7: written("mine")}
    for header_only in (False, True):
        found = delivered(ledger, 9, sets, header_only=header_only)
        assert found == {0: ["mine", "open"], 7: ["mine"]}


def test_writes_that_are_not_the_blocks_are_told_and_not_given() -> None:
    ledger = Ledger(cc=[(3, package(mine=MINE))])
    other = written("mine")
    write = {"key": "k", "value": b"another"}
    other.ns_pvt_rwset[0].collection_pvt_rwset[0].rwset = KVRWSet(
        writes=[write]
    ).SerializeToString()
    with pytest.raises(LedgerCorrupted, match="transaction 0 in block 9 for collection mine of cc"):
        delivered(ledger, 9, {0: written("mine")}, {0: other})


def test_what_was_written_before_one_was_a_member_stays_hidden() -> None:
    ledger = Ledger(
        cc=[(3, package(coll=OTHERS)), (6, package(coll=MINE)), (20, package(coll=OTHERS))]
    )
    sets = {0: written("coll")}
    assert delivered(ledger, 6, sets) == {}, "defined by the block itself"
    assert delivered(ledger, 7, sets) == {0: ["coll"]}
    assert delivered(ledger, 20, sets) == {0: ["coll"]}
    assert delivered(ledger, 21, sets) == {}


def test_what_was_not_defined_ends_the_stream_and_implicit_ones_are_open() -> None:
    ledger = Ledger(cc=[(5, package(coll=MINE))])
    with pytest.raises(FastledgerError, match="no collection config was found for collection coll"):
        delivered(ledger, 5, {0: written("coll")})
    with pytest.raises(FastledgerError, match="collection none for chaincode cc"):
        delivered(ledger, 6, {0: written("none")})
    assert delivered(ledger, 6, {0: written("_implicit_org_BMSP")}) == {0: ["_implicit_org_BMSP"]}


def test_how_long_values_live() -> None:
    ledger = Ledger(cc=[(5, package(coll=MINE))])
    assert block_to_live(ledger, "cc", "coll") == 3
    assert block_to_live(ledger, "cc", "other") == 0
    assert block_to_live(ledger, "none", "coll") == 0
