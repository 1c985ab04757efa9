# SPDX-License-Identifier: Apache-2.0
"""What endorsers answer, made (Fabric: ``protoutil.CreateProposalResponse``)."""

from fastledger._core import proposal_response as _composed
from fastledger._core import response_payload as encoded_payload
from fastledger.protos.peer.chaincode_pb2 import ChaincodeID
from fastledger.protos.peer.proposal_pb2 import ChaincodeAction
from fastledger.protos.peer.proposal_response_pb2 import (
    Endorsement,
    ProposalResponse,
    ProposalResponsePayload,
    Response,
)
from fastledger.protoutil.signer import Signer

__all__ = [
    "encoded_payload",
    "encoded_response",
    "endorse",
    "endorsed_response",
    "failed_response",
    "response_payload",
]

VERSION = 1
"""``ProposalResponse.version`` of every endorsement."""


def response_payload(
    proposal_hash: bytes,
    response: Response,
    results: bytes,
    events: bytes,
    chaincode_id: ChaincodeID,
) -> bytes:
    """Encode what an endorser signs: the simulation's outcome under the proposal's hash.

    Fabric: ``protoutil.GetBytesProposalResponsePayload``. All endorsers must give the same bytes.
    """
    action = ChaincodeAction(
        results=results, events=events, response=response, chaincode_id=chaincode_id
    )
    payload = ProposalResponsePayload(
        proposal_hash=proposal_hash, extension=action.SerializeToString(deterministic=True)
    )
    return payload.SerializeToString(deterministic=True)


def endorse(payload: bytes, endorser: Signer) -> Endorsement:
    """Sign a response payload together with the endorser's identity."""
    identity = endorser.serialized
    return Endorsement(endorser=identity, signature=endorser.sign(payload + identity))


def encoded_response(
    response: bytes,
    payload: bytes,
    endorser: Signer | None = None,
    interest: bytes | None = None,
) -> bytes:
    """Compose an answer of encoded parts, which is what an endorser does for every proposal.

    Args:
        response: A ``protos.Response``.
        payload: What is endorsed.
        endorser: Signs the payload together with its identity; None where nothing is endorsed.
        interest: A ``protos.ChaincodeInterest``.

    Returns:
        An encoded ``protos.ProposalResponse``.
    """
    if endorser is None:
        return _composed(response, payload, interest=interest)
    identity = endorser.serialized
    signature = endorser.sign(payload + identity)
    return _composed(response, payload, endorser=identity, signature=signature, interest=interest)


def endorsed_response(payload: bytes, response: Response, endorser: Signer) -> ProposalResponse:
    """Answer a proposal with an endorsement."""
    return ProposalResponse(
        version=VERSION, payload=payload, response=response, endorsement=endorse(payload, endorser)
    )


def failed_response(status: int, message: str) -> ProposalResponse:
    """Answer a proposal without an endorsement, saying what went wrong."""
    return ProposalResponse(response=Response(status=status, message=message))
