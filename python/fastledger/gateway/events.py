# SPDX-License-Identifier: Apache-2.0
"""A chaincode's events out of committed blocks."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import grpc

from fastledger.common.codes import TxValidationCode
from fastledger.gateway.failure import GatewayFailed
from fastledger.gateway.peer import GatewayChannel
from fastledger.gateway.permit import Permit
from fastledger.ledger.results import emitted_events
from fastledger.protos.gateway import gateway_pb2 as pb
from fastledger.protos.peer.chaincode_event_pb2 import ChaincodeEvent

Emitted = tuple[str, int, tuple[str, bytes] | None]
"""A transaction's id and code, and the chaincode and encoding of its event, if it emits one."""


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
        emitted = await channel.blocks.get(number, emitted_events)
        found, after = block_events(emitted, asked.chaincode_id, after)
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
    emitted: Sequence[Emitted], chaincode: str, after: str
) -> tuple[list[ChaincodeEvent], str]:
    """Read a chaincode's events of valid transactions.

    Args:
        emitted: What the block's transactions have emitted.
        chaincode: Whose.
        after: The transaction behind which they count; empty for all.

    Returns:
        The events, and the transaction that has not come yet.
    """
    found = []
    for tx_id, code, event in emitted:
        if after:
            after = "" if tx_id == after else after
        elif code == TxValidationCode.VALID and event is not None and event[0] == chaincode:
            found.append(ChaincodeEvent.FromString(event[1]))
    return found, after
