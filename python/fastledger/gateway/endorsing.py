# SPDX-License-Identifier: Apache-2.0
"""Collects endorsements: first one of the own organization, then what its result calls for.

The first answer says which chaincodes, collections and keys the transaction touches; from that, and
from who is there, discovery derives who else has to endorse. While the gateway's peer knows too few
others, organizations' anchor peers are asked until the chaincode's policy holds.
"""

from collections.abc import Sequence

import grpc

from fastledger.common.errors import FastledgerError, InputError
from fastledger.common.shorten import shortened
from fastledger.gateway.answers import EndorserFailed, Response, ask
from fastledger.gateway.failure import GatewayFailed
from fastledger.gateway.peer import GatewayChannel, GatewayPeer
from fastledger.gateway.plan import EndorsementPlan, Endorsers, EndorsingPeer
from fastledger.gateway.proposal import chaincode_of, check_parts, has_transient
from fastledger.protos.common import common_pb2
from fastledger.protos.gateway import gateway_pb2 as pb
from fastledger.protos.peer import proposal_pb2, proposal_response_pb2, transaction_pb2
from fastledger.protoutil.signed_data import SignedData
from fastledger.protoutil.unpacked import UnpackedProposal

Code = grpc.StatusCode

MAX_NAMES_BYTES = 512
"""Of organizations that a client has named and nobody knows."""

MAX_ORGANIZATIONS = 1_000
"""Organizations that a client may name as endorsers: more than any channel has."""

FAILED = "failed to endorse transaction, see attached details for more info"
TOO_FEW = "failed to collect enough transaction endorsements, see attached details for more info"
UNPROTECTED = (
    "no endorsers found in the gateway's organization; retry specifying endorsing organization(s) "
    "to protect transient data"
)


async def endorse(
    peer: GatewayPeer, proposal: UnpackedProposal, wanted: Sequence[str], timeout_s: float
) -> common_pb2.Envelope:
    """Return the unsigned transaction with as many endorsements as it needs.

    Args:
        peer: The gateway's own peer.
        proposal: What is asked.
        wanted: The organizations that shall endorse it; none for those that have to.
        timeout_s: For one other peer to answer.

    Raises:
        GatewayFailed: A peer refuses, answers differ, or too few peers can be reached.
    """
    if not proposal.signed.proposal_bytes:
        text = "the proposed transaction must contain a signed proposal"
        raise GatewayFailed(Code.INVALID_ARGUMENT, text)
    try:
        check_parts(proposal)
    except InputError as error:
        raise GatewayFailed(Code.INVALID_ARGUMENT, str(error)) from error
    channel = peer.channel(proposal.channel_id)
    if channel is None:
        raise _of_no_channel(proposal, wanted)
    asking = Asking(peer, channel, proposal, timeout_s)
    if wanted:
        return _assemble(proposal, await asking.of_organizations(wanted))
    first, answer = await asking.first()
    return _assemble(proposal, await asking.others(first, answer))


class Asking:
    """One proposal, and whoever is asked to endorse it."""

    def __init__(
        self,
        peer: GatewayPeer,
        channel: GatewayChannel,
        proposal: UnpackedProposal,
        timeout_s: float,
    ) -> None:
        """Ask nobody yet."""
        self._peer = peer
        self._channel = channel
        self._proposal = proposal
        self._chaincode = chaincode_of(proposal)
        self._timeout_s = timeout_s
        self._details: list[pb.ErrorDetail] = []

    async def of_organizations(self, wanted: Sequence[str]) -> list[Response]:
        """Have one peer of each organization endorse, as the client wants it."""
        if len(wanted) > MAX_ORGANIZATIONS:
            raise GatewayFailed(
                Code.INVALID_ARGUMENT,
                f"{len(wanted)} endorsing organizations, at most {MAX_ORGANIZATIONS} may be named",
            )
        known = self._channel.endorsers(self._chaincode)
        groups = {}
        for mspid in wanted:
            groups[mspid] = [one for one in known if one.mspid == mspid] or self._unknown(mspid)
        missing = [mspid for mspid, endorsers in groups.items() if not endorsers]
        if missing:
            raise _of_no_organization(missing)
        plan = EndorsementPlan(Endorsers(groups, [dict.fromkeys(groups, 1)]), self._ask, self._tell)
        return await self._collected(plan)

    def _unknown(self, mspid: str) -> Sequence[EndorsingPeer]:
        """Who may have the chaincode in an organization of which no peer is known."""
        is_strange = mspid != self._peer.mspid and self._channel.defines(self._chaincode)
        return self._anchors(mspid) if is_strange else ()

    async def first(self) -> tuple[EndorsingPeer, Response]:
        """Have a peer of the own organization endorse, or of another if the own has none."""
        able = list(self._channel.endorsers(self._chaincode))
        own = [endorser for endorser in able if endorser.mspid == self._peer.mspid]
        if not own and has_transient(self._proposal):
            raise GatewayFailed(Code.FAILED_PRECONDITION, UNPROTECTED)
        for endorser in own or self._of_others(able):
            answer = await self._ask(endorser)
            if answer is not None:
                return endorser, answer
        raise GatewayFailed(Code.ABORTED, FAILED, self._details)

    def _of_others(self, able: Sequence[EndorsingPeer]) -> Sequence[EndorsingPeer]:
        """The peers of one other organization, where they can endorse what is asked."""
        try:
            self._channel.endorsers_for(self._of_chaincode())
        except FastledgerError as error:
            raise _no_combination(error) from error
        return [endorser for endorser in able if endorser.mspid == able[0].mspid]

    async def others(self, first: EndorsingPeer, answer: Response) -> list[Response]:
        """Have those endorse whom the first answer calls for."""
        try:
            endorsers = self._endorsers(answer)
        except FastledgerError as error:
            return await self._of_anchors(answer, error)
        plan = EndorsementPlan(endorsers, self._ask, self._tell)
        plan.count(first, answer)
        return await self._collected(plan)

    def _endorsers(self, answer: Response) -> Endorsers:
        """Find who has to endorse; what is transient goes to members of the collections alone."""
        interest = answer.interest
        if not interest.chaincodes:
            # Of a peer before 2.4, or nothing was read or written.
            interest = self._of_chaincode()
        if not has_transient(self._proposal):
            return self._channel.endorsers_for(interest)
        cautious = proposal_response_pb2.ChaincodeInterest()
        cautious.CopyFrom(interest)
        protected: list[str] = []
        for call in cautious.chaincodes:
            if call.no_private_reads:
                call.no_private_reads = False
                protected.extend(call.collection_names)
        try:
            return self._channel.endorsers_for(cautious)
        except FastledgerError:
            if protected:
                self._channel.endorsers_for(interest)
                raise GatewayFailed(
                    Code.FAILED_PRECONDITION,
                    "requires endorsement from organization(s) that are not in the distribution "
                    f"policy of the private data collection(s): [{' '.join(protected)}]; retry "
                    "specifying trusted endorsing organizations to protect transient data",
                ) from None
            raise

    def _of_chaincode(self) -> proposal_response_pb2.ChaincodeInterest:
        interest = proposal_response_pb2.ChaincodeInterest()
        interest.chaincodes.add(name=self._chaincode)
        return interest

    async def _collected(self, plan: EndorsementPlan) -> list[Response]:
        collected = await plan.collect()
        if collected is None:
            raise GatewayFailed(Code.ABORTED, TOO_FEW, self._details)
        return collected

    async def _of_anchors(self, answer: Response, why: FastledgerError) -> list[Response]:
        """Go from organization to organization until the chaincode's policy holds."""
        if isinstance(why, GatewayFailed):
            raise why
        if not self._channel.defines(self._chaincode):
            raise _no_combination(why)
        collected = [answer]
        application = self._channel.bundle.application
        # Nobody has said who may see what is transient.
        strangers = application.orgs if application and not has_transient(self._proposal) else ()
        for mspid in sorted(strangers):
            if mspid != self._peer.mspid and not self._satisfied(collected):
                for anchor in self._anchors(mspid):
                    another = await self._ask(anchor)
                    if another is not None:
                        collected.append(another)
                        break
        if self._satisfied(collected):
            return collected
        if self._details:
            raise GatewayFailed(Code.ABORTED, TOO_FEW, self._details)
        raise _no_combination(why)

    def _anchors(self, mspid: str) -> list[EndorsingPeer]:
        """An organization's anchor peers; they may be there although nobody has seen them."""
        application = self._channel.bundle.application
        org = application.orgs.get(mspid) if application else None
        places = [f"{anchor.host}:{anchor.port}" for anchor in org.anchor_peers] if org else []
        return [EndorsingPeer(place.encode(), place, mspid) for place in places]

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

    async def _ask(self, endorser: EndorsingPeer) -> Response | None:
        """Have a peer endorse; what it answers else is noted."""
        try:
            return await ask(self._peer, self._channel, endorser, self._proposal, self._timeout_s)
        except EndorserFailed as failure:
            self._details.append(failure.detail)
            return None

    def _tell(self, endorser: EndorsingPeer, message: str) -> None:
        self._details.append(
            pb.ErrorDetail(address=endorser.address, msp_id=endorser.mspid, message=message)
        )


def _of_no_channel(proposal: UnpackedProposal, wanted: Sequence[str]) -> GatewayFailed:
    """Refuse a channel that the peer is not on: nobody there is known."""
    if wanted:
        return _of_no_organization(wanted)
    if has_transient(proposal):
        return GatewayFailed(Code.FAILED_PRECONDITION, UNPROTECTED)
    chaincode, channel_id = shortened(chaincode_of(proposal)), shortened(proposal.channel_id)
    return _no_combination(
        f"No metadata was found for chaincode {chaincode} in channel {channel_id}"
    )


def _of_no_organization(missing: Sequence[str]) -> GatewayFailed:
    names = shortened(", ".join(missing), MAX_NAMES_BYTES)
    text = f"failed to find any endorsing peers for org(s): {names}"
    return GatewayFailed(Code.UNAVAILABLE, text)


def _no_combination(why: object) -> GatewayFailed:
    return GatewayFailed(
        Code.FAILED_PRECONDITION,
        f"no combination of peers can be derived which satisfy the endorsement policy: {why}",
    )


def _assemble(proposal: UnpackedProposal, collected: Sequence[Response]) -> common_pb2.Envelope:
    """Make the transaction that the client will sign.

    Raises:
        GatewayFailed: The answers differ.
    """
    first = collected[0]
    if any(one.payload != first.payload for one in collected):
        raise GatewayFailed(
            Code.ABORTED,
            "failed to assemble transaction: ProposalResponsePayloads do not match",
        )
    public = proposal_pb2.ChaincodeProposalPayload(input=proposal.payload.input)
    action = transaction_pb2.ChaincodeActionPayload(
        chaincode_proposal_payload=public.SerializeToString()
    )
    action.action.proposal_response_payload = first.payload
    action.action.endorsements.extend(one.endorsement for one in collected)
    transaction = transaction_pb2.Transaction()
    transaction.actions.add(
        header=proposal.header.signature_header,
        payload=action.SerializeToString(deterministic=True),
    )
    payload = common_pb2.Payload(
        header=proposal.header, data=transaction.SerializeToString(deterministic=True)
    )
    return common_pb2.Envelope(payload=payload.SerializeToString(deterministic=True))
