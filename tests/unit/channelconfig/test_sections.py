# SPDX-License-Identifier: Apache-2.0
"""Sections of generated configurations: the core says what protobuf's own library wrote."""

from collections.abc import Callable, Iterable

import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from corpora import Corpus
from fastledger.channelconfig import AnchorPeer, BatchSize, Bundle
from fastledger.protos.common import configuration_pb2 as common
from fastledger.protos.common.common_pb2 import Block, Envelope, Payload
from fastledger.protos.common.configtx_pb2 import Config, ConfigEnvelope, ConfigGroup
from fastledger.protos.orderer import configuration_pb2 as orderer_pb2
from fastledger.protos.peer import configuration_pb2 as peer_pb2

PORT = st.integers(-(2**31), 2**31 - 1)
UNSIGNED = st.integers(0, 2**32 - 1)
LIMIT = st.integers(1, 2**32 - 1)
TEXT = st.text(max_size=8)
TEXTS = st.lists(TEXT, max_size=3)
STATES = {0: "STATE_NORMAL", 1: "STATE_MAINTENANCE"}


@pytest.fixture(scope="module")
def copy(small: Corpus) -> Callable[[], Config]:
    """Copies a real channel's first configuration."""
    envelope = Envelope.FromString(Block.FromString(small.blocks()[0]).data.data[0])
    encoded = ConfigEnvelope.FromString(Payload.FromString(envelope.payload).data).config
    return lambda: Config.FromString(encoded.SerializeToString())


def put(group: ConfigGroup, key: str, message: Message) -> None:
    group.values[key].value = message.SerializeToString()


def capabilities(names: Iterable[str]) -> common.Capabilities:
    made = common.Capabilities()
    for name in names:
        made.capabilities[name].SetInParent()
    return made


def read(config: Config) -> Bundle:
    return Bundle.from_config("mychannel", config.SerializeToString())


@settings(deadline=None)
@given(data=st.data())
def test_the_orderer_section(copy: Callable[[], Config], data: st.DataObject) -> None:
    config = copy()
    group = config.channel_group.groups["Orderer"]
    absolute, preferred = sorted(data.draw(st.tuples(LIMIT, LIMIT)), reverse=True)
    size = BatchSize(data.draw(LIMIT), absolute, preferred)
    put(
        group,
        "BatchSize",
        orderer_pb2.BatchSize(
            max_message_count=size.max_message_count,
            absolute_max_bytes=absolute,
            preferred_max_bytes=preferred,
        ),
    )
    milliseconds = data.draw(st.integers(1, 10**7))
    put(group, "BatchTimeout", orderer_pb2.BatchTimeout(timeout=f"{milliseconds}ms"))
    consensus = orderer_pb2.ConsensusType(type=data.draw(TEXT), metadata=data.draw(st.binary()))
    state = data.draw(st.sampled_from([0, 1, 2, -1]))
    consensus.state = state  # type: ignore[assignment]  # proto3 takes numbers without a name
    put(group, "ConsensusType", consensus)
    most = data.draw(st.integers(0, 2**64 - 1))
    put(group, "ChannelRestrictions", orderer_pb2.ChannelRestrictions(max_count=most))
    brokers = data.draw(TEXTS)
    put(group, "KafkaBrokers", orderer_pb2.KafkaBrokers(brokers=brokers))
    mapping = [
        common.Consenter(
            id=data.draw(UNSIGNED),
            host=data.draw(TEXT),
            port=data.draw(UNSIGNED),
            msp_id=data.draw(TEXT),
            identity=data.draw(st.binary(max_size=9)),
            client_tls_cert=data.draw(st.binary(max_size=9)),
            server_tls_cert=data.draw(st.binary(max_size=9)),
        )
        for _ in range(data.draw(st.integers(0, 2)))
    ]
    put(group, "Orderers", common.Orderers(consenter_mapping=mapping))
    names = data.draw(st.sets(st.sampled_from(["V1_1", "V1_4_2", "V2_0", "V9_9"])))
    put(group, "Capabilities", capabilities(names))

    orderer = read(config).orderer
    assert orderer is not None
    assert orderer.batch_size == size
    assert orderer.batch_timeout == pytest.approx(milliseconds / 1000)
    assert orderer.consensus_type == consensus.type
    assert orderer.consensus_metadata == consensus.metadata
    assert orderer.state == STATES.get(state, str(state))
    assert orderer.max_channels == most
    assert orderer.kafka_brokers == tuple(brokers)
    assert orderer.capabilities.names == names
    for ours, theirs in zip(orderer.consenters, mapping, strict=True):
        assert (ours.id, ours.host, ours.port, ours.mspid) == (
            theirs.id,
            theirs.host,
            theirs.port,
            theirs.msp_id,
        )
        assert ours.identity == theirs.identity
        assert ours.client_tls_cert == theirs.client_tls_cert
        assert ours.server_tls_cert == theirs.server_tls_cert


@settings(deadline=None)
@given(own=TEXTS, listed=TEXTS)
def test_orderers_are_where_their_organizations_say(
    copy: Callable[[], Config], own: list[str], listed: list[str]
) -> None:
    config = copy()
    root = config.channel_group
    # Since V3_0 the channel has no list, and organizations must have endpoints.
    put(root, "Capabilities", capabilities({"V2_0"}))
    (org,) = root.groups["Orderer"].groups.values()
    put(org, "Endpoints", common.OrdererAddresses(addresses=own))
    put(root, "OrdererAddresses", common.OrdererAddresses(addresses=listed))
    bundle = read(config)
    assert bundle.orderer_addresses == tuple(own or listed)
    assert bundle.orderer is not None
    assert [org.endpoints for org in bundle.orderer.orgs.values()] == [tuple(own)]


@settings(deadline=None)
@given(data=st.data())
def test_the_application_section(copy: Callable[[], Config], data: st.DataObject) -> None:
    config = copy()
    group = config.channel_group.groups["Application"]
    resources = data.draw(st.dictionaries(TEXT, st.text("/abc", max_size=6), max_size=4))
    acls = peer_pb2.ACLs()
    for name, reference in resources.items():
        acls.acls[name].policy_ref = reference
    put(group, "ACLs", acls)
    anchors = {}
    for name, org in group.groups.items():
        drawn = data.draw(st.lists(st.tuples(TEXT, PORT), max_size=2))
        anchors[name] = tuple(AnchorPeer(host, port) for host, port in drawn)
        peers = [peer_pb2.AnchorPeer(host=host, port=port) for host, port in drawn]
        put(org, "AnchorPeers", peer_pb2.AnchorPeers(anchor_peers=peers))

    application = read(config).application
    assert application is not None
    # The network's groups have the names of their MSPs.
    assert {mspid: org.anchor_peers for mspid, org in application.orgs.items()} == anchors
    assert [org.name for org in application.orgs.values()] == list(application.orgs)
    assert application.acls == {
        name: reference if reference.startswith("/") else f"/Channel/Application/{reference}"
        for name, reference in resources.items()
        if reference
    }
