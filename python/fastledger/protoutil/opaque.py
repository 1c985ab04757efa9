# SPDX-License-Identifier: Apache-2.0
"""Which message stands inside which ``bytes`` field.

Fabric nests messages as opaque bytes, because they are signed or hashed as bytes. What they hold
depends on the field, and for some on what stands around it: a payload's header type, a
configuration value's name, a written key's namespace. :func:`inner_type` knows; a
:class:`Scope` carries what stands around.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

from google.protobuf.message import DecodeError, Message

from fastledger.protos.common import (
    common_pb2,
    configtx_pb2,
    configuration_pb2,
    policies_pb2,
)
from fastledger.protos.ledger.rwset import rwset_pb2
from fastledger.protos.ledger.rwset.kvrwset import kv_rwset_pb2
from fastledger.protos.msp import identities_pb2, msp_config_pb2, msp_principal_pb2
from fastledger.protos.orderer import ab_pb2, kafka_pb2
from fastledger.protos.orderer import configuration_pb2 as orderer_pb2
from fastledger.protos.orderer.etcdraft import configuration_pb2 as raft_config_pb2
from fastledger.protos.orderer.etcdraft import metadata_pb2 as raft_pb2
from fastledger.protos.orderer.smartbft import configuration_pb2 as bft_config_pb2
from fastledger.protos.orderer.smartbft import messages_pb2 as bft_pb2
from fastledger.protos.peer import (
    admin_pb2,
    chaincode_event_pb2,
    chaincode_pb2,
    collection_pb2,
    policy_pb2,
    proposal_pb2,
    proposal_response_pb2,
    signed_cc_dep_spec_pb2,
    transaction_pb2,
)
from fastledger.protos.peer import configuration_pb2 as peer_pb2
from fastledger.protos.peer.lifecycle import chaincode_definition_pb2, db_pb2, lifecycle_pb2

MessageType = type[Message]


@dataclass(frozen=True, slots=True)
class Scope:
    """What stands around a message."""

    header_type: int = -1
    """``common.HeaderType`` of the enclosing payload."""

    namespace: str = ""
    """Chaincode whose reads and writes, or whose invocation, these are."""

    key: str = ""
    """The written key, or a configuration value's name."""

    slot: int = -1
    """``common.BlockMetadataIndex`` of the enclosing block metadata."""

    bft: bool = False
    """Whether the enclosing block metadata was signed by BFT consenters."""

    function: str = ""
    """First argument of the chaincode invocation."""

    def within(self, message: Message) -> "Scope":
        """Return the scope of what stands inside a message."""
        enter = _ENTER.get(message.DESCRIPTOR.full_name)
        return enter(self, message) if enter else self


def _enter_payload(scope: Scope, payload: Any) -> Scope:
    try:
        header = common_pb2.ChannelHeader.FromString(payload.header.channel_header)
    except DecodeError:
        return replace(scope, header_type=-1)
    return replace(scope, header_type=header.type)


def _enter_invocation(scope: Scope, spec: Any) -> Scope:
    arguments = spec.input.args
    function = arguments[0].decode("utf-8", "replace") if arguments else ""
    return replace(scope, namespace=spec.chaincode_id.name, function=function)


def _enter_metadata(scope: Scope, metadata: Any) -> Scope:
    return replace(scope, bft=any(entry.identifier_header for entry in metadata.signatures))


_ENTER: dict[str, Callable[[Scope, Any], Scope]] = {
    "common.Payload": _enter_payload,
    "common.Metadata": _enter_metadata,
    "protos.ChaincodeSpec": _enter_invocation,
    "common.OrdererBlockMetadata": lambda scope, _: replace(scope, slot=common_pb2.ORDERER),
    "rwset.NsReadWriteSet": lambda scope, message: replace(scope, namespace=message.namespace),
    "kvrwset.KVWrite": lambda scope, message: replace(scope, key=message.key),
    "kvrwset.KVMetadataEntry": lambda scope, message: replace(scope, key=message.name),
}

_PAYLOAD_DATA: dict[int, MessageType] = {
    common_pb2.CONFIG: configtx_pb2.ConfigEnvelope,
    common_pb2.CONFIG_UPDATE: configtx_pb2.ConfigUpdateEnvelope,
    common_pb2.ENDORSER_TRANSACTION: transaction_pb2.Transaction,
    common_pb2.ORDERER_TRANSACTION: common_pb2.Envelope,
    common_pb2.DELIVER_SEEK_INFO: ab_pb2.SeekInfo,
    common_pb2.CHAINCODE_PACKAGE: signed_cc_dep_spec_pb2.SignedChaincodeDeploymentSpec,
    common_pb2.PEER_ADMIN_OPERATION: admin_pb2.AdminOperation,
}

_CONFIG_VALUES: dict[str, MessageType] = {
    "ACLs": peer_pb2.ACLs,
    "AnchorPeers": peer_pb2.AnchorPeers,
    "BatchSize": orderer_pb2.BatchSize,
    "BatchTimeout": orderer_pb2.BatchTimeout,
    "BlockDataHashingStructure": configuration_pb2.BlockDataHashingStructure,
    "Capabilities": configuration_pb2.Capabilities,
    "ChannelCreationPolicy": policies_pb2.Policy,
    "ChannelRestrictions": orderer_pb2.ChannelRestrictions,
    "ConsensusType": orderer_pb2.ConsensusType,
    "Consortium": configuration_pb2.Consortium,
    "Endpoints": configuration_pb2.OrdererAddresses,
    "HashingAlgorithm": configuration_pb2.HashingAlgorithm,
    "KafkaBrokers": orderer_pb2.KafkaBrokers,
    "MSP": msp_config_pb2.MSPConfig,
    "OrdererAddresses": configuration_pb2.OrdererAddresses,
    "Orderers": configuration_pb2.Orderers,
}

_CONSENSUS_CONFIG: dict[str, MessageType] = {
    "etcdraft": raft_config_pb2.ConfigMetadata,
    "BFT": bft_config_pb2.Options,
}

_POLICIES: dict[int, MessageType] = {
    policies_pb2.Policy.SIGNATURE: policies_pb2.SignaturePolicyEnvelope,
    policies_pb2.Policy.IMPLICIT_META: policies_pb2.ImplicitMetaPolicy,
}

_PRINCIPALS: dict[int, MessageType] = {
    msp_principal_pb2.MSPPrincipal.ROLE: msp_principal_pb2.MSPRole,
    msp_principal_pb2.MSPPrincipal.ORGANIZATION_UNIT: msp_principal_pb2.OrganizationUnit,
    msp_principal_pb2.MSPPrincipal.IDENTITY: identities_pb2.SerializedIdentity,
    msp_principal_pb2.MSPPrincipal.ANONYMITY: msp_principal_pb2.MSPIdentityAnonymity,
    msp_principal_pb2.MSPPrincipal.COMBINED: msp_principal_pb2.CombinedPrincipal,
}

_MSP_CONFIGS: dict[int, MessageType] = {
    0: msp_config_pb2.FabricMSPConfig,
    1: msp_config_pb2.IdemixMSPConfig,
}

# Fields of a chaincode definition that _lifecycle keeps as bytes, by the last part of their key.
_DEFINITION_FIELDS: dict[str, MessageType] = {
    "EndorsementInfo": chaincode_definition_pb2.ChaincodeEndorsementInfo,
    "ValidationInfo": chaincode_definition_pb2.ChaincodeValidationInfo,
    "Collections": collection_pb2.CollectionConfigPackage,
}


def _slot_value(metadata: Any, scope: Scope) -> MessageType | None:
    if scope.slot == common_pb2.SIGNATURES:
        return common_pb2.OrdererBlockMetadata
    if scope.slot == common_pb2.LAST_CONFIG:
        return common_pb2.LastConfig
    if scope.slot == common_pb2.ORDERER:
        # Nothing names the consenter, but its first field does: raft's is packed, Kafka's a varint.
        return {b"\x0a": raft_pb2.BlockMetadata, b"\x08": kafka_pb2.KafkaMetadata}.get(
            metadata.value[:1]
        )
    return None


def _written_value(message: Any, scope: Scope) -> MessageType | None:
    if scope.namespace == "_lifecycle":
        kind = message.key.split("/")[1:2]
        return {"metadata": db_pb2.StateMetadata, "fields": db_pb2.StateData}.get("".join(kind))
    if scope.namespace == "lscc":
        if message.key.endswith("~collection"):
            return collection_pb2.CollectionConfigPackage
        return chaincode_pb2.ChaincodeData
    return None


def _argument(scope: Scope, index: int) -> MessageType | None:
    if scope.namespace == "_lifecycle" and index == 1:
        return cast(MessageType | None, getattr(lifecycle_pb2, f"{scope.function}Args", None))
    if scope.namespace == "lscc" and scope.function in ("deploy", "upgrade"):
        return {
            2: chaincode_pb2.ChaincodeDeploymentSpec,
            3: policies_pb2.SignaturePolicyEnvelope,
            6: collection_pb2.CollectionConfigPackage,
        }.get(index)
    return None


_Choice = Callable[[Any, Scope], MessageType | None]


def _always(kind: MessageType) -> _Choice:
    return lambda _message, _scope: kind


_IDENTITY = _always(identities_pb2.SerializedIdentity)
_SIGNATURE_HEADER = _always(common_pb2.SignatureHeader)
_APPLICATION_POLICY = _always(policy_pb2.ApplicationPolicy)

_FIELDS: dict[tuple[str, str], _Choice] = {
    ("common.BlockData", "data"): _always(common_pb2.Envelope),
    ("common.Envelope", "payload"): _always(common_pb2.Payload),
    ("common.Payload", "data"): lambda _, scope: _PAYLOAD_DATA.get(scope.header_type),
    ("common.Header", "channel_header"): _always(common_pb2.ChannelHeader),
    ("common.Header", "signature_header"): _SIGNATURE_HEADER,
    ("common.ChannelHeader", "extension"): lambda header, _: (
        proposal_pb2.ChaincodeHeaderExtension
        if header.type == common_pb2.ENDORSER_TRANSACTION
        else None
    ),
    ("common.SignatureHeader", "creator"): _IDENTITY,
    ("common.MetadataSignature", "signature_header"): _SIGNATURE_HEADER,
    ("common.MetadataSignature", "identifier_header"): _always(common_pb2.IdentifierHeader),
    ("common.Metadata", "value"): _slot_value,
    ("common.OrdererBlockMetadata", "consenter_metadata"): lambda _, scope: (
        bft_pb2.ViewMetadata if scope.bft else common_pb2.Metadata
    ),
    ("common.ConfigUpdateEnvelope", "config_update"): _always(configtx_pb2.ConfigUpdate),
    ("common.ConfigSignature", "signature_header"): _SIGNATURE_HEADER,
    ("common.ConfigValue", "value"): lambda _, scope: _CONFIG_VALUES.get(scope.key),
    ("common.Policy", "value"): lambda policy, _: _POLICIES.get(policy.type),
    ("common.MSPPrincipal", "principal"): lambda principal, _: _PRINCIPALS.get(
        principal.principal_classification
    ),
    ("msp.MSPConfig", "config"): lambda config, _: _MSP_CONFIGS.get(config.type),
    ("orderer.ConsensusType", "metadata"): lambda message, _: _CONSENSUS_CONFIG.get(message.type),
    ("protos.TransactionAction", "header"): _SIGNATURE_HEADER,
    ("protos.TransactionAction", "payload"): _always(transaction_pb2.ChaincodeActionPayload),
    ("protos.ChaincodeActionPayload", "chaincode_proposal_payload"): _always(
        proposal_pb2.ChaincodeProposalPayload
    ),
    ("protos.ChaincodeProposalPayload", "input"): _always(chaincode_pb2.ChaincodeInvocationSpec),
    ("protos.ChaincodeEndorsedAction", "proposal_response_payload"): _always(
        proposal_response_pb2.ProposalResponsePayload
    ),
    ("protos.Endorsement", "endorser"): _IDENTITY,
    ("protos.ProposalResponsePayload", "extension"): _always(proposal_pb2.ChaincodeAction),
    ("protos.ChaincodeAction", "results"): _always(rwset_pb2.TxReadWriteSet),
    ("protos.ChaincodeAction", "events"): _always(chaincode_event_pb2.ChaincodeEvent),
    ("protos.ChaincodeEvent", "payload"): lambda event, _: (
        chaincode_pb2.LifecycleEvent if event.chaincode_id == "lscc" else None
    ),
    ("protos.ChaincodeData", "data"): _always(chaincode_pb2.CDSData),
    ("rwset.NsReadWriteSet", "rwset"): _always(kv_rwset_pb2.KVRWSet),
    ("rwset.CollectionHashedReadWriteSet", "hashed_rwset"): _always(kv_rwset_pb2.HashedRWSet),
    ("kvrwset.KVWrite", "value"): _written_value,
    ("kvrwset.KVMetadataEntry", "value"): lambda entry, _: (
        policies_pb2.SignaturePolicyEnvelope if entry.name == "VALIDATION_PARAMETER" else None
    ),
    ("lifecycle.StateData", "Bytes"): lambda _, scope: _DEFINITION_FIELDS.get(
        scope.key.rpartition("/")[2]
    ),
    ("lifecycle.ChaincodeValidationInfo", "validation_parameter"): _APPLICATION_POLICY,
    ("lifecycle.ApproveChaincodeDefinitionForMyOrgArgs", "validation_parameter"): (
        _APPLICATION_POLICY
    ),
    ("lifecycle.CommitChaincodeDefinitionArgs", "validation_parameter"): _APPLICATION_POLICY,
    ("lifecycle.CheckCommitReadinessArgs", "validation_parameter"): _APPLICATION_POLICY,
}


def inner_type(message: Message, field: str, scope: Scope, index: int = 0) -> MessageType | None:
    """Return the type of the message inside a ``bytes`` field, None when it holds plain bytes.

    Args:
        message: The message that has the field.
        field: The field's name.
        scope: What stands around, :meth:`Scope.within` of the message included.
        index: Place in a repeated field.
    """
    name = message.DESCRIPTOR.full_name
    if (name, field) == ("protos.ChaincodeInput", "args"):
        return _argument(scope, index)
    choice = _FIELDS.get((name, field))
    return choice(message, scope) if choice else None
