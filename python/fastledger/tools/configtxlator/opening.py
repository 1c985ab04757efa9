# SPDX-License-Identifier: Apache-2.0
"""Which byte fields the JSON shows as the messages that they hold.

These are fewer than :mod:`fastledger.protoutil.opaque` knows: block metadata, hashed read-write
sets, endorsers and written values stay base64, as Fabric's protolator leaves them.
"""

from typing import Any

from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from fastledger.common.errors import InputError
from fastledger.protos.common import common_pb2, configtx_pb2
from fastledger.protos.ledger.rwset import rwset_pb2
from fastledger.protoutil.opaque import Scope, inner_type
from fastledger.tools.configtxlator.places import CHANNEL, KEY_VALUE, Place

_OPENED = frozenset(
    {
        ("common.BlockData", "data"),
        ("common.ChannelHeader", "extension"),
        ("common.ConfigSignature", "signature_header"),
        ("common.ConfigUpdate", "isolated_data"),
        ("common.ConfigUpdateEnvelope", "config_update"),
        ("common.Envelope", "payload"),
        ("common.Header", "channel_header"),
        ("common.Header", "signature_header"),
        ("common.MSPPrincipal", "principal"),
        ("common.Payload", "data"),
        ("common.Policy", "value"),
        ("common.SignatureHeader", "creator"),
        ("msp.MSPConfig", "config"),
        ("orderer.ConsensusType", "metadata"),
        ("protos.ChaincodeAction", "events"),
        ("protos.ChaincodeAction", "results"),
        ("protos.ChaincodeActionPayload", "chaincode_proposal_payload"),
        ("protos.ChaincodeEndorsedAction", "proposal_response_payload"),
        ("protos.ChaincodeProposalPayload", "input"),
        ("protos.ProposalResponsePayload", "extension"),
        ("protos.TransactionAction", "header"),
        ("protos.TransactionAction", "payload"),
    }
)

_PLACED = frozenset({("common.ConfigValue", "value"), ("rwset.NsReadWriteSet", "rwset")})
"""Fields that are opened only where the message stands in a known place."""

_PAYLOADS = frozenset(
    {
        common_pb2.CONFIG,
        common_pb2.CONFIG_UPDATE,
        common_pb2.ENDORSER_TRANSACTION,
        common_pb2.ORDERER_TRANSACTION,
    }
)


def opens(message: Message, field: str, place: Place | None) -> bool:
    """Say whether a byte field is shown as the message that it holds."""
    key = (message.DESCRIPTOR.full_name, field)
    return key in _OPENED or (place is not None and key in _PLACED)


def opened_type(message: Any, field: str, place: Place | None, name: str) -> type[Message]:
    """Return the type of the message that an opened field holds.

    Args:
        message: The message that has the field; its other fields are set.
        field: The field's name.
        place: Where the message stands; a configuration value's group.
        name: What the message, or the field's entry, is called there.

    Raises:
        InputError: Nothing is known to be held by such a field.
    """
    kind = message.DESCRIPTOR.full_name
    if kind == "common.ConfigValue" and place is not None:
        place.check_value(name)
    if kind == "orderer.ConsensusType":
        return inner_type(message, field, Scope()) or Empty
    scope = Scope(key=name).within(message)
    if kind == "common.Payload":
        if scope.header_type == common_pb2.MESSAGE:
            return configtx_pb2.ConfigValue
        if scope.header_type not in _PAYLOADS:
            raise InputError(f"decoding type {scope.header_type} is unimplemented")
    found = inner_type(message, field, scope)
    if found is None:
        raise InputError(f"{kind}: {field}: what it holds is not known")
    return found


def inside(message: Any, field: str, name: str, place: Place | None) -> Place | None:
    """Return the place of a message in a field, None if there is nothing to know of it.

    Raises:
        InputError: A group may not stand there.
    """
    kind = message.DESCRIPTOR.full_name
    if (kind, field) in _ROOTS:
        return CHANNEL
    if kind == "common.ConfigGroup" and place is not None:
        if field == "groups":
            return place.group(name)
        return place if field == "values" else None
    if kind == "rwset.TxReadWriteSet" and field == "ns_rwset":
        is_known = message.data_model == rwset_pb2.TxReadWriteSet.KV
        return KEY_VALUE if is_known else None
    return None


_ROOTS = frozenset(
    {
        ("common.Config", "channel_group"),
        ("common.ConfigUpdate", "read_set"),
        ("common.ConfigUpdate", "write_set"),
    }
)


def is_map(field: Any) -> bool:
    """Say whether a field is a map."""
    return bool(field.message_type and field.message_type.GetOptions().map_entry)
