# SPDX-License-Identifier: Apache-2.0
"""What a BFT configuration must be (Fabric: ``orderer/consensus/smartbft``).

``util`` judges the options, ``configverifier.go`` the policy for blocks, and the rules of
maintenance (``msgprocessor/maintenancefilter.go``) the consenters who come from etcdraft. The texts
are Fabric's.
"""

from google.protobuf.message import DecodeError, Message

from fastledger._core import Certificate
from fastledger.channelconfig import Bundle, Consenter
from fastledger.common.errors import IdentityRefused, InputError
from fastledger.orderer.capabilities import orderer_of
from fastledger.orderer.consensus.rules import Rules, check_orderer_organizations
from fastledger.orderer.consensus.smartbft.options import check_options
from fastledger.protos.orderer.etcdraft.configuration_pb2 import ConfigMetadata
from fastledger.protos.orderer.etcdraft.configuration_pb2 import Consenter as RaftConsenter
from fastledger.protos.orderer.smartbft.configuration_pb2 import Options


def check_endpoints(bundle: Bundle) -> None:
    """Refuse orderers' organizations without endpoints: BFT channels have no other addresses."""
    for org in orderer_of(bundle).orgs.values():
        if not org.endpoints:
            raise InputError(
                "illegal orderer config detected during consensus metadata validation: "
                f"endpoints of org {org.name} are missing"
            )


def check_config(bundle: Bundle) -> None:
    """Refuse options or consenters that no channel can begin with."""
    values = orderer_of(bundle)
    options = Options()
    _decode(options, values.consensus_metadata, "failed to unmarshal consensus metadata")
    # The consensus cuts no batches of its own: the channel's limits are its limits.
    options.request_batch_max_count = values.batch_size.max_message_count
    options.request_batch_max_bytes = values.batch_size.absolute_max_bytes
    try:
        check_options(options)
    except InputError as error:
        raise InputError(f"failed parsing smartbft configuration: {error}") from error
    if options.leader_rotation == Options.ROTATION_ON:
        raise InputError("leader rotation must be turned off for this version or be unspecified")
    for consenter in values.consenters:
        _check_consenter(bundle, consenter)


def check_migration(current: Bundle, following: Bundle) -> None:
    """Refuse options that do not work, and other consenters than etcdraft had."""
    options = Options()
    metadata = orderer_of(following).consensus_metadata
    _decode(options, metadata, "failed to unmarshal BFT metadata configuration")
    try:
        check_options(options)
    except InputError as error:
        raise InputError("invalid BFT metadata configuration") from error
    raft = ConfigMetadata()
    _decode(raft, orderer_of(current).consensus_metadata, "current metadata")
    try:
        _check_mapping(list(raft.consenters), list(orderer_of(following).consenters))
    except InputError as error:
        raise InputError(f"invalid BFT consenter mapping configuration: {error}") from error


def _check_mapping(raft: list[RaftConsenter], bft: list[Consenter]) -> None:
    if not bft:
        raise InputError("Invalid new config: bft consenters are missing")
    if len(raft) != len(bft):
        raise InputError(
            f"Invalid new config: the number of bft consenters: {len(bft)} is not equal to the "
            f"number of raft consenters: {len(raft)}"
        )
    known = {(one.host, one.port, one.server_tls_cert, one.client_tls_cert) for one in bft}
    for one in raft:
        if (one.host, one.port, one.server_tls_cert, one.client_tls_cert) not in known:
            raise InputError(f"No suitable BFT consenter for Raft consenter: {one.host}:{one.port}")


def _check_consenter(bundle: Bundle, consenter: Consenter) -> None:
    """Refuse a consenter whom no other could reach, or know."""
    where = f"consenter {consenter.id} ({consenter.host}:{consenter.port})"
    if consenter.mspid not in bundle.msp_ids:
        raise InputError(f"{where}: no MSP found for MSP with ID of {consenter.mspid}")
    for what, pem in (
        ("identity", consenter.identity),
        ("client TLS certificate", consenter.client_tls_cert),
        ("server TLS certificate", consenter.server_tls_cert),
    ):
        try:
            Certificate(pem)
        except (IdentityRefused, InputError) as error:
            raise InputError(f"{where}: its {what}: {error}") from error


def _decode(message: Message, encoded: bytes, what: str) -> None:
    try:
        message.ParseFromString(encoded)
    except DecodeError as error:
        raise InputError(f"{what}: {error}") from error


RULES = Rules(
    check_config=check_config,
    check_update=check_orderer_organizations,
    check_new_channel=lambda _, channel: check_config(channel),
    check_migration=check_migration,
)
"""The rules of BFT."""
