# SPDX-License-Identifier: Apache-2.0
"""What is said before a transaction is what the committer says after it."""

import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import fastledger
from corpora import OpenCorpus
from fastledger import TxValidationCode as Code
from fastledger.channelconfig import Bundle
from fastledger.common.errors import FastledgerError
from fastledger.discovery.endorsement import EndorsementAnalyzer
from fastledger.discovery.metadata import read_metadata
from fastledger.endorser.lifecycle import serializer
from fastledger.endorser.lifecycle.definition import (
    DEFINITION,
    NAMESPACES,
    ChaincodeDefinition,
    read_committed,
)
from fastledger.endorser.states import ViewState
from fastledger.gossip.messages import pki_id_of
from fastledger.ledger.views import LIFECYCLE, LSCC, StateView
from fastledger.node.peer.discovery import DiscoverySupport
from fastledger.node.peer.gateway import GatewayView, Network
from fastledger.policies import from_string, n_out_of_role
from fastledger.protos.gossip.message_pb2 import Chaincode, Envelope, Properties
from fastledger.protos.msp.identities_pb2 import SerializedIdentity
from fastledger.protos.peer import collection_pb2, policy_pb2
from fastledger.protos.peer.lifecycle import chaincode_definition_pb2 as definition_pb2
from fastledger.protos.peer.lifecycle import db_pb2
from fastledger.protos.peer.proposal_response_pb2 import ChaincodeInterest
from fastledger.protoutil.signed_data import SignedData
from fastledger.protoutil.signer import Signer
from old_channels import CHANNEL, OldChannel, begin, require, writes

ORGANIZATIONS = ["Org1MSP", "Org2MSP"]
POLICY = "/Channel/Application/LifecycleEndorsement"
MEMBER = "OR('Org1MSP.member')"


@pytest.fixture
def upgraded(open_corpus: OpenCorpus) -> OldChannel:
    """A channel of 1.0 that has the capabilities of 2.0, and no policy for its lifecycle."""
    channel = begin(open_corpus("v11").folder)
    channel.block((channel.deploy("old"), Code.VALID))
    channel.update(require(orderer="V2_0"))
    channel.update(require(channel="V2_0", application="V2_0"))
    return channel


@dataclass
class Neighbor:
    """A peer as gossip knows it."""

    identity: bytes
    envelope: Envelope

    @classmethod
    def of(cls, signer: Signer) -> "Neighbor":
        return cls(signer.serialized, Envelope(payload=signer.serialized))

    @property
    def pki_id(self) -> bytes:
        return pki_id_of(self.identity)

    @property
    def mspid(self) -> str:
        return SerializedIdentity.FromString(self.identity).mspid

    @property
    def endpoint(self) -> str:
        return f"peer.of.{self.mspid}"

    @property
    def properties(self) -> Properties:
        return Properties(chaincodes=[Chaincode(name=LIFECYCLE, version="1")])


class Peer:
    """What discovery and gateway of one peer say of a channel."""

    def __init__(self, ledger: fastledger.Ledger, bundle: Bundle, peers: list[Signer]) -> None:
        neighbors = [Neighbor.of(signer) for signer in peers]
        channel: Any = SimpleNamespace(
            id=CHANNEL, ledger=ledger, bundle=bundle, height=ledger.height
        )
        gossip: Any = SimpleNamespace(
            own_id=neighbors[0].pki_id,
            alive=lambda: neighbors,
            of_channel=lambda _: neighbors,
        )
        channels: Any = SimpleNamespace(channel=lambda _: channel)
        anything: Any = SimpleNamespace(connect=None)
        self.analyzer = EndorsementAnalyzer(DiscoverySupport(channels, gossip, anything))
        network = Network(gossip, self.analyzer, anything, "Org1MSP", "own", lambda *_: True)
        self.gateway = GatewayView(channel, network, anything, list)


def signed(*signers: Signer) -> list[SignedData]:
    return [SignedData(b"said", one.serialized, one.sign(b"said")) for one in signers]


def test_without_a_policy_for_the_lifecycle_everybody_wants_the_majority(
    upgraded: OldChannel, tmp_path: Path
) -> None:
    one, other = upgraded.network.peers
    too_few = upgraded.invoke(LIFECYCLE, writes(LIFECYCLE, {"k": b"1"}), endorsers=[one])
    enough = upgraded.invoke(LIFECYCLE, writes(LIFECYCLE, {"k": b"2"}), endorsers=[one, other])
    assert not upgraded.bundle.has_policy(POLICY)
    majority = n_out_of_role(2, "member", ORGANIZATIONS)
    with fastledger.open(tmp_path / "ledger") as ledger:
        for block in upgraded.delivered:
            ledger.commit(block)
        with closing(ledger.view()) as view:
            policy = upgraded.bundle.endorsement_policy(view, LIFECYCLE)
            metadata = read_metadata(upgraded.bundle, view, LIFECYCLE, [])
        assert policy is not None
        assert upgraded.bundle.spelt_out(policy) == majority
        assert metadata is not None
        assert metadata.policy == majority
        peer = Peer(ledger, upgraded.bundle, [one, other])
        assert not peer.gateway.is_endorsed(LIFECYCLE, signed(one))
        assert not peer.gateway.is_endorsed(LIFECYCLE, signed(one, one))
        assert peer.gateway.is_endorsed(LIFECYCLE, signed(one, other))
        interest = ChaincodeInterest()
        interest.chaincodes.add(name=LIFECYCLE)
        plan = peer.gateway.endorsers_for(interest)
        assert [sum(layout.values()) for layout in plan.layouts] == [2]
        found = {one.mspid for group in plan.groups.values() for one in group}
        assert sorted(found) == ORGANIZATIONS
        upgraded.block((too_few, Code.ENDORSEMENT_POLICY_FAILURE), (enough, Code.VALID))
        assert ledger.commit(upgraded.delivered[-1]).codes == (
            Code.ENDORSEMENT_POLICY_FAILURE,
            Code.VALID,
        )


def test_a_channels_own_policy_for_the_lifecycle_is_everybodys(
    open_corpus: OpenCorpus, tmp_path: Path
) -> None:
    blocks = open_corpus("small").blocks("peer")
    bundle = Bundle.from_block(blocks[0])
    with fastledger.open(tmp_path / "ledger") as ledger:
        ledger.commit(blocks[0])
        with closing(ledger.view()) as view:
            policy = bundle.endorsement_policy(view, LIFECYCLE)
    expected = policy_pb2.ApplicationPolicy(channel_config_policy_reference=POLICY)
    assert policy == expected.SerializeToString()


def test_what_lscc_defines_has_lsccs_policy(upgraded: OldChannel, tmp_path: Path) -> None:
    with fastledger.open(tmp_path / "ledger") as ledger:
        for block in upgraded.delivered[:2]:
            ledger.commit(block)
        before = Bundle.from_block(upgraded.delivered[0])
        with closing(ledger.view()) as view:
            assert before.endorsement_policy(view, LIFECYCLE) is None, "1.x knows no lifecycle"
            assert read_metadata(before, view, LIFECYCLE, []) is None
            anybody = before.endorsement_policy(view, LSCC)
            assert anybody is not None
            assert before.spelt_out(anybody) == n_out_of_role(1, "member", ORGANIZATIONS)
            assert view.definition(LSCC) is None, "no state defines it"
            metadata = read_metadata(before, view, "old", [])
            defined = view.definition("old")
        assert metadata is not None
        assert defined is not None
        assert (defined.lifecycle, defined.version, defined.sequence) == (LSCC, "1", 0)
        assert metadata.policy.SerializeToString() == defined.validation_parameter


# Definitions are read in two places: by the core, and in simulations, whose reads are recorded.


def state_data(chance: random.Random, kind: str, value: Any) -> bytes:
    """Encode a field, now and then of another type, cut off, or not at all."""
    encoded = db_pb2.StateData(**{kind: value}).SerializeToString()
    fault = chance.randrange(24)
    if fault == 0:
        return db_pb2.StateData(String="text").SerializeToString()
    return encoded[:-1] if fault == 1 else encoded


def generated(chance: random.Random, name: str) -> dict[str, bytes]:
    """Keys of the state that define a chaincode, or try to."""
    collections = collection_pb2.CollectionConfigPackage()
    for number in range(chance.randrange(3)):
        one = collections.config.add().static_collection_config
        one.name, one.block_to_live = f"c{number}", number
        one.member_orgs_policy.signature_policy.CopyFrom(from_string(MEMBER))
    endorsement = definition_pb2.ChaincodeEndorsementInfo(
        version=chance.choice(["", "1.0", "ü"]),
        init_required=chance.random() < 0.5,
        endorsement_plugin=chance.choice(["escc", "other"]),
    )
    validation = definition_pb2.ChaincodeValidationInfo(
        validation_plugin=chance.choice(["vscc", "other"]),
        validation_parameter=chance.choice([b"", from_string(MEMBER).SerializeToString()]),
    )
    fields = {
        "Sequence": ("Int64", chance.choice([0, 1, 77, -1])),
        "EndorsementInfo": ("Bytes", endorsement.SerializeToString()),
        "ValidationInfo": ("Bytes", validation.SerializeToString()),
        "Collections": ("Bytes", collections.SerializeToString()),
    }
    kept = [field for field in fields if field == "ValidationInfo" or chance.random() < 0.9]
    datatype = chance.choice([DEFINITION] * 9 + ["ChaincodeParameters"])
    metadata = db_pb2.StateMetadata(datatype=datatype, fields=kept).SerializeToString()
    if chance.random() < 0.05:
        metadata = metadata[:-1]
    keys = {serializer.metadata_key(NAMESPACES, name): metadata}
    for field in kept:
        keys[serializer.field_key(NAMESPACES, name, field)] = state_data(chance, *fields[field])
    return keys


def both_readings(view: StateView, name: str) -> Iterator[ChaincodeDefinition | None]:
    """A chaincode's definition as a simulation and as the core reads it; None for an error."""
    try:
        yield read_committed(name, ViewState(view, LIFECYCLE))
    except FastledgerError:
        yield None
    try:
        found = view.definition(name)
        yield None if found is None else ChaincodeDefinition.committed(found)
    except FastledgerError:
        yield None


@pytest.mark.parametrize("seed", range(3))
def test_simulations_read_definitions_as_the_core_does(
    upgraded: OldChannel, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    names = [f"cc{number}" for number in range(150)]
    keys = {key: value for name in names for key, value in generated(chance, name).items()}
    upgraded.block((upgraded.invoke(LIFECYCLE, writes(LIFECYCLE, keys)), Code.VALID))
    readings = []
    with fastledger.open(tmp_path / "ledger") as ledger:
        for block in upgraded.delivered:
            assert set(ledger.commit(block).codes) == {Code.VALID}
        with closing(ledger.view()) as view:
            for name in names:
                simulated, core = both_readings(view, name)
                assert simulated == core, keys
                readings.append(core)
    sound = [one for one in readings if one is not None]
    assert 30 < len(sound) < 150
    assert any(one.collections.config for one in sound)


def test_real_definitions_are_read_alike(open_corpus: OpenCorpus, tmp_path: Path) -> None:
    corpus = open_corpus("small")
    prefix = serializer.metadata_key(NAMESPACES, "")
    with fastledger.open(tmp_path / "ledger") as ledger:
        list(ledger.commit_all(corpus.blocks("peer")))
        with closing(ledger.view()) as view:
            rows = view.range(LIFECYCLE, prefix, prefix + "\x7f")
            names = [row[2].decode().removeprefix(prefix) for row in rows]
            assert names
            for name in names:
                simulated, core = both_readings(view, name)
                assert simulated == core
                assert core is not None
