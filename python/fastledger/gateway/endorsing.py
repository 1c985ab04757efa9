# SPDX-License-Identifier: Apache-2.0
"""Collects endorsements: first one of the own organisation, then what its result calls for.

The first answer says which chaincodes, collections and keys the transaction touches; from that, and
from who is there, discovery derives who else has to endorse. While the gateway's peer knows too few
others, organisations' anchor peers are asked until the chaincode's policy holds.
"""

from dataclasses import dataclass

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from fastledger.common.errors import FastledgerError
from fastledger.gateway.failure import GatewayFailed
from fastledger.gateway.peer import GatewayChannel, GatewayPeer
from fastledger.gateway.plan import Endorser, Endorsers, Plan
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

FAILED = "failed to endorse transaction, see attached details for more info"
TOO_FEW = "failed to collect enough transaction endorsements, see attached details for more info"


async def endorse(
    peer: GatewayPeer, channel: GatewayChannel, request: pb.EndorseRequest
) -> common_pb2.Envelope:
    """Return the unsigned transaction with as many endorsements as it needs.

    Raises:
        GatewayFailed: A peer refuses, answers differ, or too few peers can be reached.
    """
    asking = Asking(peer, channel, request.proposed_transaction)
    wanted = list(request.endorsing_organizations)
    if wanted:
        return asking.assemble(await asking.of_organizations(wanted))
    first, answer = await asking.first()
    return asking.assemble(await asking.others(first, answer))


class Asking:
    """One proposal, and whoever is asked to endorse it."""

    def __init__(
        self, peer: GatewayPeer, channel: GatewayChannel, proposal: proposal_pb2.SignedProposal
    ) -> None:
        """Ask nobody yet."""
        self._peer = peer
        self._channel = channel
        self._proposal = proposal
        self._chaincode = unpack(proposal).chaincode
        self._details: list[pb.ErrorDetail] = []

    async def of_organizations(self, wanted: list[str]) -> list[Response]:
        """Have one peer of each organisation endorse, as the client wants it."""
        known = self._channel.endorsers(self._chaincode)
        groups = {}
        for mspid in wanted:
            groups[mspid] = [one for one in known if one.mspid == mspid] or self._anchors(mspid)
        missing = [mspid for mspid, endorsers in groups.items() if not endorsers]
        if missing:
            raise GatewayFailed(
                grpc.StatusCode.UNAVAILABLE,
                f"failed to find any endorsing peers for org(s): {', '.join(missing)}",
            )
        plan = Plan(Endorsers(groups, [dict.fromkeys(groups, 1)]), self._ask, self._tell)
        return await self._collected(plan)

    async def first(self) -> tuple[Endorser, Response]:
        """Have a peer of the own organisation endorse, or of another if the own has none."""
        able = self._channel.endorsers(self._chaincode)
        if able[0].mspid != self._peer.mspid and unpack(self._proposal).has_transient:
            raise GatewayFailed(
                grpc.StatusCode.FAILED_PRECONDITION,
                "no endorsers found in the gateway's organization; retry specifying endorsing "
                "organization(s) to protect transient data",
            )
        for endorser in (one for one in able if one.mspid == able[0].mspid):
            answer = await self._ask(endorser)
            if answer is not None:
                return endorser, answer
        if not self._channel.has_chaincode(self._chaincode):
            raise _no_combination()
        raise GatewayFailed(grpc.StatusCode.ABORTED, FAILED, self._details)

    async def others(self, first: Endorser, answer: Response) -> list[Response]:
        """Have those endorse whom the first answer calls for."""
        try:
            plan = Plan(self._plan(answer), self._ask, self._tell)
        except FastledgerError as error:
            return await self._of_anchors(answer, error)
        plan.count(first, answer)
        return await self._collected(plan)

    def _plan(self, answer: Response) -> Endorsers:
        interest = answer.interest
        if not interest.chaincodes:
            # Of a peer before 2.4, or nothing was read or written.
            interest = proposal_response_pb2.ChaincodeInterest()
            interest.chaincodes.add(name=self._chaincode)
        return self._channel.endorsers_for(interest)

    async def _collected(self, plan: Plan) -> list[Response]:
        collected = await plan.collect()
        if collected is None:
            raise GatewayFailed(grpc.StatusCode.ABORTED, TOO_FEW, self._details)
        return collected

    async def _of_anchors(self, answer: Response, why: FastledgerError) -> list[Response]:
        """Go from organisation to organisation until the chaincode's policy holds."""
        collected = [answer]
        application = self._channel.bundle.application
        for mspid in sorted(application.orgs if application else ()):
            if mspid != self._peer.mspid and not self._satisfied(collected):
                for anchor in self._anchors(mspid):
                    another = await self._ask(anchor)
                    if another is not None:
                        collected.append(another)
                        break
        if self._satisfied(collected):
            return collected
        if self._details:
            raise GatewayFailed(grpc.StatusCode.ABORTED, TOO_FEW, self._details)
        raise _no_combination() from why

    def _anchors(self, mspid: str) -> list[Endorser]:
        """An organisation's anchor peers; they may be there although nobody has seen them."""
        application = self._channel.bundle.application
        org = application.orgs.get(mspid) if application else None
        places = [f"{anchor.host}:{anchor.port}" for anchor in org.anchor_peers] if org else []
        return [Endorser(place.encode(), place, mspid) for place in places]

    def _satisfied(self, collected: list[Response]) -> bool:
        signed = [
            SignedData(
                one.payload + one.endorsement.endorser,
                one.endorsement.endorser,
                one.endorsement.signature,
            )
            for one in collected
        ]
        return self._channel.is_endorsed(self._chaincode, signed)

    async def _ask(self, endorser: Endorser) -> Response | None:
        """Have a peer endorse; what it answers else is noted."""
        try:
            answer = await process(self._peer, self._channel, endorser, self._proposal)
        except (FastledgerError, grpc.aio.AioRpcError) as error:
            self._tell(endorser, text_of(error))
            return None
        if answer.response.status < ERROR_THRESHOLD:
            return answer
        message = f"chaincode response {answer.response.status}, {answer.response.message}"
        self._tell(endorser, message)
        return None

    def _tell(self, endorser: Endorser, message: str) -> None:
        self._details.append(
            pb.ErrorDetail(address=endorser.address, msp_id=endorser.mspid, message=message)
        )

    def assemble(self, collected: list[Response]) -> common_pb2.Envelope:
        """Make the transaction that the client will sign.

        Raises:
            GatewayFailed: The answers differ.
        """
        return _assemble(self._proposal, collected)


async def process(
    peer: GatewayPeer,
    channel: GatewayChannel,
    endorser: Endorser,
    proposal: proposal_pb2.SignedProposal,
) -> Response:
    """Have a peer process a proposal.

    Raises:
        FastledgerError: It refuses, or cannot be connected.
        grpc.aio.AioRpcError: It refuses, or is gone.
    """
    if endorser.own:
        return await peer.endorse(proposal)
    stub = peer_pb2_grpc.EndorserStub(await channel.connect_peer(endorser.address))
    try:
        answer: Response = await stub.ProcessProposal(proposal)
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.UNAVAILABLE:
            await channel.peer_failed(endorser.address)
        raise
    return answer


def _no_combination() -> GatewayFailed:
    return GatewayFailed(
        grpc.StatusCode.FAILED_PRECONDITION,
        "no combination of peers can be derived which satisfy the endorsement policy",
    )


def text_of(error: Exception) -> str:
    """Say why a peer does not answer."""
    return (error.details() if isinstance(error, grpc.aio.AioRpcError) else str(error)) or ""


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


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What a gateway must know of a proposal.

    Attributes:
        channel_id: The channel that it is for.
        chaincode: The chaincode that it calls.
        has_transient: Whether it brings what only endorsers may see.
    """

    channel_id: str
    chaincode: str
    has_transient: bool


def unpack(proposal: proposal_pb2.SignedProposal) -> Unpacked:
    """Read a proposal.

    Raises:
        GatewayFailed: It is malformed.
    """
    try:
        decoded = proposal_pb2.Proposal.FromString(proposal.proposal_bytes)
        header = common_pb2.Header.FromString(decoded.header)
        channel_header = common_pb2.ChannelHeader.FromString(header.channel_header)
        extension = proposal_pb2.ChaincodeHeaderExtension.FromString(channel_header.extension)
        payload = proposal_pb2.ChaincodeProposalPayload.FromString(decoded.payload)
    except DecodeError as error:
        raise GatewayFailed(
            grpc.StatusCode.INVALID_ARGUMENT,
            f"failed to unpack transaction proposal: {error}",
        ) from error
    return Unpacked(
        channel_header.channel_id, extension.chaincode_id.name, bool(payload.TransientMap)
    )
