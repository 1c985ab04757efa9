# SPDX-License-Identifier: Apache-2.0
"""What must be right about a proposal (``core/endorser/msgvalidation.go``)."""

from collections.abc import Callable, Collection
from contextlib import suppress

from google.protobuf.message import DecodeError

from fastledger.common.errors import FastledgerError
from fastledger.common.shorten import shortened
from fastledger.msp import Identity
from fastledger.protos.common import common_pb2
from fastledger.protos.msp import identities_pb2
from fastledger.protoutil.hashes import transaction_id
from fastledger.protoutil.unpacked import PartUndecodable, UnpackedProposal


class ProposalInvalid(FastledgerError):
    """A proposal that no peer may look at any further: a gRPC error for the client."""


class ProposalFiltered(ProposalInvalid):
    """A proposal that does not come as far as the endorser; another peer's clock may be right."""


def check_parts(proposal: UnpackedProposal) -> None:
    """See that everything is there that the endorser needs.

    Raises:
        ProposalInvalid: A part cannot be decoded or is missing.
    """
    try:
        _check_parts(proposal)
    except PartUndecodable as error:
        raise ProposalInvalid(str(error)) from error


def _check_parts(proposal: UnpackedProposal) -> None:
    for _ in (proposal.channel_header, proposal.signature_header):
        """Both must be there before anything that they carry is looked at."""
    if not proposal.extension.HasField("chaincode_id"):
        raise ProposalInvalid("ChaincodeHeaderExtension.ChaincodeId is nil")
    if not proposal.chaincode:
        raise ProposalInvalid("ChaincodeHeaderExtension.ChaincodeId.Name is empty")
    if not proposal.invocation.HasField("chaincode_spec"):
        raise ProposalInvalid("chaincode invocation spec did not contain chaincode spec")
    if not proposal.invocation.chaincode_spec.HasField("input"):
        raise ProposalInvalid("chaincode input did not contain any input")


def validate(
    proposal: UnpackedProposal,
    identify: Callable[[bytes], Identity],
    mspids: Collection[str] | None,
) -> None:
    """Check a proposal's headers and its creator's signature.

    Whoever is refused for what he is learns nothing but his organization.

    Args:
        proposal: The proposal.
        identify: Finds an identity among the channel's MSPs, or in the peer's own for proposals
            that concern it alone; raises when it belongs to none.
        mspids: The MSPs there; None where, as in 1.x, it does not matter whether the creator's
            is one of them.

    Raises:
        ProposalInvalid: With Fabric's text.
    """
    _check_headers(proposal)
    try:
        creator = identify(proposal.creator)
    except FastledgerError as error:
        claimed = claimed_mspid(proposal.creator)
        if mspids is None or claimed in mspids:
            raise access_denied(proposal.channel_id, claimed) from error
        raise ProposalInvalid(
            f"access denied: channel [{shortened(proposal.channel_id)}] creator org unknown, "
            "creator is malformed"
        ) from error
    try:
        creator.validate()
        creator.verify(proposal.signed.proposal_bytes, proposal.signed.signature)
    except FastledgerError as error:
        raise access_denied(proposal.channel_id, creator.mspid) from error


def claimed_mspid(creator: bytes) -> str:
    """The organization that somebody says he belongs to; empty when that cannot be read."""
    with suppress(DecodeError):
        return identities_pb2.SerializedIdentity.FromString(creator).mspid
    return ""


def access_denied(channel_id: str, mspid: str) -> ProposalInvalid:
    """Refuse somebody, vaguely."""
    return ProposalInvalid(
        f"access denied: channel [{shortened(channel_id)}] creator org [{shortened(mspid)}]"
    )


def _check_headers(proposal: UnpackedProposal) -> None:
    header, signature = proposal.channel_header, proposal.signature_header
    if header.type not in (common_pb2.ENDORSER_TRANSACTION, common_pb2.CONFIG):
        known = header.type in common_pb2.HeaderType.values()
        name = common_pb2.HeaderType.Name(header.type) if known else str(header.type)  # type: ignore[arg-type]
        raise ProposalInvalid(f"invalid header type {name}")
    if header.epoch:
        raise ProposalInvalid("epoch is non-zero")
    if not signature.nonce:
        raise ProposalInvalid("nonce is empty")
    if not signature.creator:
        raise ProposalInvalid("creator is empty")
    expected = transaction_id(signature.nonce, signature.creator)
    if header.tx_id != expected:
        raise ProposalInvalid(
            f"incorrectly computed txid '{shortened(header.tx_id)}' -- expected '{expected}'"
        )
    if not proposal.signed.proposal_bytes:
        raise ProposalInvalid("empty proposal bytes")
    if not proposal.signed.signature:
        raise ProposalInvalid("empty signature bytes")
