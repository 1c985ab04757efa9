# SPDX-License-Identifier: Apache-2.0
"""What a ``configtx.yaml`` says (Fabric: ``internal/configtxgen/genesisconfig``)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from fastledger.common.durations import Duration
from fastledger.common.goyaml import Int, Int32, Pointer, Uint32, Uint64, key

OF_1_X = "V1_"
"""How the names of Fabric 1.x's capabilities begin."""

Capabilities = dict[str, bool]
"""Capabilities by name; those set to false are not required."""


@dataclass(slots=True)
class Policy:
    """A policy and how to read it."""

    type: str = key("Type", "")
    """``Signature`` or ``ImplicitMeta``."""

    rule: str = key("Rule", "")


Policies = dict[str, Annotated[Policy, Pointer]]


@dataclass(slots=True)
class AnchorPeer:
    """A peer by which other organizations find this one."""

    host: str = key("Host", "")
    port: Int = key("Port", 0)


@dataclass(slots=True)
class Organization:
    """An organization, of peers or of orderers."""

    name: str = key("Name", "")
    id: str = key("ID", "")
    """Its MSP's identifier."""

    msp_dir: str = key("MSPDir", "")
    msp_type: str = key("MSPType", "")
    policies: Policies | None = key("Policies", None)
    anchor_peers: list[Annotated[AnchorPeer, Pointer]] = key("AnchorPeers", list)
    orderer_endpoints: list[str] = key("OrdererEndpoints", list)
    admin_principal: str = key("AdminPrincipal", "")
    """Of Fabric 1.x, for the policies that it made up where none are given."""

    skip_as_foreign: bool = key("SkipAsForeign", False)
    """Whether it is named only, because its MSP is not at hand."""


@dataclass(slots=True)
class Application:
    """What concerns peers."""

    organizations: list[Annotated[Organization, Pointer]] = key("Organizations", list)
    capabilities: Capabilities = key("Capabilities", dict)
    policies: Policies | None = key("Policies", None)
    acls: dict[str, str] = key("ACLs", dict)


@dataclass(slots=True)
class Consortium:
    """Organizations that may make channels with one another."""

    organizations: list[Annotated[Organization, Pointer]] = key("Organizations", list)


@dataclass(slots=True)
class BatchSize:
    """When a block is full."""

    max_message_count: Uint32 = key("MaxMessageCount", 0)
    absolute_max_bytes: Uint32 = key("AbsoluteMaxBytes", 0)
    preferred_max_bytes: Uint32 = key("PreferredMaxBytes", 0)


@dataclass(slots=True)
class Kafka:
    """Where Fabric 1.x keeps the order."""

    brokers: list[str] = key("Brokers", list)


@dataclass(slots=True)
class RaftConsenter:
    """An orderer of an etcdraft channel."""

    host: str = key("Host", "")
    port: Uint32 = key("Port", 0)
    client_tls_cert: bytes | None = key("ClientTLSCert", None)
    """Path of a certificate, as the next."""

    server_tls_cert: bytes | None = key("ServerTLSCert", None)


@dataclass(slots=True)
class RaftOptions:
    """``etcdraft.Options``."""

    tick_interval: str = key("TickInterval", "")
    election_tick: Uint32 = key("ElectionTick", 0)
    heartbeat_tick: Uint32 = key("HeartbeatTick", 0)
    max_inflight_blocks: Uint32 = key("MaxInflightBlocks", 0)
    snapshot_interval_size: Uint32 = key("SnapshotIntervalSize", 0)


@dataclass(slots=True)
class EtcdRaft:
    """``etcdraft.ConfigMetadata``."""

    consenters: list[Annotated[RaftConsenter, Pointer]] = key("Consenters", list)
    options: RaftOptions = key("Options", RaftOptions)


@dataclass(slots=True)
class BftConsenter:
    """An orderer of a BFT channel."""

    id: Uint32 = key("ID", 0)
    host: str = key("Host", "")
    port: Uint32 = key("Port", 0)
    msp_id: str = key("MSPID", "")
    identity: str = key("Identity", "")
    """Path of a certificate, as the next two."""

    client_tls_cert: str = key("ClientTLSCert", "")
    server_tls_cert: str = key("ServerTLSCert", "")


@dataclass(slots=True)
class SmartBft:
    """``smartbft.Options``; what is not set stays zero."""

    request_batch_max_count: Uint64 = key("RequestBatchMaxCount", 0)
    request_batch_max_bytes: Uint64 = key("RequestBatchMaxBytes", 0)
    request_batch_max_interval: str = key("RequestBatchMaxInterval", "")
    incoming_message_buffer_size: Uint64 = key("IncomingMessageBufferSize", 0)
    request_pool_size: Uint64 = key("RequestPoolSize", 0)
    request_forward_timeout: str = key("RequestForwardTimeout", "")
    request_complain_timeout: str = key("RequestComplainTimeout", "")
    request_auto_remove_timeout: str = key("RequestAutoRemoveTimeout", "")
    request_max_bytes: Uint64 = key("RequestMaxBytes", 0)
    view_change_resend_interval: str = key("ViewChangeResendInterval", "")
    view_change_timeout: str = key("ViewChangeTimeout", "")
    leader_heartbeat_timeout: str = key("LeaderHeartbeatTimeout", "")
    leader_heartbeat_count: Uint64 = key("LeaderHeartbeatCount", 0)
    collect_timeout: str = key("CollectTimeout", "")
    sync_on_start: bool = key("SyncOnStart", False)
    speed_up_view_change: bool = key("SpeedUpViewChange", False)
    leader_rotation: Int32 = key("LeaderRotation", 0)
    decisions_per_leader: Uint64 = key("DecisionsPerLeader", 0)


@dataclass(slots=True)
class Orderer:
    """What concerns orderers."""

    orderer_type: str = key("OrdererType", "")
    addresses: list[str] = key("Addresses", list)
    batch_timeout: Duration = key("BatchTimeout", Duration(0))

    batch_size: BatchSize = key("BatchSize", BatchSize)
    kafka: Kafka = key("Kafka", Kafka)
    consenter_mapping: list[Annotated[BftConsenter, Pointer]] = key("ConsenterMapping", list)
    etcd_raft: EtcdRaft | None = key("EtcdRaft", None)
    smart_bft: SmartBft | None = key("SmartBFT", None)
    organizations: list[Annotated[Organization, Pointer]] = key("Organizations", list)
    max_channels: Uint64 = key("MaxChannels", 0)
    capabilities: Capabilities = key("Capabilities", dict)
    policies: Policies | None = key("Policies", None)


@dataclass(slots=True)
class Profile:
    """A channel to be."""

    consortium: str = key("Consortium", "")
    application: Application | None = key("Application", None)
    orderer: Orderer | None = key("Orderer", None)
    consortiums: dict[str, Annotated[Consortium, Pointer]] | None = key("Consortiums", None)
    capabilities: Capabilities = key("Capabilities", dict)
    policies: Policies | None = key("Policies", None)

    @property
    def is_of_1_x(self) -> bool:
        """Whether the channel is one of Fabric 1.x, by the capabilities that it has."""
        sections = (self, self.application, self.orderer)
        return are_of_1_x([one.capabilities for one in sections if one is not None])


def are_of_1_x(capabilities: Iterable[Capabilities]) -> bool:
    """Tell whether there are capabilities, and only those of Fabric 1.x."""
    names = [name for one in capabilities for name, required in one.items() if required]
    return bool(names) and all(name.startswith(OF_1_X) for name in names)


@dataclass(slots=True)
class TopLevel:
    """The whole file."""

    profiles: dict[str, Annotated[Profile, Pointer]] = key("Profiles", dict)
    organizations: list[Annotated[Organization, Pointer]] = key("Organizations", list)
    channel: Profile | None = key("Channel", None)
    application: Application | None = key("Application", None)
    orderer: Orderer | None = key("Orderer", None)
    capabilities: dict[str, Capabilities] = key("Capabilities", dict)

    @property
    def is_of_1_x(self) -> bool:
        """Whether the file is one of Fabric 1.x, by the capabilities in it."""
        sections = (self.channel, self.application, self.orderer)
        named = [one.capabilities for one in sections if one is not None]
        return are_of_1_x([*named, *self.capabilities.values()])
