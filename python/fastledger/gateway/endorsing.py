# SPDX-License-Identifier: Apache-2.0
"""Collects endorsements: the peer's own, then those of other organisations' anchor peers."""

import grpc
import grpc.aio

from fastledger.common.errors import FastledgerError
from fastledger.gateway.failure import GatewayFailed
from fastledger.gateway.peer import GatewayChannel, GatewayPeer
from fastledger.protos.common import common_pb2
from fastledger.protos.gateway import gateway_pb2 as pb
from fastledger.protos.peer import (
    peer_pb2_grpc,
    proposal_pb2,
    proposal_response_pb2,
    transaction_pb2,
)
from fastledger.protoutil.proposal import payload_for_tx
from fastledger.protoutil.signed_data import SignedData

Response = proposal_response_pb2.ProposalResponse
ERROR_THRESHOLD = 400


async def endorse(
    peer: GatewayPeer, channel: GatewayChannel, request: pb.EndorseRequest
) -> common_pb2.Envelope:
    """Return the unsigned transaction with as many endorsements as it needs.

    Raises:
        GatewayFailed: A peer refuses, answers differ, or too few peers can be reached.
    """
    proposal = request.proposed_transaction
    wanted = list(request.endorsing_organizations)
    collected: list[Response] = []
    if not wanted or peer.mspid in wanted:
        collected.append(_good(peer, channel, proposal, await peer.endorse(proposal)))
    details: list[pb.ErrorDetail] = []
    for mspid in wanted or _other_organizations(channel, peer.mspid):
        if mspid == peer.mspid:
            continue
        if not wanted and _satisfied(channel, proposal, collected):
            break
        answer = await _ask(channel, mspid, proposal, details)
        if answer is not None:
            collected.append(answer)
        elif wanted:
            raise _too_few(details)
    if not collected or not (wanted or _satisfied(channel, proposal, collected)):
        raise _too_few(details)
    return _assemble(proposal, collected)


def detail(peer: GatewayPeer, answer: Response) -> pb.ErrorDetail:
    """Say what the gateway's own peer answered."""
    return pb.ErrorDetail(
        address=peer.address,
        msp_id=peer.mspid,
        message=f"chaincode response {answer.response.status}, {answer.response.message}",
    )


def _good(
    peer: GatewayPeer,
    channel: GatewayChannel,
    proposal: proposal_pb2.SignedProposal,
    answer: Response,
) -> Response:
    if answer.response.status < ERROR_THRESHOLD:
        return answer
    if not channel.has_chaincode(chaincode(proposal)):
        raise _too_few([])
    raise GatewayFailed(
        grpc.StatusCode.ABORTED,
        "failed to endorse transaction, see attached details for more info",
        [detail(peer, answer)],
    )


def _too_few(details: list[pb.ErrorDetail]) -> GatewayFailed:
    return GatewayFailed(
        grpc.StatusCode.FAILED_PRECONDITION if not details else grpc.StatusCode.ABORTED,
        "failed to endorse transaction, see attached details for more info"
        if details
        else "no combination of peers can be derived which satisfy the endorsement policy",
        details,
    )


def _other_organizations(channel: GatewayChannel, own: str) -> list[str]:
    application = channel.bundle.application
    return [mspid for mspid in sorted(application.orgs if application else ()) if mspid != own]


def _satisfied(
    channel: GatewayChannel, proposal: proposal_pb2.SignedProposal, collected: list[Response]
) -> bool:
    signed = [
        SignedData(
            one.payload + one.endorsement.endorser,
            one.endorsement.endorser,
            one.endorsement.signature,
        )
        for one in collected
    ]
    return bool(signed) and channel.is_endorsed(chaincode(proposal), signed)


async def _ask(
    channel: GatewayChannel,
    mspid: str,
    proposal: proposal_pb2.SignedProposal,
    details: list[pb.ErrorDetail],
) -> Response | None:
    """Ask an organisation's anchor peers, the first that endorses counts."""
    application = channel.bundle.application
    org = application.orgs.get(mspid) if application else None
    for anchor in org.anchor_peers if org else ():
        address = f"{anchor.host}:{anchor.port}"
        try:
            stub = peer_pb2_grpc.EndorserStub(await channel.connect(address))
            answer: Response = await stub.ProcessProposal(proposal)
        except (FastledgerError, grpc.aio.AioRpcError) as error:
            text = error.details() if isinstance(error, grpc.aio.AioRpcError) else str(error)
            details.append(pb.ErrorDetail(address=address, msp_id=mspid, message=text or ""))
            continue
        if answer.response.status < ERROR_THRESHOLD:
            return answer
        message = f"chaincode response {answer.response.status}, {answer.response.message}"
        details.append(pb.ErrorDetail(address=address, msp_id=mspid, message=message))
    return None


def _assemble(
    proposal: proposal_pb2.SignedProposal, collected: list[Response]
) -> common_pb2.Envelope:
    """Make the transaction that the client will sign.

    Raises:
        GatewayFailed: The answers differ.
    """
    first = collected[0]
    if any(one.payload != first.payload for one in collected):
        raise GatewayFailed(
            grpc.StatusCode.ABORTED,
            "failed to assemble transaction: ProposalResponsePayloads do not match",
        )
    decoded = proposal_pb2.Proposal.FromString(proposal.proposal_bytes)
    header = common_pb2.Header.FromString(decoded.header)
    action = transaction_pb2.ChaincodeActionPayload(
        chaincode_proposal_payload=payload_for_tx(decoded.payload)
    )
    action.action.proposal_response_payload = first.payload
    action.action.endorsements.extend(one.endorsement for one in collected)
    transaction = transaction_pb2.Transaction()
    transaction.actions.add(
        header=header.signature_header, payload=action.SerializeToString(deterministic=True)
    )
    payload = common_pb2.Payload(
        header=header, data=transaction.SerializeToString(deterministic=True)
    )
    return common_pb2.Envelope(payload=payload.SerializeToString(deterministic=True))


def chaincode(proposal: proposal_pb2.SignedProposal) -> str:
    """Read which chaincode a proposal calls."""
    decoded = proposal_pb2.Proposal.FromString(proposal.proposal_bytes)
    header = common_pb2.Header.FromString(decoded.header)
    channel_header = common_pb2.ChannelHeader.FromString(header.channel_header)
    extension = proposal_pb2.ChaincodeHeaderExtension.FromString(channel_header.extension)
    return extension.chaincode_id.name
