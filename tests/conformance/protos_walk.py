# SPDX-License-Identifier: Apache-2.0
"""Walk through a message and all messages in its bytes fields.

test_protos_corpora.py says what for.
"""

import importlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.unknown_fields import UnknownFieldSet

import fastledger.protos
from fastledger.protos import descriptor_pool

# The message in a bytes field, where the field alone says it.
INSIDE = {
    "common.BlockData.data": "common.Envelope",
    "common.ConfigSignature.signature_header": "common.SignatureHeader",
    "common.ConfigUpdateEnvelope.config_update": "common.ConfigUpdate",
    "common.Envelope.payload": "common.Payload",
    "common.Header.channel_header": "common.ChannelHeader",
    "common.Header.signature_header": "common.SignatureHeader",
    "common.MetadataSignature.identifier_header": "common.IdentifierHeader",
    "common.MetadataSignature.signature_header": "common.SignatureHeader",
    "common.SignatureHeader.creator": "msp.SerializedIdentity",
    "discovery.AuthInfo.client_identity": "msp.SerializedIdentity",
    "discovery.Peer.identity": "msp.SerializedIdentity",
    "discovery.SignedRequest.payload": "discovery.Request",
    "gossip.AliveMessage.identity": "msp.SerializedIdentity",
    "gossip.ConnEstablish.identity": "msp.SerializedIdentity",
    "gossip.Envelope.payload": "gossip.GossipMessage",
    "gossip.Payload.data": "common.Block",
    "gossip.Payload.private_data": "gossip.PvtDataPayload",
    "gossip.PeerIdentity.cert": "msp.SerializedIdentity",
    "gossip.PrivatePayload.private_rwset": "kvrwset.KVRWSet",
    "gossip.PvtDataElement.payload": "kvrwset.KVRWSet",
    "gossip.PvtDataPayload.payload": "rwset.TxPvtReadWriteSet",
    "gossip.SecretEnvelope.payload": "gossip.Secret",
    "lifecycle.ChaincodeValidationInfo.validation_parameter": "protos.ApplicationPolicy",
    "privacyenabledstate.SnapshotRecord.metadata": "kvrwset.KVMetadataWrite",
    "protos.ChaincodeAction.events": "protos.ChaincodeEvent",
    "protos.ChaincodeAction.results": "rwset.TxReadWriteSet",
    "protos.ChaincodeActionPayload.chaincode_proposal_payload": "protos.ChaincodeProposalPayload",
    "protos.ChaincodeEndorsedAction.proposal_response_payload": "protos.ProposalResponsePayload",
    "protos.ChaincodeProposalPayload.input": "protos.ChaincodeInvocationSpec",
    "protos.Endorsement.endorser": "msp.SerializedIdentity",
    "protos.Proposal.header": "common.Header",
    "protos.Proposal.payload": "protos.ChaincodeProposalPayload",
    "protos.ProposalResponse.payload": "protos.ProposalResponsePayload",
    "protos.ProposalResponsePayload.extension": "protos.ChaincodeAction",
    "protos.SignedProposal.proposal_bytes": "protos.Proposal",
    "protos.TransactionAction.header": "common.SignatureHeader",
    "protos.TransactionAction.payload": "protos.ChaincodeActionPayload",
    "rwset.CollectionHashedReadWriteSet.hashed_rwset": "kvrwset.HashedRWSet",
    "rwset.CollectionPvtReadWriteSet.rwset": "kvrwset.KVRWSet",
}

# Payload.data by the channel header's type.
PAYLOAD = {
    1: "common.ConfigEnvelope",
    2: "common.ConfigUpdateEnvelope",
    3: "protos.Transaction",
    4: "common.Envelope",
    5: "orderer.SeekInfo",
    8: "protos.AdminOperation",
}

# Metadata.value by the slot of the block metadata; None: not a message.
METADATA: dict[int, str | None] = {
    0: "common.OrdererBlockMetadata",
    1: "common.LastConfig",
    3: "etcdraft.BlockMetadata",
    4: None,
}

CONFIG_VALUE = {
    "ACLs": "protos.ACLs",
    "AnchorPeers": "protos.AnchorPeers",
    "BatchSize": "orderer.BatchSize",
    "BatchTimeout": "orderer.BatchTimeout",
    "BlockDataHashingStructure": "common.BlockDataHashingStructure",
    "Capabilities": "common.Capabilities",
    "ChannelCreationPolicy": "common.Policy",
    "ChannelRestrictions": "orderer.ChannelRestrictions",
    "ConsensusType": "orderer.ConsensusType",
    "Consortium": "common.Consortium",
    "Endpoints": "common.OrdererAddresses",
    "HashingAlgorithm": "common.HashingAlgorithm",
    "KafkaBrokers": "orderer.KafkaBrokers",
    "MSP": "msp.MSPConfig",
    "OrdererAddresses": "common.OrdererAddresses",
    "Orderers": "common.Orderers",
}

# Messages among the arguments of system chaincodes, by position, the function itself being 0.
DEPLOY = {
    2: "protos.ChaincodeDeploymentSpec",
    3: "common.SignaturePolicyEnvelope",
    6: "protos.CollectionConfigPackage",
}
ARGUMENT = {
    ("_lifecycle", "ApproveChaincodeDefinitionForMyOrg"): {
        1: "lifecycle.ApproveChaincodeDefinitionForMyOrgArgs"
    },
    ("_lifecycle", "CommitChaincodeDefinition"): {1: "lifecycle.CommitChaincodeDefinitionArgs"},
    ("cscc", "JoinChain"): {1: "common.Block"},
    ("lscc", "deploy"): DEPLOY,
    ("lscc", "upgrade"): DEPLOY,
}

# Response.payload of system chaincodes.
RESULT = {
    ("cscc", "GetChannels"): "protos.ChannelQueryResponse",
    ("cscc", "GetConfigBlock"): "common.Block",
    ("lscc", "deploy"): "protos.ChaincodeData",
    ("lscc", "getchaincodes"): "protos.ChaincodeQueryResponse",
    ("lscc", "getinstalledchaincodes"): "protos.ChaincodeQueryResponse",
    ("lscc", "upgrade"): "protos.ChaincodeData",
    ("qscc", "GetBlockByNumber"): "common.Block",
    ("qscc", "GetChainInfo"): "common.BlockchainInfo",
}

# StateData.Bytes in the namespace _lifecycle, by the last part of the key.
LIFECYCLE_FIELD = {
    "Collections": "protos.CollectionConfigPackage",
    "EndorsementInfo": "lifecycle.ChaincodeEndorsementInfo",
    "ValidationInfo": "lifecycle.ChaincodeValidationInfo",
}

# ChaincodeMessage.payload; the other types have none, or bytes that are no message.
SHIM = {
    "COMPLETED": "protos.Response",
    "GET_STATE": "protos.GetState",
    "INIT": "protos.ChaincodeInput",
    "PUT_STATE": "protos.PutState",
    "REGISTER": "protos.ChaincodeID",
    "TRANSACTION": "protos.ChaincodeInput",
}
NO_MESSAGE = ("READY", "REGISTERED", "RESPONSE")


class Walk:
    """Decodes messages with all that is inside them, collecting what is wrong with any."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self.problems: list[str] = []
        self.decoded: Counter[str] = Counter()
        self.invoked = ("", "")  # chaincode and function of the newest proposal

    def decode(self, name: str, data: bytes, where: str) -> Any:
        """Decode data as the named message, walk through it, return it; None if it fails."""
        where = f"{where}/{name.rpartition('.')[2]}"
        try:
            message = message_class(name).FromString(data)
        except DecodeError:
            self.problems.append(f"{where}: does not decode")
            return None
        # Go writes map entries in random order, so lengths are compared.
        if len(message.SerializeToString()) != len(data):
            self.problems.append(f"{where}: encodes to another length")
        self.visit(message, where)
        return message

    def choose(self, table: Mapping[Any, str], key: Any, data: bytes, where: str) -> Any:
        """Decode data as the message that a table has for key."""
        if name := table.get(key):
            return self.decode(name, data, f"{where}[{key}]")
        self.problems.append(f"{where}: no message is known for {key!r}")
        return None

    def visit(self, message: Message, where: str) -> None:
        """Look for unknown fields and follow every field of a decoded message."""
        name = message.DESCRIPTOR.full_name
        self.decoded[name] += 1
        unknown = UnknownFieldSet(message)
        for index in range(len(unknown)):
            number = unknown[index].field_number
            self.problems.append(f"{where}: unknown field {number} of {name}")
        for field, value in message.ListFields():
            inside = INSIDE.get(field.full_name)
            for index, part in enumerate(parts(field, value)):
                if inside:
                    self.decode(inside, part, f"{where}.{field.name}[{index}]")
                elif hasattr(part, "DESCRIPTOR"):
                    self.visit(part, f"{where}.{field.name}[{index}]")
        if rule := RULES.get(name):
            rule(self, message, where)


def modules() -> list[ModuleType]:
    """Import every generated module of messages; only then are all of them in the pool."""
    root = Path(fastledger.protos.__file__).parent
    paths = (path.relative_to(root).with_suffix("") for path in sorted(root.rglob("*_pb2.py")))
    return [importlib.import_module(".".join(("fastledger.protos", *path.parts))) for path in paths]


def message_class(name: str) -> type[Any]:
    """Find the class of a message by its full name."""
    return GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(name))


def parts(field: FieldDescriptor, value: Any) -> Iterable[Any]:
    """Return the single values of a field, whether it is repeated, a map or neither."""
    if not field.is_repeated:
        return [value]
    values: Iterable[Any] = value.values() if hasattr(value, "values") else value
    return values


# The rules for what a field alone does not tell.


def payload(walk: Walk, message: Any, where: str) -> None:
    try:
        header = message_class("common.ChannelHeader").FromString(message.header.channel_header)
    except DecodeError:
        return  # already among the problems
    walk.choose(PAYLOAD, header.type, message.data, where)


def channel_header(walk: Walk, message: Any, where: str) -> None:
    if message.extension:
        walk.decode("protos.ChaincodeHeaderExtension", message.extension, where)


def block_metadata(walk: Walk, message: Any, where: str) -> None:
    for slot, data in enumerate(message.metadata):
        if slot in METADATA:
            metadata = walk.decode("common.Metadata", data, f"{where}[{slot}]")
            if metadata and metadata.value and (inner := METADATA[slot]):
                walk.decode(inner, metadata.value, f"{where}[{slot}]")


def orderer_block_metadata(walk: Walk, message: Any, where: str) -> None:
    metadata = walk.decode("common.Metadata", message.consenter_metadata, where)
    if metadata and metadata.value:
        walk.decode("etcdraft.BlockMetadata", metadata.value, where)


def config_group(walk: Walk, message: Any, where: str) -> None:
    for key, value in message.values.items():
        walk.choose(CONFIG_VALUE, key, value.value, where)


def consensus_type(walk: Walk, message: Any, where: str) -> None:
    if message.metadata:
        walk.choose({"etcdraft": "etcdraft.ConfigMetadata"}, message.type, message.metadata, where)


def policy(walk: Walk, message: Any, where: str) -> None:
    if message.type or message.value:
        inner = {1: "common.SignaturePolicyEnvelope", 3: "common.ImplicitMetaPolicy"}
        walk.choose(inner, message.type, message.value, where)


def principal(walk: Walk, message: Any, where: str) -> None:
    inner = {0: "common.MSPRole", 1: "common.OrganizationUnit", 2: "msp.SerializedIdentity"}
    walk.choose(inner, message.principal_classification, message.principal, where)


def msp_config(walk: Walk, message: Any, where: str) -> None:
    if message.config:
        walk.choose({0: "msp.FabricMSPConfig"}, message.type, message.config, where)


def invocation(walk: Walk, message: Any, where: str) -> None:
    name, arguments = message.chaincode_spec.chaincode_id.name, message.chaincode_spec.input.args
    function = arguments[0].decode("latin-1") if arguments else ""
    walk.invoked = name, function
    for position, inner in ARGUMENT.get(walk.invoked, {}).items():
        if position < len(arguments):
            walk.decode(inner, arguments[position], f"{where}.args[{position}]")


def response(walk: Walk, message: Any, where: str) -> None:
    if message.status == 200 and (inner := RESULT.get(walk.invoked)):
        walk.decode(inner, message.payload, where)


def ns_read_write_set(walk: Walk, message: Any, where: str) -> None:
    rwset = walk.decode("kvrwset.KVRWSet", message.rwset, where)
    for write in rwset.writes if rwset else ():
        if not write.is_delete:
            for name in state_values(message.namespace, write.key):
                value = walk.decode(name, write.value, f"{where}.{write.key}")
                if name == "lifecycle.StateData" and value and value.Bytes:
                    walk.choose(
                        LIFECYCLE_FIELD,
                        write.key.rpartition("/")[2],
                        value.Bytes,
                        f"{where}.{write.key}",
                    )


def state_values(namespace: str, key: str) -> list[str]:
    """Name the messages that the value of a state key can be read as."""
    if namespace == "_lifecycle":
        return ["lifecycle.StateMetadata" if "/metadata/" in key else "lifecycle.StateData"]
    if namespace == "lscc" and key.endswith("~collection"):
        return ["protos.CollectionConfigPackage", "common.CollectionConfigPackage"]
    return ["protos.ChaincodeData", "ccprovider.ChaincodeData"] if namespace == "lscc" else []


def metadata_entry(walk: Walk, message: Any, where: str) -> None:
    walk.choose(
        {"VALIDATION_PARAMETER": "common.SignaturePolicyEnvelope"},
        message.name,
        message.value,
        where,
    )


def chaincode_message(walk: Walk, message: Any, where: str) -> None:
    kind = chaincode_type(message)
    if kind not in NO_MESSAGE:
        walk.choose(SHIM, kind, message.payload, where)


def chaincode_type(message: Any) -> str:
    """Return the name of a ChaincodeMessage's type."""
    name: str = message_class("protos.ChaincodeMessage").Type.Name(message.type)
    return name


RULES: dict[str, Callable[[Walk, Any, str], None]] = {
    "common.BlockMetadata": block_metadata,
    "common.ChannelHeader": channel_header,
    "common.ConfigGroup": config_group,
    "common.MSPPrincipal": principal,
    "common.OrdererBlockMetadata": orderer_block_metadata,
    "common.Payload": payload,
    "common.Policy": policy,
    "kvrwset.KVMetadataEntry": metadata_entry,
    "msp.MSPConfig": msp_config,
    "orderer.ConsensusType": consensus_type,
    "protos.ChaincodeInvocationSpec": invocation,
    "protos.ChaincodeMessage": chaincode_message,
    "protos.Response": response,
    "rwset.NsReadWriteSet": ns_read_write_set,
}

modules()
