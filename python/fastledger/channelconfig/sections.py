# SPDX-License-Identifier: Apache-2.0
"""What the groups of a configuration hold, typed.

The core has checked every value before it is read here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from google.protobuf.message import Message

from fastledger.protos.common.configtx_pb2 import ConfigGroup
from fastledger.protos.common.configuration_pb2 import Capabilities, OrdererAddresses, Orderers
from fastledger.protos.common.policies_pb2 import Policy
from fastledger.protos.msp.msp_config_pb2 import FabricMSPConfig, MSPConfig
from fastledger.protos.orderer import configuration_pb2 as orderer_pb2
from fastledger.protos.peer.configuration_pb2 import ACLs, AnchorPeers

APPLICATION = "/Channel/Application"

_AnyMessage = TypeVar("_AnyMessage", bound=Message)


@dataclass(frozen=True, slots=True)
class AnchorPeer:
    """A peer that other organizations' peers may dial first."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class ApplicationOrg:
    """An organization that has peers on the channel."""

    name: str
    """Its group's name in the configuration, which need not be its MSP's."""

    anchor_peers: tuple[AnchorPeer, ...]


@dataclass(frozen=True, slots=True)
class Application:
    """The group ``/Channel/Application``."""

    orgs: Mapping[str, ApplicationOrg]
    """By MSP."""

    acls: Mapping[str, str]
    """The absolute path of the policy that guards a resource, for resources that are not left to
    the defaults."""

    capabilities: frozenset[str]


@dataclass(frozen=True, slots=True)
class BatchSize:
    """Limits of a block."""

    max_message_count: int
    absolute_max_bytes: int
    preferred_max_bytes: int


@dataclass(frozen=True, slots=True)
class OrdererOrg:
    """An organization that runs orderers."""

    name: str
    """Its group's name in the configuration."""

    endpoints: tuple[str, ...]
    """Addresses of its orderers, ``host:port``."""


@dataclass(frozen=True, slots=True)
class Consenter:
    """An orderer of a BFT channel."""

    id: int
    host: str
    port: int
    mspid: str
    identity: bytes
    """PEM."""

    client_tls_cert: bytes
    server_tls_cert: bytes


@dataclass(frozen=True, slots=True)
class Orderer:
    """The group ``/Channel/Orderer``."""

    consensus_type: str
    """solo, kafka, etcdraft or BFT."""

    consensus_metadata: bytes
    """Encoded, of the consensus type's own kind."""

    state: str
    """STATE_NORMAL or STATE_MAINTENANCE."""

    batch_size: BatchSize
    batch_timeout: float
    """Seconds."""

    max_channels: int
    """Channels that a system channel may make; 0 for any number."""

    consenters: tuple[Consenter, ...]
    capabilities: frozenset[str]
    orgs: Mapping[str, OrdererOrg]
    """By MSP."""


@dataclass(frozen=True, slots=True)
class Consortium:
    """Organizations that may make channels, of a system channel."""

    orgs: Mapping[str, str]
    """The organization's name, by MSP."""

    channel_creation_policy: Policy


def value(group: ConfigGroup, key: str, kind: type[_AnyMessage]) -> _AnyMessage:
    """Decode a group's value, empty where it has none."""
    return kind.FromString(group.values[key].value) if key in group.values else kind()


def capabilities(group: ConfigGroup) -> frozenset[str]:
    """Name what a group's Capabilities ask for."""
    return frozenset(value(group, "Capabilities", Capabilities).capabilities)


def application(group: ConfigGroup) -> Application:
    """Read the application group."""
    orgs = {}
    for name, org in sorted(group.groups.items()):
        anchors = value(org, "AnchorPeers", AnchorPeers).anchor_peers
        peers = tuple(AnchorPeer(anchor.host, anchor.port) for anchor in anchors)
        orgs[_mspid(org)] = ApplicationOrg(name, peers)
    resources = value(group, "ACLs", ACLs).acls
    named = {name: resource.policy_ref for name, resource in sorted(resources.items())}
    acls = {name: _absolute(reference) for name, reference in named.items() if reference}
    return Application(orgs, acls, capabilities(group))


def _absolute(reference: str) -> str:
    return reference if reference.startswith("/") else f"{APPLICATION}/{reference}"


def orderer(group: ConfigGroup, channel: ConfigGroup, batch_timeout: float) -> Orderer:
    """Read the orderer group.

    Args:
        group: The group.
        channel: The group above, which may list a BFT channel's orderers.
        batch_timeout: Seconds, as the core has read it.
    """
    consensus = value(group, "ConsensusType", orderer_pb2.ConsensusType)
    size = value(group, "BatchSize", orderer_pb2.BatchSize)
    orgs = {}
    for name, org in sorted(group.groups.items()):
        endpoints = tuple(value(org, "Endpoints", OrdererAddresses).addresses)
        orgs[_mspid(org)] = OrdererOrg(name, endpoints)
    state = orderer_pb2.ConsensusType.State.DESCRIPTOR.values_by_number.get(consensus.state)
    return Orderer(
        consensus_type=consensus.type,
        consensus_metadata=consensus.metadata,
        state=state.name if state else str(consensus.state),
        batch_size=BatchSize(
            size.max_message_count, size.absolute_max_bytes, size.preferred_max_bytes
        ),
        batch_timeout=batch_timeout,
        max_channels=value(group, "ChannelRestrictions", orderer_pb2.ChannelRestrictions).max_count,
        consenters=_consenters(group) or _consenters(channel),
        capabilities=capabilities(group),
        orgs=orgs,
    )


def _consenters(group: ConfigGroup) -> tuple[Consenter, ...]:
    return tuple(
        Consenter(
            id=one.id,
            host=one.host,
            port=one.port,
            mspid=one.msp_id,
            identity=one.identity,
            client_tls_cert=one.client_tls_cert,
            server_tls_cert=one.server_tls_cert,
        )
        for one in value(group, "Orderers", Orderers).consenter_mapping
    )


def consortiums(group: ConfigGroup) -> dict[str, Consortium]:
    """Read the consortiums of a system channel, by name."""
    return {
        name: Consortium(
            {_mspid(org): org_name for org_name, org in sorted(consortium.groups.items())},
            value(consortium, "ChannelCreationPolicy", Policy),
        )
        for name, consortium in sorted(group.groups.items())
    }


def _mspid(org: ConfigGroup) -> str:
    # An Idemix MSP's definition has its name in the same field.
    return FabricMSPConfig.FromString(value(org, "MSP", MSPConfig).config).name
