# SPDX-License-Identifier: Apache-2.0
"""What endorsers answer, and whose failure it is (``internal/pkg/gateway/apiutils.go``).

::

    the peer is gone, or is another one and refuses  UNAVAILABLE          another may do better
    the gateway's own peer turns the proposal away   UNAVAILABLE          another may do better
    the gateway's own peer refuses the proposal      FAILED_PRECONDITION  the client's failure
    500 without payload: the peer could not run it   ABORTED              another may do better
    any other status but 200 to 399                  UNKNOWN              the contract refused

A refusal over the network cannot be told from a peer that is gone, as it brings no response.
"""

import asyncio
from dataclasses import dataclass

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from fastledger.common.errors import FastledgerError
from fastledger.gateway.peer import GatewayChannel, GatewayPeer, Unheard
from fastledger.gateway.plan import EndorsingPeer
from fastledger.protos.gateway.gateway_pb2 import ErrorDetail
from fastledger.protos.peer import proposal_pb2, proposal_response_pb2
from fastledger.protoutil.unpacked import UnpackedProposal

_PROCESS = "/protos.Endorser/ProcessProposal"

OK = 200
ERROR_THRESHOLD = 400
ERROR = 500

_NAMES = {
    code: "".join(word.title() for word in code.name.split("_")) for code in grpc.StatusCode
} | {grpc.StatusCode.CANCELLED: "Canceled"}
"""Codes as Go writes them."""

Code = grpc.StatusCode
Response = proposal_response_pb2.ProposalResponse


@dataclass
class EndorserFailed(FastledgerError):
    """An endorser's answer that is no endorsement."""

    endorser: EndorsingPeer
    code: grpc.StatusCode
    message: str
    retry: bool
    """Whether another peer may do better."""

    def __str__(self) -> str:
        """Say why."""
        return self.message

    @property
    def detail(self) -> ErrorDetail:
        """Whose failure it is, for the client."""
        one = self.endorser
        return ErrorDetail(address=one.address, msp_id=one.mspid, message=self.message)


async def ask(
    peer: GatewayPeer,
    channel: GatewayChannel,
    endorser: EndorsingPeer,
    proposal: UnpackedProposal,
    timeout_s: float,
) -> Response:
    """Have a peer process a proposal.

    Args:
        peer: The gateway's own peer.
        channel: The channel.
        endorser: Whom to ask.
        proposal: What to ask.
        timeout_s: For another peer to answer; the own one keeps its chaincodes' timeouts.

    Raises:
        EndorserFailed: It does not, or the chaincode refused.
    """
    if endorser.own:
        try:
            answer = await peer.endorse(proposal)
        except Unheard as error:
            raise EndorserFailed(endorser, Code.UNAVAILABLE, str(error), retry=True) from error
        except FastledgerError as error:
            raise EndorserFailed(
                endorser, Code.FAILED_PRECONDITION, str(error), retry=False
            ) from error
    else:
        answer = await _ask_other(channel, endorser, proposal.encoded, timeout_s)
    _check(endorser, answer)
    return answer


async def _ask_other(
    channel: GatewayChannel,
    endorser: EndorsingPeer,
    proposal: bytes,
    timeout_s: float,
) -> Response:
    try:
        async with asyncio.timeout(timeout_s):
            other = await channel.connect_peer(endorser.address)
            # The proposal goes on as it came.
            process = other.unary_unary(_PROCESS, response_deserializer=Response.FromString)
            answer: Response = await process(proposal)
    except (FastledgerError, grpc.aio.AioRpcError, TimeoutError) as error:
        if not isinstance(error, grpc.aio.AioRpcError) or error.code() is Code.UNAVAILABLE:
            await channel.peer_failed(endorser.address)
        raise EndorserFailed(endorser, Code.UNAVAILABLE, text_of(error), retry=True) from error
    return answer


def _check(endorser: EndorsingPeer, answer: Response) -> None:
    status, message = answer.response.status, answer.response.message
    if OK <= status < ERROR_THRESHOLD:
        return
    if status == ERROR and not answer.payload:
        raise EndorserFailed(endorser, Code.ABORTED, message, retry=True)
    text = f"chaincode response {status}, {message}"
    raise EndorserFailed(endorser, Code.UNKNOWN, text, retry=False)


def text_of(error: Exception) -> str:
    """Say as Go does why a node does not answer."""
    if isinstance(error, grpc.aio.AioRpcError):
        return f"rpc error: code = {_NAMES[error.code()]} desc = {error.details()}"
    if isinstance(error, TimeoutError):
        return "rpc error: code = DeadlineExceeded desc = context deadline exceeded"
    return f"rpc error: code = Unavailable desc = connection error: desc = {error}"


def result_of(answer: Response) -> proposal_response_pb2.Response:
    """Return a simulation's result.

    The response that was endorsed counts; the one beside it need not have a payload.
    """
    response = answer.response
    try:
        endorsed = proposal_response_pb2.ProposalResponsePayload.FromString(answer.payload)
        action = proposal_pb2.ChaincodeAction.FromString(endorsed.extension)
    except DecodeError:
        return response
    response.payload = action.response.payload
    return response
