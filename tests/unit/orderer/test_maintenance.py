# SPDX-License-Identifier: Apache-2.0
"""How the kind of consensus may change: the cases of Fabric's maintenancefilter_test.go."""

from types import SimpleNamespace

import pytest

from fastledger.channelconfig import OrdererCapabilities
from fastledger.orderer.errors import Rejected
from fastledger.orderer.msgprocessor.maintenance import check_maintenance
from fastledger.protos.common.common_pb2 import ChannelHeader, HeaderType, Payload
from fastledger.protos.common.configtx_pb2 import ConfigEnvelope, ConfigUpdate, ConfigUpdateEnvelope

NORMAL, MAINTENANCE = "STATE_NORMAL", "STATE_MAINTENANCE"


def bundle(state: str, kind: str, metadata: bytes = b"", capability: str = "V2_0"):
    values = SimpleNamespace(
        state=state,
        consensus_type=kind,
        consensus_metadata=metadata,
        capabilities=OrdererCapabilities({capability}),
        orgs={},
    )
    return SimpleNamespace(orderer=values)


def update(*paths: str) -> ConfigEnvelope:
    """An update that writes these: groups by name, values as Group/Value."""
    written = ConfigUpdate()
    for path in paths:
        group = written.write_set
        *groups, leaf = path.split("/")
        for name in groups:
            group = group.groups[name]
        if leaf[0] == "=":
            group.values[leaf[1:]].version = 1
        else:
            group.groups[leaf].version = 0
    payload = Payload()
    header = ChannelHeader(type=HeaderType.CONFIG_UPDATE, channel_id="channel")
    payload.header.channel_header = header.SerializeToString()
    payload.data = ConfigUpdateEnvelope(
        config_update=written.SerializeToString()
    ).SerializeToString()
    envelope = ConfigEnvelope()
    envelope.last_update.payload = payload.SerializeToString()
    return envelope


ONLY_TYPE = "Orderer/=ConsensusType"
BATCH = "Orderer/=BatchSize"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (bundle(NORMAL, "solo"), bundle(NORMAL, "solo")),
        (bundle(NORMAL, "kafka"), bundle(MAINTENANCE, "kafka")),
        (bundle(MAINTENANCE, "kafka"), bundle(MAINTENANCE, "solo")),
        (bundle(MAINTENANCE, "etcdraft", b"m"), bundle(NORMAL, "etcdraft", b"m")),
        (bundle(NORMAL, "etcdraft", b"one"), bundle(NORMAL, "etcdraft", b"two")),
        (bundle(NORMAL, "solo", capability="V1_1"), bundle(NORMAL, "solo", capability="V1_1")),
    ],
)
def test_what_may_change(before, after) -> None:
    check_maintenance(before, after, update(ONLY_TYPE))


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (
            bundle(NORMAL, "solo", capability="V1_1"),
            bundle(MAINTENANCE, "solo"),
            (
                "next config attempted to change ConsensusType.State to STATE_MAINTENANCE, "
                "but capability is disabled"
            ),
        ),
        (
            bundle(NORMAL, "solo", capability="V1_1"),
            bundle(NORMAL, "etcdraft"),
            (
                "next config attempted to change ConsensusType.Type from solo to etcdraft, "
                "but capability is disabled"
            ),
        ),
        (
            bundle(NORMAL, "kafka"),
            bundle(NORMAL, "etcdraft"),
            (
                "attempted to change consensus type from kafka to etcdraft, "
                "but current config ConsensusType.State is not in maintenance mode"
            ),
        ),
        (
            bundle(MAINTENANCE, "kafka"),
            bundle(NORMAL, "etcdraft"),
            (
                "attempted to change ConsensusType.Type from kafka to etcdraft, "
                "but ConsensusType.State is changing from STATE_MAINTENANCE to STATE_NORMAL"
            ),
        ),
        (
            bundle(NORMAL, "etcdraft", b"one"),
            bundle(MAINTENANCE, "etcdraft", b"two"),
            (
                "attempted to change ConsensusType.Metadata, "
                "but ConsensusType.State is changing from STATE_NORMAL to STATE_MAINTENANCE"
            ),
        ),
        (
            bundle(MAINTENANCE, "kafka"),
            bundle(MAINTENANCE, "hidden"),
            "attempted to change consensus type from kafka to hidden, transition not supported",
        ),
    ],
)
def test_what_may_not(before, after, reason: str) -> None:
    with pytest.raises(Rejected) as refusal:
        check_maintenance(before, after, update(ONLY_TYPE))
    assert str(refusal.value) == reason


@pytest.mark.parametrize(
    ("paths", "reason"),
    [
        ((), "config update contains no changes"),
        (("=Capabilities", ONLY_TYPE), "config update contains changes to values in group Channel"),
        ((ONLY_TYPE, "Application"), "config update contains changes to more than one group"),
        (("Application",), "update does not contain the Orderer group"),
        ((ONLY_TYPE, "Orderer/Org"), "contains changes to groups within the Orderer group"),
        ((BATCH,), "config update does not contain the ConsensusType value"),
        ((ONLY_TYPE, BATCH), "contain more then just the ConsensusType value"),
    ],
)
def test_entering_maintenance_goes_alone(paths: tuple[str, ...], reason: str) -> None:
    with pytest.raises(Rejected, match=reason):
        check_maintenance(bundle(NORMAL, "kafka"), bundle(MAINTENANCE, "kafka"), update(*paths))
