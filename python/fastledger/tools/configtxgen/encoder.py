# SPDX-License-Identifier: Apache-2.0
"""A profile as the groups and values of a channel's configuration.

Fabric: ``internal/configtxgen/encoder``.
"""

import dataclasses
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from google.protobuf.message import Message

from fastledger.common.durations import format_duration
from fastledger.common.errors import FastledgerError, InputError, Unsupported
from fastledger.msp import load_msp_config
from fastledger.protos.common import configuration_pb2 as common_config
from fastledger.protos.common.configtx_pb2 import ConfigGroup
from fastledger.protos.common.policies_pb2 import ImplicitMetaPolicy
from fastledger.protos.orderer import configuration_pb2 as orderer_config
from fastledger.protos.orderer.etcdraft import configuration_pb2 as raft_config
from fastledger.protos.orderer.smartbft import configuration_pb2 as bft_config
from fastledger.protos.peer import configuration_pb2 as peer_config
from fastledger.tools.configtxgen import policy
from fastledger.tools.configtxgen.policy import Defaults
from fastledger.tools.configtxgen.profile import (
    Application,
    BftConsenter,
    Consortium,
    EtcdRaft,
    Orderer,
    Organization,
    Profile,
)

ORDERER_ADMINS = "/Channel/Orderer/Admins"

HASHING_ALGORITHM = "SHA256"
BLOCK_DATA_HASHING_WIDTH = 0xFFFFFFFF
"""A Merkle tree so wide that it is one hash."""

_NO_DEFAULTS = Defaults(are_made_up=False)

V3_0 = "V3_0"
"""The channel capability with which orderers belong to organizations alone."""


def add_value(
    group: ConfigGroup, name: str, value: Message, mod_policy: str = policy.ADMINS
) -> None:
    """Set one value of a group."""
    group.values[name].value = value.SerializeToString(deterministic=True)
    group.values[name].mod_policy = mod_policy


def channel_group(profile: Profile) -> ConfigGroup:
    """Build the root group.

    Raises:
        InputError: The profile cannot be put into a configuration.
        OSError: A certificate that it names cannot be read.
    """
    group = ConfigGroup(mod_policy=policy.ADMINS)
    defaults = policy.Defaults(profile.is_of_1_x)
    policy.add_policies(group, profile.policies, defaults.of_group(), "channel group")
    add_value(group, "HashingAlgorithm", common_config.HashingAlgorithm(name=HASHING_ALGORITHM))
    add_value(
        group,
        "BlockDataHashingStructure",
        common_config.BlockDataHashingStructure(width=BLOCK_DATA_HASHING_WIDTH),
    )
    if profile.orderer is not None and profile.orderer.addresses:
        addresses = common_config.OrdererAddresses(addresses=profile.orderer.addresses)
        add_value(group, "OrdererAddresses", addresses, ORDERER_ADMINS)
    if profile.consortium:
        add_value(group, "Consortium", common_config.Consortium(name=profile.consortium))
    _add_capabilities(group, profile.capabilities)
    if profile.orderer is not None:
        with doing("could not create orderer group"):
            made = _orderer_group(profile.orderer, profile.capabilities, defaults)
        group.groups["Orderer"].CopyFrom(made)
    if profile.application is not None:
        with doing("could not create application group"):
            made = _application_group(profile.application, defaults)
        group.groups["Application"].CopyFrom(made)
    if profile.consortiums is not None:
        with doing("could not create consortiums group"):
            made = _consortiums_group(profile.consortiums, defaults)
        group.groups["Consortiums"].CopyFrom(made)
    return group


@contextmanager
def doing(what: str) -> Iterator[None]:
    """Say in errors what was being done."""
    try:
        yield
    except FastledgerError as error:
        raise InputError(f"{what}: {error}") from error


def _add_capabilities(group: ConfigGroup, capabilities: Mapping[str, bool]) -> None:
    if not capabilities:
        return
    value = common_config.Capabilities()
    for name, required in capabilities.items():
        if required:
            value.capabilities[name].SetInParent()
    add_value(group, "Capabilities", value)


def _orderer_group(
    orderer: Orderer, channel_capabilities: Mapping[str, bool], defaults: Defaults
) -> ConfigGroup:
    is_v3 = channel_capabilities.get(V3_0, False)
    if orderer.orderer_type == "BFT" and not is_v3:
        raise InputError("orderer type BFT must be used with V3_0 channel capability")
    if orderer.addresses and is_v3:
        raise InputError(
            "global orderer endpoints exist, but can not be used with V3_0 capability: "
            f"{orderer.addresses}"
        )
    group = ConfigGroup(mod_policy=policy.ADMINS)
    policy.add_policies(
        group,
        orderer.policies,
        defaults.of_orderer_group(),
        "orderer group",
        (policy.BLOCK_VALIDATION, *policy.REQUIRED),
    )
    size = orderer_config.BatchSize(**dataclasses.asdict(orderer.batch_size))
    add_value(group, "BatchSize", size)
    timeout = orderer_config.BatchTimeout(timeout=format_duration(orderer.batch_timeout))
    add_value(group, "BatchTimeout", timeout)
    restrictions = orderer_config.ChannelRestrictions(max_count=orderer.max_channels)
    add_value(group, "ChannelRestrictions", restrictions)
    _add_capabilities(group, orderer.capabilities)
    consensus = orderer_config.ConsensusType(
        type=orderer.orderer_type, metadata=_consensus(group, orderer)
    )
    add_value(group, "ConsensusType", consensus)
    for organization in orderer.organizations:
        with doing("failed to create orderer org"):
            made = orderer_org_group(organization, channel_capabilities, defaults)
        group.groups[organization.name].CopyFrom(made)
    return group


def _consensus(group: ConfigGroup, orderer: Orderer) -> bytes:
    """Add what one consensus needs to the orderer group; return its metadata."""
    if orderer.orderer_type == "kafka":
        brokers = orderer_config.KafkaBrokers(brokers=orderer.kafka.brokers)
        add_value(group, "KafkaBrokers", brokers)
    if orderer.orderer_type == "etcdraft" and orderer.etcd_raft is not None:
        return _raft_metadata(orderer.etcd_raft)
    if orderer.orderer_type == "BFT" and orderer.smart_bft is not None:
        consenters = [_bft_consenter(consenter) for consenter in orderer.consenter_mapping]
        add_value(group, "Orderers", common_config.Orderers(consenter_mapping=consenters))
        quorum = policy.bft_block_validation(consenters)
        policy.set_policy(group, policy.BLOCK_VALIDATION, quorum)
        options = bft_config.Options(**dataclasses.asdict(orderer.smart_bft))
        return options.SerializeToString()
    return b""


def _raft_metadata(raft: EtcdRaft) -> bytes:
    metadata = raft_config.ConfigMetadata(
        options=raft_config.Options(**dataclasses.asdict(raft.options))
    )
    for consenter in raft.consenters:
        where = f"{consenter.host}:{consenter.port}"
        metadata.consenters.add(
            host=consenter.host,
            port=consenter.port,
            client_tls_cert=_certificate(consenter.client_tls_cert, "client cert", where),
            server_tls_cert=_certificate(consenter.server_tls_cert, "server cert", where),
        )
    return metadata.SerializeToString()


def _bft_consenter(consenter: BftConsenter) -> common_config.Consenter:
    where = f"{consenter.host}:{consenter.port}"
    return common_config.Consenter(
        id=consenter.id,
        host=consenter.host,
        port=consenter.port,
        msp_id=consenter.msp_id,
        identity=_certificate(consenter.identity, "identity", where),
        client_tls_cert=_certificate(consenter.client_tls_cert, "client cert", where),
        server_tls_cert=_certificate(consenter.server_tls_cert, "server cert", where),
    )


def _certificate(path: str | bytes | None, what: str, consenter: str) -> bytes:
    shown = os.fsdecode(path or "")
    try:
        return Path(shown).read_bytes()
    except (OSError, ValueError) as error:
        reason = f"open {shown}: {error.strerror if isinstance(error, OSError) else error}"
        raise InputError(f"cannot load {what} for consenter {consenter}: {reason}") from error


def _application_group(application: Application, defaults: Defaults) -> ConfigGroup:
    group = ConfigGroup(mod_policy=policy.ADMINS)
    policy.add_policies(group, application.policies, defaults.of_group(), "application group")
    if application.acls:
        acls = peer_config.ACLs()
        for name, reference in application.acls.items():
            acls.acls[name].policy_ref = reference
        add_value(group, "ACLs", acls)
    _add_capabilities(group, application.capabilities)
    for organization in application.organizations:
        with doing("failed to create application org"):
            made = application_org_group(organization, defaults)
        group.groups[organization.name].CopyFrom(made)
    return group


def application_org_group(
    organization: Organization, defaults: Defaults = _NO_DEFAULTS
) -> ConfigGroup:
    """Build the group of an organization with peers."""
    where = f"application org group {organization.name}"
    group = _org_group(organization, where, defaults)
    if organization.anchor_peers and not organization.skip_as_foreign:
        peers = peer_config.AnchorPeers()
        for anchor in organization.anchor_peers:
            peers.anchor_peers.add(host=anchor.host, port=_int32(anchor.port))
        add_value(group, "AnchorPeers", peers)
    return group


def _int32(number: int) -> int:
    """Cut a number as Go converts it to 32 bits."""
    return (number + (1 << 31)) % (1 << 32) - (1 << 31)


def orderer_org_group(
    organization: Organization,
    channel_capabilities: Mapping[str, bool],
    defaults: Defaults = _NO_DEFAULTS,
) -> ConfigGroup:
    """Build the group of an organization with orderers."""
    where = f"orderer org group '{organization.name}'"
    group = _org_group(organization, where, defaults)
    if organization.skip_as_foreign:
        return group
    if organization.orderer_endpoints:
        endpoints = common_config.OrdererAddresses(addresses=organization.orderer_endpoints)
        add_value(group, "Endpoints", endpoints)
    elif channel_capabilities.get(V3_0):
        raise InputError(
            f"orderer endpoints for organization {organization.name} are missing and must be "
            "configured when capability V3_0 is enabled"
        )
    return group


def _org_group(organization: Organization, where: str, defaults: Defaults) -> ConfigGroup:
    group = ConfigGroup(mod_policy=policy.ADMINS)
    if organization.skip_as_foreign:
        return group
    if organization.msp_type != "bccsp":
        raise Unsupported(f"{organization.name}: MSP type {organization.msp_type}; only bccsp is")
    try:
        config = load_msp_config(Path(organization.msp_dir), organization.id)
    except (FastledgerError, OSError, ValueError) as error:
        raise InputError(
            f"1 - Error loading MSP configuration for org: {organization.name}: {error}"
        ) from error
    members_are_admins = organization.admin_principal != "Role.ADMIN"
    made_up = defaults.of_organization(organization.id, members_are_admins=members_are_admins)
    policy.add_policies(group, organization.policies, made_up, where)
    add_value(group, "MSP", config)
    return group


def _consortiums_group(consortiums: Mapping[str, Consortium], defaults: Defaults) -> ConfigGroup:
    group = ConfigGroup(mod_policy=ORDERER_ADMINS)
    policy.set_policy(group, policy.ADMINS, policy.accept_all(), ORDERER_ADMINS)
    for name, consortium in consortiums.items():
        with doing(f"failed to create consortium {name}"):
            made = _consortium_group(consortium.organizations, defaults)
        group.groups[name].CopyFrom(made)
    return group


def _consortium_group(organizations: Iterable[Organization], defaults: Defaults) -> ConfigGroup:
    group = ConfigGroup(mod_policy=ORDERER_ADMINS)
    for organization in organizations:
        where = f"consortiums org group '{organization.name}'"
        with doing("failed to create consortium org"):
            made = _org_group(organization, where, defaults)
        group.groups[organization.name].CopyFrom(made)
    creation = policy.implicit_meta(ImplicitMetaPolicy.ANY, policy.ADMINS)
    add_value(group, "ChannelCreationPolicy", creation, ORDERER_ADMINS)
    return group
