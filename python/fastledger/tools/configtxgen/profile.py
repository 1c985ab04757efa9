# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: RUF009 (setting() makes fields, as dataclasses.field does)
"""What a ``configtx.yaml`` says (Fabric: ``internal/configtxgen/genesisconfig``)."""

from dataclasses import dataclass
from typing import TypeVar

from fastledger.tools.configtxgen.settings import (
    duration,
    flag,
    listed,
    mapped,
    number,
    section,
    setting,
    size,
    text,
)

T = TypeVar("T")


def _none() -> None:
    return None


Capabilities = dict[str, bool]
"""Capabilities by name; those set to false are not required."""


@dataclass(slots=True)
class Policy:
    """A policy and how to read it."""

    type: str = setting("Type", text, str)
    """``Signature`` or ``ImplicitMeta``."""

    rule: str = setting("Rule", text, str)


Policies = dict[str, Policy]


@dataclass(slots=True)
class AnchorPeer:
    """A peer by which other organisations find this one."""

    host: str = setting("Host", text, str)
    port: int = setting("Port", number, int)


@dataclass(slots=True)
class Organization:
    """An organisation, of peers or of orderers."""

    name: str = setting("Name", text, str)
    id: str = setting("ID", text, str)
    """Its MSP's identifier."""

    msp_dir: str = setting("MSPDir", text, str)
    msp_type: str = setting("MSPType", text, str)
    policies: Policies = setting("Policies", mapped(section(Policy)), dict)
    anchor_peers: list[AnchorPeer] = setting("AnchorPeers", listed(section(AnchorPeer)), list)
    orderer_endpoints: list[str] = setting("OrdererEndpoints", listed(text), list)
    admin_principal: str = setting("AdminPrincipal", text, str)
    """Of Fabric 1.x, for the policies that it made up where none are given."""

    skip_as_foreign: bool = setting("SkipAsForeign", flag, bool)
    """Whether it is named only, because its MSP is not at hand."""


@dataclass(slots=True)
class Application:
    """What concerns peers."""

    organizations: list[Organization] = setting(
        "Organizations", listed(section(Organization)), list
    )
    capabilities: Capabilities = setting("Capabilities", mapped(flag), dict)
    policies: Policies = setting("Policies", mapped(section(Policy)), dict)
    acls: dict[str, str] = setting("ACLs", mapped(text), dict)


@dataclass(slots=True)
class Consortium:
    """Organisations that may make channels with one another."""

    organizations: list[Organization] = setting(
        "Organizations", listed(section(Organization)), list
    )


@dataclass(slots=True)
class BatchSize:
    """When a block is full."""

    max_message_count: int = setting("MaxMessageCount", number, int)
    absolute_max_bytes: int = setting("AbsoluteMaxBytes", size, int)
    preferred_max_bytes: int = setting("PreferredMaxBytes", size, int)


@dataclass(slots=True)
class Kafka:
    """Where Fabric 1.x keeps the order."""

    brokers: list[str] = setting("Brokers", listed(text), list)


@dataclass(slots=True)
class RaftConsenter:
    """An orderer of an etcdraft channel."""

    host: str = setting("Host", text, str)
    port: int = setting("Port", number, int)
    client_tls_cert: str = setting("ClientTLSCert", text, str)
    """Path of a certificate, as the next."""

    server_tls_cert: str = setting("ServerTLSCert", text, str)


@dataclass(slots=True)
class RaftOptions:
    """``etcdraft.Options``."""

    tick_interval: str = setting("TickInterval", text, str)
    election_tick: int = setting("ElectionTick", number, int)
    heartbeat_tick: int = setting("HeartbeatTick", number, int)
    max_inflight_blocks: int = setting("MaxInflightBlocks", number, int)
    snapshot_interval_size: int = setting("SnapshotIntervalSize", size, int)


@dataclass(slots=True)
class EtcdRaft:
    """``etcdraft.ConfigMetadata``."""

    consenters: list[RaftConsenter] = setting("Consenters", listed(section(RaftConsenter)), list)
    options: RaftOptions = setting("Options", section(RaftOptions), RaftOptions)


@dataclass(slots=True)
class BftConsenter:
    """An orderer of a BFT channel."""

    id: int = setting("ID", number, int)
    host: str = setting("Host", text, str)
    port: int = setting("Port", number, int)
    msp_id: str = setting("MSPID", text, str)
    identity: str = setting("Identity", text, str)
    """Path of a certificate, as the next two."""

    client_tls_cert: str = setting("ClientTLSCert", text, str)
    server_tls_cert: str = setting("ServerTLSCert", text, str)


@dataclass(slots=True)
class SmartBft:
    """``smartbft.Options``; what is not set stays zero."""

    request_batch_max_count: int = setting("RequestBatchMaxCount", number, int)
    request_batch_max_bytes: int = setting("RequestBatchMaxBytes", number, int)
    request_batch_max_interval: str = setting("RequestBatchMaxInterval", text, str)
    incoming_message_buffer_size: int = setting("IncomingMessageBufferSize", number, int)
    request_pool_size: int = setting("RequestPoolSize", number, int)
    request_forward_timeout: str = setting("RequestForwardTimeout", text, str)
    request_complain_timeout: str = setting("RequestComplainTimeout", text, str)
    request_auto_remove_timeout: str = setting("RequestAutoRemoveTimeout", text, str)
    request_max_bytes: int = setting("RequestMaxBytes", number, int)
    view_change_resend_interval: str = setting("ViewChangeResendInterval", text, str)
    view_change_timeout: str = setting("ViewChangeTimeout", text, str)
    leader_heartbeat_timeout: str = setting("LeaderHeartbeatTimeout", text, str)
    leader_heartbeat_count: int = setting("LeaderHeartbeatCount", number, int)
    collect_timeout: str = setting("CollectTimeout", text, str)
    sync_on_start: bool = setting("SyncOnStart", flag, bool)
    speed_up_view_change: bool = setting("SpeedUpViewChange", flag, bool)
    leader_rotation: int = setting("LeaderRotation", number, int)
    decisions_per_leader: int = setting("DecisionsPerLeader", number, int)


@dataclass(slots=True)
class Orderer:
    """What concerns orderers."""

    orderer_type: str = setting("OrdererType", text, str)
    addresses: list[str] = setting("Addresses", listed(text), list)
    batch_timeout: float = setting("BatchTimeout", duration, float)
    """Seconds."""

    batch_size: BatchSize = setting("BatchSize", section(BatchSize), BatchSize)
    kafka: Kafka = setting("Kafka", section(Kafka), Kafka)
    consenter_mapping: list[BftConsenter] = setting(
        "ConsenterMapping", listed(section(BftConsenter)), list
    )
    etcd_raft: EtcdRaft | None = setting("EtcdRaft", section(EtcdRaft), _none)
    smart_bft: SmartBft | None = setting("SmartBFT", section(SmartBft), _none)
    organizations: list[Organization] = setting(
        "Organizations", listed(section(Organization)), list
    )
    max_channels: int = setting("MaxChannels", number, int)
    capabilities: Capabilities = setting("Capabilities", mapped(flag), dict)
    policies: Policies = setting("Policies", mapped(section(Policy)), dict)


@dataclass(slots=True)
class Profile:
    """A channel to be."""

    consortium: str = setting("Consortium", text, str)
    application: Application | None = setting("Application", section(Application), _none)
    orderer: Orderer | None = setting("Orderer", section(Orderer), _none)
    consortiums: dict[str, Consortium] | None = setting(
        "Consortiums", mapped(section(Consortium)), _none
    )
    capabilities: Capabilities = setting("Capabilities", mapped(flag), dict)
    policies: Policies = setting("Policies", mapped(section(Policy)), dict)


@dataclass(slots=True)
class TopLevel:
    """The whole file."""

    profiles: dict[str, Profile] = setting("Profiles", mapped(section(Profile)), dict)
    organizations: list[Organization] = setting(
        "Organizations", listed(section(Organization)), list
    )
    channel: Profile | None = setting("Channel", section(Profile), _none)
    application: Application | None = setting("Application", section(Application), _none)
    orderer: Orderer | None = setting("Orderer", section(Orderer), _none)
    capabilities: dict[str, Capabilities] = setting("Capabilities", mapped(mapped(flag)), dict)
