# SPDX-License-Identifier: Apache-2.0
"""Proposals, and the transactions that their endorsements make."""

import base64
import hashlib
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from google.protobuf.message import DecodeError, Message

from fastledger._core import proposal_parts, transaction_payload
from fastledger.common.errors import InputError
from fastledger.protos.common.common_pb2 import Envelope, Header, SignatureHeader
from fastledger.protos.peer.chaincode_pb2 import ChaincodeInvocationSpec
from fastledger.protos.peer.proposal_pb2 import (
    ChaincodeProposalPayload,
    Proposal,
    SignedProposal,
)
from fastledger.protos.peer.proposal_response_pb2 import ProposalResponse
from fastledger.protoutil.envelope import NONCE_BYTES
from fastledger.protoutil.hashes import transaction_id
from fastledger.protoutil.signer import Signer

_AnyMessage = TypeVar("_AnyMessage", bound=Message)


class Proposed(NamedTuple):
    """A proposal and the id of the transaction that it may become."""

    proposal: Proposal
    tx_id: str


def create_proposal(
    header_type: int,
    channel_id: str,
    spec: ChaincodeInvocationSpec,
    creator: bytes,
    transient: Mapping[str, bytes] | None = None,
    *,
    nonce: bytes = b"",
) -> Proposed:
    """Propose an invocation (``CreateChaincodeProposalWithTransient``).

    Args:
        header_type: ``ENDORSER_TRANSACTION``, or ``CONFIG`` for joining a channel.
        channel_id: Empty for what is asked of a peer alone.
        spec: The chaincode and its arguments.
        creator: The encoded ``msp.SerializedIdentity`` of who will sign.
        transient: What the chaincode gets, but the transaction does not hold.
        nonce: 24 bytes of your own, made here if empty.
    """
    nonce = nonce or secrets.token_bytes(NONCE_BYTES)
    tx_id = transaction_id(nonce, creator)
    header, payload = proposal_parts(
        header_type,
        channel_id,
        tx_id,
        spec.SerializeToString(),
        creator,
        nonce,
        time.time_ns(),
        dict(transient or {}),
    )
    return Proposed(Proposal(header=header, payload=payload), tx_id)


def signed_proposal(proposal: Proposal, signer: Signer) -> SignedProposal:
    """Sign a proposal (``GetSignedProposal``)."""
    encoded = proposal.SerializeToString()
    return SignedProposal(proposal_bytes=encoded, signature=signer.sign(encoded))


def payload_for_tx(payload: bytes) -> bytes:
    """Leave out the transient map, which no ledger gets (``GetBytesProposalPayloadForTx``).

    Raises:
        InputError: The bytes are no ``protos.ChaincodeProposalPayload``.
    """
    decoded = _decode(ChaincodeProposalPayload, payload)
    return ChaincodeProposalPayload(input=decoded.input).SerializeToString()


def proposal_hash(header: Header, payload: bytes) -> bytes:
    """Hash what endorsers endorse of a proposal: headers, and payload without transient map.

    Fabric: ``protoutil.GetProposalHash1``.

    Raises:
        InputError: The payload does not decode.
    """
    parts = header.channel_header, header.signature_header, payload_for_tx(payload)
    return hashlib.sha256(b"".join(parts)).digest()


def create_signed_tx(
    proposal: Proposal, signer: Signer, responses: Sequence[ProposalResponse]
) -> Envelope:
    """Make the transaction of a proposal and its endorsements (``CreateSignedTx``).

    Raises:
        InputError: The responses make none; the texts are Fabric's.
    """
    if not responses:
        raise InputError("at least one proposal response is required")
    header = _decode(Header, proposal.header)
    creator = _decode(SignatureHeader, header.signature_header).creator
    if creator != signer.serialized:
        raise InputError("signer must be the same as the one referenced in the header")
    _check_agreement(responses)
    payload = transaction_payload(
        proposal.header,
        header.signature_header,
        proposal.payload,
        responses[0].payload,
        _endorsements(responses),
    )
    return Envelope(payload=payload, signature=signer.sign(payload))


def _check_agreement(responses: Sequence[ProposalResponse]) -> None:
    first = responses[0].payload
    for one in responses:
        if not 200 <= one.response.status < 400:
            raise InputError(
                "proposal response was not successful, error code "
                f"{one.response.status}, msg {one.response.message}"
            )
        if one.payload != first:
            theirs, ours = (base64.b64encode(it).decode() for it in (one.payload, first))
            raise InputError(
                f"ProposalResponsePayloads do not match (base64): '{theirs}' vs '{ours}'"
            )


def _endorsements(responses: Iterable[ProposalResponse]) -> list[tuple[bytes, bytes]]:
    by_endorser: dict[bytes, bytes] = {}
    for one in responses:
        if one.HasField("endorsement"):
            endorsement = one.endorsement
            by_endorser.setdefault(endorsement.endorser, endorsement.signature)
    if not by_endorser:
        raise InputError("no endorsements")
    return list(by_endorser.items())


def _decode(kind: type[_AnyMessage], encoded: bytes) -> _AnyMessage:
    try:
        return kind.FromString(encoded)
    except DecodeError as error:
        raise InputError(f"error unmarshalling {kind.DESCRIPTOR.name}: {error}") from error
