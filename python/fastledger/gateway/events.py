# SPDX-License-Identifier: Apache-2.0
"""A chaincode's events out of committed blocks."""

import asyncio
from collections.abc import AsyncIterator

import grpc
from google.protobuf.message import DecodeError

from fastledger.gateway.failure import GatewayFailed
from fastledger.gateway.peer import GatewayChannel
from fastledger.gateway.permit import Permit
from fastledger.protos.common import common_pb2
from fastledger.protos.gateway import gateway_pb2 as pb
from fastledger.protos.peer import (
    chaincode_event_pb2,
    proposal_pb2,
    proposal_response_pb2,
    transaction_pb2,
)


async def stream(
    channel: GatewayChannel, asked: pb.ChaincodeEventsRequest, permit: Permit
) -> AsyncIterator[pb.ChaincodeEventsResponse]:
    """Yield the events of every block that has any; ends with the client, or its permit."""
    number = _start(channel, asked)
    after = asked.after_transaction_id
    while True:
        if channel.height <= number:
            await permit.wait(asyncio.ensure_future(channel.wait(number + 1)))
        permit.evaluate()
        # The past may be long and without a single event: others are served in between.
        await asyncio.sleep(0)
        found, after = block_events(channel.block(number), asked.chaincode_id, after)
        if found:
            yield pb.ChaincodeEventsResponse(events=found, block_number=number)
        number += 1


def _start(channel: GatewayChannel, asked: pb.ChaincodeEventsRequest) -> int:
    if asked.after_transaction_id:
        number = channel.block_of(asked.after_transaction_id)
        if number is not None:
            return number
    match asked.start_position.WhichOneof("Type"):
        case "specified":
            return asked.start_position.specified.number
        case "oldest" | "newest" as kind:
            text = f"invalid start position type: *orderer.SeekPosition_{kind.title()}"
            raise GatewayFailed(grpc.StatusCode.INVALID_ARGUMENT, text)
    return channel.height


def block_events(
    encoded: bytes, chaincode: str, after: str
) -> tuple[list[chaincode_event_pb2.ChaincodeEvent], str]:
    """Read a chaincode's events of valid transactions.

    Args:
        encoded: The block.
        chaincode: Whose.
        after: The transaction behind which they count; empty for all.

    Returns:
        The events, and the transaction that has not come yet.
    """
    block = common_pb2.Block.FromString(encoded)
    codes = block.metadata.metadata[common_pb2.TRANSACTIONS_FILTER]
    found = []
    for envelope, code in zip(block.data.data, codes, strict=True):
        try:
            tx_id, event = _event(envelope)
        except (DecodeError, IndexError):
            continue
        if after:
            after = "" if tx_id == after else after
        elif code == 0 and event is not None and event.chaincode_id == chaincode:
            found.append(event)
    return found, after


def _event(envelope: bytes) -> tuple[str, chaincode_event_pb2.ChaincodeEvent | None]:
    payload = common_pb2.Payload.FromString(common_pb2.Envelope.FromString(envelope).payload)
    header = common_pb2.ChannelHeader.FromString(payload.header.channel_header)
    if header.type != common_pb2.ENDORSER_TRANSACTION:
        return header.tx_id, None
    action = transaction_pb2.Transaction.FromString(payload.data).actions[0]
    endorsed = transaction_pb2.ChaincodeActionPayload.FromString(action.payload).action
    response = proposal_response_pb2.ProposalResponsePayload.FromString(
        endorsed.proposal_response_payload
    )
    encoded = proposal_pb2.ChaincodeAction.FromString(response.extension).events
    if not encoded:
        return header.tx_id, None
    return header.tx_id, chaincode_event_pb2.ChaincodeEvent.FromString(encoded)
