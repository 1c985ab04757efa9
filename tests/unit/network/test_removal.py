# SPDX-License-Identifier: Apache-2.0
"""What `up` writes into a folder, and what `down --clean` takes out of it: the same, no more."""

from pathlib import Path

import pytest

from fastledger.common.errors import InputError
from fastledger.network import identities, profiles
from fastledger.network.inventory import Inventory
from fastledger.network.plan import Plan
from fastledger.network.removal import clean


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    plan = Plan(tmp_path)
    plan.save()
    return plan


def prepare(plan: Plan) -> list[Path]:
    """Write what `up` writes outside of the state folder; return the files of others it left."""
    identities.write(plan)
    return profiles.write(plan)


def all_files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_nothing_is_left_of_a_network_alone(plan: Plan) -> None:
    prepare(plan)
    assert clean(plan) == []
    assert list(plan.folder.iterdir()) == []


@pytest.mark.parametrize(
    "place",
    [
        "organizations/mine.txt",
        "organizations/cryptogen/crypto-config-org1.yaml",
        "organizations/peerOrganizations/org3.example.com/msp/cacerts/ca.pem",
        "organizations/peerOrganizations/org1.example.com/users/Ann/msp/keystore/priv_sk",
        "organizations/peerOrganizations/org1.example.com/peers/notes",
        ".fastledger/notes",
        ".fastledger/nodes/peer0.org1.example.com/notes",
        "chaincode/src.go",
    ],
)
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_files_of_others_stay(plan: Plan, place: str, before: bool) -> None:
    def put() -> None:
        (plan.folder / place).parent.mkdir(parents=True, exist_ok=True)
        (plan.folder / place).write_text("precious")

    if before:
        put()
    prepare(plan)
    put()
    left = clean(plan)
    assert all_files(plan.folder) == {place: b"precious"}
    told = [path for path in left if (plan.folder / place).is_relative_to(path)]
    assert len(told) == (not place.startswith("chaincode"))


def test_empty_folders_of_others_stay(plan: Plan) -> None:
    (plan.identities / "peerOrganizations").mkdir(parents=True)
    prepare(plan)
    (plan.identities / "wallet").mkdir()
    assert clean(plan) == [
        plan.identities / "peerOrganizations",
        plan.identities / "wallet",
    ]


def test_a_file_that_somebody_changed_is_theirs(plan: Plan) -> None:
    prepare(plan)
    changed = plan.organizations[0].folder / "connection-org1.json"
    changed.write_text("{}")
    assert clean(plan) == [changed]
    assert changed.read_text() == "{}"


def test_profiles_of_others_are_not_overwritten(plan: Plan) -> None:
    theirs = plan.organizations[1].folder / "connection-org2.yaml"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("theirs")
    assert prepare(plan) == [theirs]
    assert theirs.read_text() == "theirs"
    assert theirs.with_suffix(".json").is_file()


def test_our_own_profiles_are_written_again(plan: Plan) -> None:
    prepare(plan)
    assert profiles.write(plan) == []


def test_identities_that_were_there_are_taken_and_stay(plan: Plan, tmp_path: Path) -> None:
    other = Plan(tmp_path / "other")
    other.save()
    identities.write(other)
    other.identities.rename(plan.identities)
    before = all_files(plan.identities)
    assert identities.write(plan) == ["example.com", "org1.example.com", "org2.example.com"]
    profiles.write(plan)
    clean(plan)
    assert all_files(plan.identities) == before


def test_identities_that_lack_a_node_are_refused(plan: Plan, tmp_path: Path) -> None:
    other = Plan(tmp_path / "other")
    other.save()
    identities.write(other)
    other.identities.rename(plan.identities)
    with pytest.raises(InputError, match=r"no peerOrganizations/org1.*/peer1.org1.example.com/msp"):
        identities.write(plan.changed(peers=2))


def test_a_file_in_the_way_of_a_key_is_refused(plan: Plan) -> None:
    theirs = plan.organizations[0].folder / "ca" / "priv_sk"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("theirs")
    with pytest.raises(InputError, match=r"ca/priv_sk is in the way"):
        identities.write(plan)
    assert all_files(plan.identities) == {
        "peerOrganizations/org1.example.com/ca/priv_sk": b"theirs"
    }


def test_what_an_interrupted_command_left_is_made_anew(plan: Plan) -> None:
    prepare(plan)
    (plan.organizations[0].folder / "msp" / "config.yaml").unlink()
    assert identities.write(plan) == []
    assert (plan.organizations[0].folder / "msp" / "config.yaml").is_file()


def test_a_link_in_place_of_data_is_not_followed(plan: Plan, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "theirs").write_text("theirs")
    plan.orderer.folder.mkdir(parents=True)
    (plan.orderer.folder / "data").symlink_to(elsewhere)
    clean(plan)
    assert not plan.state.exists()
    assert (elsewhere / "theirs").read_text() == "theirs"


def test_a_broken_inventory_is_named(plan: Plan) -> None:
    (plan.state / "inventory.json").write_text("[]")
    with pytest.raises(InputError, match=r"inventory\.json"):
        Inventory(plan)
