# SPDX-License-Identifier: Apache-2.0
"""Collections that anybody may have a peer look at: names and numbers that would cost much."""

from types import SimpleNamespace

import pytest

from fastledger.common.errors import FastledgerError
from fastledger.endorser.lifecycle import scc
from fastledger.endorser.syscc import collections, lscc
from fastledger.policies import from_string
from fastledger.protos.peer.collection_pb2 import CollectionConfigPackage

CHANNEL = SimpleNamespace(organizations=["Org1MSP"])


def package(*names: str) -> CollectionConfigPackage:
    made = CollectionConfigPackage()
    for name in names:
        one = made.config.add().static_collection_config
        one.name = name
        one.member_orgs_policy.signature_policy.CopyFrom(from_string("OR('Org1MSP.member')"))
    return made


@pytest.mark.parametrize("name", ["a", "-", "-_", "a_b-c", "0" * 1000, "A--__"])
def test_names_that_fabric_takes(name: str) -> None:
    collections.check(package(name), None, CHANNEL)


@pytest.mark.parametrize("name", ["", "_", "_a", "a.b", "a b", "ä", "a" * 100_000 + "!"])
def test_names_that_it_does_not_take(name: str) -> None:
    """However long a name is, it is read once: all ways to divide it would take for ever."""
    with pytest.raises(FastledgerError, match="invalid collection name"):
        collections.check(package(name), None, CHANNEL)


@pytest.mark.parametrize("pattern", [lscc.NAME, lscc.VERSION, scc.NAME, scc.VERSION])
@pytest.mark.parametrize("part", ["a", "a-", "a_", "-a", "--"])
def test_names_of_chaincodes_are_read_once_as_well(pattern, part: str) -> None:
    assert pattern.fullmatch(part * 50_000 + "!") is None


def test_more_collections_than_any_chaincode_has_are_not_looked_at() -> None:
    many = package(*["a"] * (collections.MAX_COLLECTIONS + 1))
    encoded = many.SerializeToString()
    with pytest.raises(FastledgerError, match="a chaincode may have 5000"):
        collections.check(many, None, CHANNEL)
    with pytest.raises(FastledgerError, match="a chaincode may have 5000"):
        collections.check_legacy(encoded, "cc", "1", CHANNEL)
