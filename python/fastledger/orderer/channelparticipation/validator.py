# SPDX-License-Identifier: Apache-2.0
"""Checks what administrators send (Fabric: ``channelparticipation/validator.go``)."""

import re

from google.protobuf.message import DecodeError

from fastledger.channelconfig import Bundle
from fastledger.common.errors import InputError
from fastledger.orderer.msgprocessor.message import OrdererMessage, decode, open_envelope
from fastledger.protos.common.common_pb2 import (
    Block,
    ChannelHeader,
    Envelope,
    HeaderType,
    Payload,
)
from fastledger.protos.common.configtx_pb2 import ConfigUpdate, ConfigUpdateEnvelope
from fastledger.protoutil.blocks import data_hash, is_config_block

_NUMBER = re.compile(r"[+-]?[0-9]+")


def validate_join_block(block: Block) -> Bundle:
    """Return the configuration of a block that a channel can begin with.

    Raises:
        FastledgerError: It is none.
    """
    if not is_config_block(block):
        raise InputError("block is not a config block")
    if not block.metadata.metadata:
        raise InputError("invalid block: does not have metadata")
    if data_hash(block.data.data) != block.header.data_hash:
        raise InputError("invalid block: Header.DataHash is different from Hash(block.Data)")
    bundle = Bundle.from_block(block.SerializeToString())
    if bundle.consortiums is not None:
        raise InputError("invalid config: contains consortiums: system channel not supported")
    if bundle.application is None:
        raise InputError("invalid config: must contain application config")
    return bundle


def validate_update(envelope: Envelope) -> tuple[str, OrdererMessage]:
    """Return a configuration update, and the channel that it is for.

    The channel is the one that the update itself names, whatever the envelope's header says.

    Raises:
        FastledgerError: It is none.
    """
    header = _channel_header(envelope)
    if header.type != HeaderType.CONFIG_UPDATE:
        raise InputError("bad type")
    if not header.channel_id:
        raise InputError("empty channel id")
    encoded = envelope.SerializeToString()
    content = open_envelope(encoded, HeaderType.CONFIG_UPDATE, ConfigUpdateEnvelope)
    update = decode(ConfigUpdate, content.config_update, "ConfigUpdate")
    return update.channel_id, OrdererMessage.parse(encoded)


def _channel_header(envelope: Envelope) -> ChannelHeader:
    try:
        payload = Payload.FromString(envelope.payload)
    except DecodeError as error:
        raise InputError("bad payload") from error
    if not payload.header.channel_header:
        raise InputError("bad header")
    try:
        return ChannelHeader.FromString(payload.header.channel_header)
    except DecodeError as error:
        raise InputError("could not unmarshall channel header") from error


def validate_block_id(block_id: str) -> None:
    """Refuse what names no block."""
    if block_id not in ("newest", "oldest", "config") and not _NUMBER.fullmatch(block_id):
        raise InputError(f"'{block_id}' not equal <newest|oldest|config|(number)>")
