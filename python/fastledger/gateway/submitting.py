# SPDX-License-Identifier: Apache-2.0
"""Hands a transaction to an orderer, or to the next one (``internal/pkg/gateway/submit.go``)."""

import asyncio
import random
from collections.abc import Sequence

import grpc

from fastledger.common.errors import FastledgerError
from fastledger.gateway.answers import text_of
from fastledger.gateway.evaluating import no_config
from fastledger.gateway.failure import GatewayFailed
from fastledger.gateway.peer import GatewayChannel, GatewayPeer
from fastledger.protos.common import common_pb2
from fastledger.protos.gateway import gateway_pb2 as pb

Code = grpc.StatusCode


async def submit(peer: GatewayPeer, request: pb.SubmitRequest, timeout_s: float) -> None:
    """Have an orderer take a transaction.

    Args:
        peer: The gateway's own peer.
        request: The transaction.
        timeout_s: For one orderer to answer.

    Raises:
        GatewayFailed: It is refused, or no orderer can take it.
    """
    if not request.HasField("prepared_transaction"):
        raise GatewayFailed(Code.INVALID_ARGUMENT, "a prepared transaction is required")
    if not request.prepared_transaction.signature:
        raise GatewayFailed(Code.INVALID_ARGUMENT, "prepared transaction must be signed")
    channel = peer.channel(request.channel_id)
    if channel is None:
        raise GatewayFailed(Code.FAILED_PRECONDITION, no_config(request.channel_id))
    orderers = in_turn(channel)
    if not orderers:
        raise GatewayFailed(Code.UNAVAILABLE, "no orderer nodes available")
    encoded = request.prepared_transaction.SerializeToString()
    details = []
    for address, mspid in orderers:
        try:
            async with asyncio.timeout(timeout_s):
                answer = await channel.broadcaster(address).send(encoded)
        except FastledgerError as error:
            details.append(pb.ErrorDetail(address=address, msp_id=mspid, message=text_of(error)))
            continue
        except TimeoutError:
            late = f"no answer within {timeout_s:g} s; the transaction may have been ordered"
            details.append(pb.ErrorDetail(address=address, msp_id=mspid, message=late))
            continue
        if answer.status == common_pb2.SUCCESS:
            return
        name = common_pb2.Status.Name(answer.status)
        text = f"received unsuccessful response from orderer: status={name}, info={answer.info}"
        if answer.status < common_pb2.INTERNAL_SERVER_ERROR:
            raise GatewayFailed(Code.ABORTED, text)
        details.append(pb.ErrorDetail(address=address, msp_id=mspid, message=text))
    raise GatewayFailed(
        Code.UNAVAILABLE, "no orderers could successfully process transaction", details
    )


def in_turn(channel: GatewayChannel) -> Sequence[tuple[str, str]]:
    """Return the orderers and their organizations in random order, doubtful ones last."""
    orderers = channel.orderers()
    shuffled = random.sample(orderers, len(orderers))
    return sorted(shuffled, key=lambda one: channel.broadcaster(one[0]).is_doubtful)
