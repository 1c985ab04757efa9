# SPDX-License-Identifier: Apache-2.0
"""Has one peer simulate a proposal, and the next one where it cannot (``evaluate.go``)."""

from collections.abc import Iterable

import grpc

from fastledger.common.errors import InputError
from fastledger.common.shorten import shortened
from fastledger.gateway.answers import EndorserFailed, ask, result_of
from fastledger.gateway.failure import GatewayFailed
from fastledger.gateway.peer import GatewayPeer
from fastledger.gateway.proposal import chaincode_of, check_addressed, has_transient
from fastledger.protos.gateway import gateway_pb2 as pb
from fastledger.protoutil.unpacked import UnpackedProposal

Code = grpc.StatusCode


async def evaluate(
    peer: GatewayPeer, proposal: UnpackedProposal, targets: Iterable[str], timeout_s: float
) -> pb.EvaluateResponse:
    """Return a proposal's result.

    Args:
        peer: The gateway's own peer.
        proposal: What is asked.
        targets: The organizations that may see it; none for any.
        timeout_s: For one other peer to answer.

    Raises:
        GatewayFailed: The proposal is wrong, the chaincode refuses, or no peer can run it.
    """
    try:
        check_addressed(proposal)
    except InputError as error:
        text = f"failed to unpack transaction proposal: {error}"
        raise GatewayFailed(Code.INVALID_ARGUMENT, text) from error
    channel = peer.channel(proposal.channel_id)
    if channel is None:
        raise GatewayFailed(Code.UNAVAILABLE, no_config(proposal.channel_id))
    wanted = set(targets)
    is_protected = has_transient(proposal) and not wanted
    if is_protected:
        wanted = {peer.mspid}
    chaincode = chaincode_of(proposal)
    able = [one for one in channel.endorsers(chaincode) if not wanted or one.mspid in wanted]
    if not able:
        name = shortened(chaincode)
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
