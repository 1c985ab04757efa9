# SPDX-License-Identifier: Apache-2.0
"""What a collection's ``requiredPeerCount`` asks for before an endorsement."""

import asyncio
from types import SimpleNamespace

import pytest

from fastledger.common.errors import FastledgerError
from fastledger.endorser.distributor import Distributor
from fastledger.ledger.rwset import ReadWriteSet
from fastledger.protos.peer.collection_pb2 import CollectionConfigPackage


class Ledger:
    """Has collections of one chaincode, since block 1."""

    height = 5

    def __init__(self, **required: int) -> None:
        package = CollectionConfigPackage()
        for name, count in required.items():
            package.config.add().static_collection_config.name = name
            package.config[-1].static_collection_config.required_peer_count = count
        self._package = package.SerializeToString()

    def collections_before(self, chaincode: str, block: int) -> bytes | None:
        return self._package if chaincode == "cc" and block > 1 else None


def distribute(ledger: Ledger, *collections: str, known: int = 0) -> None:
    made = ReadWriteSet()
    for name in collections:
        made.write_private("cc", name, "k", b"v")
    _, private = made.build()
    assert private is not None
    channel = SimpleNamespace(id="ch", ledger=ledger)
    asyncio.run(Distributor(lambda *_: known).distribute(channel, "tx1", private))


def test_where_nobody_has_to_have_the_values_one_peer_is_enough() -> None:
    distribute(Ledger(open=0), "open", "_implicit_org_Org1MSP")


def test_too_few_peers_are_told_as_fabric_does() -> None:
    with pytest.raises(FastledgerError) as refused:
        distribute(Ledger(open=0, guarded=2), "open", "guarded", known=1)
    assert str(refused.value) == (
        "failed to distribute private collection, txID tx1, channel ch: could not build private "
        "data dissemination plan for chaincode cc and collection guarded: required to disseminate "
        "to at least 2 peers, but know of only 1 eligible peers"
    )


def test_no_promise_is_broken_where_there_would_be_peers_enough() -> None:
    with pytest.raises(FastledgerError, match="does not send private data to others yet"):
        distribute(Ledger(guarded=1), "guarded", known=3)
