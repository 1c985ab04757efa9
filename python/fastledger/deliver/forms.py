# SPDX-License-Identifier: Apache-2.0
"""Encoded answers: whole blocks, filtered blocks, statuses.

``orderer.DeliverResponse`` and ``protos.DeliverResponse`` number status and block alike, so both
services share these. A block is sent as it was stored: only its frame is written here.
"""

from typing import Protocol

from google.protobuf.message import DecodeError

from fastledger.common.codes import TxValidationCode
from fastledger.deliver.request import DeliverRequest
from fastledger.protos.common.common_pb2 import (
    TRANSACTIONS_FILTER,
    Block,
    ChannelHeader,
    Envelope,
    HeaderType,
    Payload,
)
from fastledger.protos.peer import events_pb2
from fastledger.protos.peer.chaincode_event_pb2 import ChaincodeEvent
from fastledger.protos.peer.proposal_pb2 import ChaincodeAction
from fastledger.protos.peer.proposal_response_pb2 import ProposalResponsePayload
from fastledger.protos.peer.transaction_pb2 import ChaincodeActionPayload, Transaction
from fastledger.protoutil import varint
from fastledger.protoutil.blocks import is_config_block

_STATUS, _BLOCK = 0x08, 0x12
"""Tags of the fields of a DeliverResponse."""


class ResponseForm(Protocol):
    """How a service of the Deliver family writes its answers."""

    @property
    def data_type(self) -> str:
        """``block``, ``filtered_block`` or ``block_and_pvtdata``: the metrics' label."""

    def block(self, encoded: bytes, request: DeliverRequest) -> bytes:
        """Return the encoded response that carries a block."""


def status_response(status: int) -> bytes:
    """Encode a DeliverResponse that ends a range."""
    return bytes([_STATUS]) + varint.encode(status)


class BlockForm:
    """Whole blocks."""

    data_type = "block"

    def block(self, encoded: bytes, request: DeliverRequest) -> bytes:  # noqa: ARG002
        """Frame a block."""
        return b"".join((bytes([_BLOCK]), varint.encode(len(encoded)), encoded))


class FilteredBlockForm:
    """What a client that waits for its transactions needs (Fabric: ``core/peer/deliverevents.go``).

    Events keep their names and lose their payloads.
    """

    data_type = "filtered_block"

    def block(self, encoded: bytes, request: DeliverRequest) -> bytes:
        """Encode a ``protos.DeliverResponse`` with a filtered block."""
        filtered = filter_block(Block.FromString(encoded), request.channel_id)
        return events_pb2.DeliverResponse(filtered_block=filtered).SerializeToString()


def filter_block(block: Block, channel_id: str) -> events_pb2.FilteredBlock:
    """Reduce a committed block to ids, types, codes and events' names."""
    slots = block.metadata.metadata
    codes = slots[TRANSACTIONS_FILTER] if len(slots) > TRANSACTIONS_FILTER else b""
    filtered = events_pb2.FilteredBlock(channel_id=channel_id, number=block.header.number)
    for index, envelope in enumerate(block.data.data):
        code = codes[index] if index < len(codes) else TxValidationCode.NOT_VALIDATED
        _filter_transaction(filtered, envelope, code)
    return filtered


def _filter_transaction(filtered: events_pb2.FilteredBlock, encoded: bytes, code: int) -> None:
    try:
        payload = Payload.FromString(Envelope.FromString(encoded).payload)
        header = ChannelHeader.FromString(payload.header.channel_header)
    except DecodeError:
        return
    transaction = filtered.filtered_transactions.add(txid=header.tx_id)
    transaction.type = header.type  # type: ignore[assignment]
    transaction.tx_validation_code = code  # type: ignore[assignment]
    if header.type == HeaderType.ENDORSER_TRANSACTION:
        actions = transaction.transaction_actions
        actions.SetInParent()
        for event in _events(payload.data):
            kept = actions.chaincode_actions.add().chaincode_event
            kept.chaincode_id, kept.tx_id = event.chaincode_id, event.tx_id
            kept.event_name = event.event_name


def _events(data: bytes) -> list[ChaincodeEvent]:
    """Read the events of a transaction that emits any; what cannot be read emits none."""
    events = []
    try:
        for action in Transaction.FromString(data).actions:
            endorsed = ChaincodeActionPayload.FromString(action.payload).action
            response = ProposalResponsePayload.FromString(endorsed.proposal_response_payload)
            chaincode_action = ChaincodeAction.FromString(response.extension)
            event = ChaincodeEvent.FromString(chaincode_action.events)
            if event.chaincode_id:
                events.append(event)
    except DecodeError:
        return []
    return events


def without_data(encoded: bytes) -> bytes:
    """Strip a block's transactions, unless it is a configuration block.

    Fabric: ``SeekInfo.HEADER_WITH_SIG``.
    """
    block = Block.FromString(encoded)
    if is_config_block(block):
        return encoded
    block.ClearField("data")
    return block.SerializeToString()
