# SPDX-License-Identifier: Apache-2.0
"""Proposals sent to peers, and the transactions that their endorsements make."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastledger.client.peer import Peer
from fastledger.common.errors import ProposalRefused
from fastledger.protos.common.common_pb2 import Envelope, HeaderType
from fastledger.protos.peer.chaincode_pb2 import (
    ChaincodeID,
    ChaincodeInput,
    ChaincodeInvocationSpec,
    ChaincodeSpec,
)
from fastledger.protos.peer.proposal_response_pb2 import ProposalResponse
from fastledger.protoutil.proposal import (
    Proposed,
    create_proposal,
    create_signed_tx,
    signed_proposal,
)
from fastledger.protoutil.signer import Signer

SUCCESS = 200


@dataclass(frozen=True, slots=True)
class Endorsement:
    """A proposal and what peers answered.

    Attributes:
        proposed: The proposal, with its transaction id.
        responses: One for each peer, in the order of the peers.
    """

    proposed: Proposed
    responses: tuple[ProposalResponse, ...]

    @property
    def tx_id(self) -> str:
        """The transaction's id."""
        return self.proposed.tx_id


def invocation(
    chaincode: str,
    args: Sequence[bytes],
    *,
    is_init: bool = False,
    language: "ChaincodeSpec.Type.ValueType" = ChaincodeSpec.UNDEFINED,
) -> ChaincodeInvocationSpec:
    """Return the message that names a chaincode and its arguments."""
    return ChaincodeInvocationSpec(
        chaincode_spec=ChaincodeSpec(
            type=language,
            chaincode_id=ChaincodeID(name=chaincode),
            input=ChaincodeInput(args=args, is_init=is_init),
        )
    )


async def endorse(
    peers: Sequence[Peer],
    signer: Signer,
    channel_id: str,
    spec: ChaincodeInvocationSpec,
    *,
    transient: Mapping[str, bytes] | None = None,
    header_type: int = HeaderType.ENDORSER_TRANSACTION,
) -> Endorsement:
    """Send the same proposal to all peers at once.

    Raises:
        RpcFailed: A peer refused it before simulation, or is gone.
    """
    proposed = create_proposal(header_type, channel_id, spec, signer.serialized, transient)
    signed = signed_proposal(proposed.proposal, signer)
    if len(peers) == 1:
        # A query asks one peer, and needs no task beside its own.
        return Endorsement(proposed, (await peers[0].process_proposal(signed),))
    responses = await asyncio.gather(*(peer.process_proposal(signed) for peer in peers))
    return Endorsement(proposed, tuple(responses))


def transaction(endorsement: Endorsement, signer: Signer) -> Envelope:
    """Assemble the transaction that goes to an orderer.

    Raises:
        InputError: The endorsements make none: one is missing, or they differ.
    """
    return create_signed_tx(endorsement.proposed.proposal, signer, endorsement.responses)


async def call(
    peer: Peer,
    signer: Signer,
    chaincode: str,
    args: Sequence[bytes],
    *,
    channel_id: str = "",
    header_type: int = HeaderType.ENDORSER_TRANSACTION,
) -> bytes:
    """Ask a system chaincode of one peer, and return the payload that it answers.

    Raises:
        ProposalRefused: It answered another status than success.
        RpcFailed: The peer refused the proposal, or is gone.
    """
    spec = invocation(chaincode, args, language=ChaincodeSpec.GOLANG)
    answer = await endorse([peer], signer, channel_id, spec, header_type=header_type)
    response = answer.responses[0].response
    if response.status not in (0, SUCCESS):
        raise ProposalRefused(response.status, response.message)
    return response.payload
