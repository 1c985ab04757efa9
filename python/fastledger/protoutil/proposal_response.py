# SPDX-License-Identifier: Apache-2.0
"""What endorsers answer, made (Fabric: ``protoutil.CreateProposalResponse``)."""

from fastledger._core import EndorsedResponse, SigningKey
from fastledger._core import proposal_response as encoded_response
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
    "Answer",
    "answer_bytes",
    "encoded_payload",
    "encoded_response",
    "endorse",
    "endorsed_answer",
    "endorsed_response",
    "failed_response",
    "response_payload",
]

Answer = bytes | EndorsedResponse
"""An encoded ``protos.ProposalResponse``, or one that is signed where it is sent."""

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


def endorsed_answer(
    response: bytes,
    payload: bytes,
    endorser: Signer,
    key: SigningKey | None,
    interest: bytes | None = None,
) -> Answer:
    """Answer with an endorsement, of encoded parts.

    Args:
        response: A ``protos.Response``.
        payload: What is endorsed.
        endorser: Who endorses.
        key: The endorser's, where the core has it: it signs where the answer is sent.
        interest: A ``protos.ChaincodeInterest``.
    """
    if key is not None:
        return EndorsedResponse(key, endorser.serialized, response, payload, interest)
    made = endorsed_response(payload, Response.FromString(response), endorser)
    if interest is not None:
        made.interest.ParseFromString(interest)
    return made.SerializeToString(deterministic=True)


def answer_bytes(made: Answer) -> bytes:
    """Return an answer's bytes, signing it now if need be."""
    return made if isinstance(made, bytes) else made.encoded()


def endorsed_response(payload: bytes, response: Response, endorser: Signer) -> ProposalResponse:
    """Answer a proposal with an endorsement."""
    return ProposalResponse(
        version=VERSION, payload=payload, response=response, endorsement=endorse(payload, endorser)
    )


def failed_response(status: int, message: str) -> ProposalResponse:
    """Answer a proposal without an endorsement, saying what went wrong."""
    return ProposalResponse(response=Response(status=status, message=message))
