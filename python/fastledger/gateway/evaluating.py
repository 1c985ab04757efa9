# SPDX-License-Identifier: Apache-2.0
"""Has one peer simulate a proposal, and the next one where it cannot (``evaluate.go``)."""

import grpc

from fastledger.common.errors import InputError
from fastledger.common.shorten import shortened
from fastledger.gateway.answers import EndorserFailed, ask, result_of
from fastledger.gateway.failure import GatewayFailed
from fastledger.gateway.peer import GatewayPeer
from fastledger.gateway.proposal import unpack_addressed
from fastledger.protos.gateway import gateway_pb2 as pb

Code = grpc.StatusCode


async def evaluate(
    peer: GatewayPeer, request: pb.EvaluateRequest, timeout_s: float
) -> pb.EvaluateResponse:
    """Return a proposal's result.

    Args:
        peer: The gateway's own peer.
        request: The proposal, and the organizations that may see it.
        timeout_s: For one other peer to answer.

    Raises:
        GatewayFailed: The proposal is wrong, the chaincode refuses, or no peer can run it.
    """
    proposal = request.proposed_transaction
    try:
        asks = unpack_addressed(proposal)
    except InputError as error:
        text = f"failed to unpack transaction proposal: {error}"
        raise GatewayFailed(Code.INVALID_ARGUMENT, text) from error
    channel = peer.channel(asks.channel_id)
    if channel is None:
        raise GatewayFailed(Code.UNAVAILABLE, no_config(asks.channel_id))
    wanted = set(request.target_organizations)
    is_protected = asks.has_transient and not wanted
    if is_protected:
        wanted = {peer.mspid}
    able = [one for one in channel.endorsers(asks.chaincode) if not wanted or one.mspid in wanted]
    if not able:
        name = shortened(asks.chaincode)
        text = f"no peers available to evaluate chaincode {name} in channel {channel.id}"
        if is_protected:
            text = (
                "no endorsers found in the gateway's organization; retry specifying target "
                f"organization(s) to protect transient data: {text}"
            )
        raise GatewayFailed(Code.FAILED_PRECONDITION, text)
    failures: list[EndorserFailed] = []
    for endorser in able:
        try:
            answer = await ask(peer, channel, endorser, proposal, timeout_s)
            return pb.EvaluateResponse(result=result_of(answer))
        except EndorserFailed as failure:
            failures.append(failure)
            if not failure.retry:
                break
    last = failures[-1]
    text = (
        "failed to evaluate transaction, see attached details for more info"
        if last.retry
        else f"evaluate call to endorser returned error: {last}"
    )
    raise GatewayFailed(last.code, text, [failure.detail for failure in failures])


def no_config(channel_id: str) -> str:
    """Say that the peer is not on a channel."""
    channel_id = shortened(channel_id)
    return (
        f"failed to get config for channel [{channel_id}]: could not get last config for channel "
        f"{channel_id}"
    )
