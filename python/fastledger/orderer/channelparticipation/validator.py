# SPDX-License-Identifier: Apache-2.0
"""Checks what administrators send (Fabric: ``channelparticipation/validator.go``)."""

import re

from fastledger.channelconfig import Bundle
from fastledger.common.errors import InputError
from fastledger.orderer.msgprocessor.message import OrdererMessage
from fastledger.protos.common.common_pb2 import Block, Envelope, HeaderType
from fastledger.protoutil.blocks import data_hash, is_config_block

MAX_CHANNEL_ID_CHARACTERS = 249
_CHANNEL_ID = re.compile(r"[a-z][a-z0-9.-]*")
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


def validate_update(envelope: Envelope) -> OrdererMessage:
    """Return a configuration update for a named channel; raises a FastledgerError."""
    message = OrdererMessage.parse(envelope.SerializeToString())
    if message.channel_header.type != HeaderType.CONFIG_UPDATE:
        raise InputError("bad type")
    if not message.channel_header.channel_id:
        raise InputError("empty channel id")
    return message


def validate_channel_id(channel_id: str) -> None:
    """Refuse what Fabric takes for no channel's name (``configtx.ValidateChannelID``)."""
    if not channel_id:
        raise InputError("channel ID illegal, cannot be empty")
    if len(channel_id) > MAX_CHANNEL_ID_CHARACTERS:
        raise InputError(f"channel ID illegal, cannot be longer than {MAX_CHANNEL_ID_CHARACTERS}")
    if not _CHANNEL_ID.fullmatch(channel_id):
        raise InputError(f"'{channel_id}' contains illegal characters")


def validate_block_id(block_id: str) -> None:
    """Refuse what names no block."""
    if block_id not in ("newest", "oldest", "config") and not _NUMBER.fullmatch(block_id):
        raise InputError(f"'{block_id}' not equal <newest|oldest|config|(number)>")
