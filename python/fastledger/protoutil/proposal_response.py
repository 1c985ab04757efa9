# SPDX-License-Identifier: Apache-2.0
"""What endorsers answer, made (Fabric: ``protoutil.CreateProposalResponse``)."""

from fastledger.protos.peer.chaincode_pb2 import ChaincodeID
from fastledger.protos.peer.proposal_pb2 import ChaincodeAction
from fastledger.protos.peer.proposal_response_pb2 import (
    Endorsement,
    ProposalResponse,
    ProposalResponsePayload,
    Response,
)
from fastledger.protoutil.signer import Signer

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


def endorsed_response(payload: bytes, response: Response, endorser: Signer) -> ProposalResponse:
    """Answer a proposal with an endorsement."""
    return ProposalResponse(
        version=VERSION, payload=payload, response=response, endorsement=endorse(payload, endorser)
    )


def failed_response(status: int, message: str) -> ProposalResponse:
    """Answer a proposal without an endorsement, saying what went wrong."""
    return ProposalResponse(response=Response(status=status, message=message))
