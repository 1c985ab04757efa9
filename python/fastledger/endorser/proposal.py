# SPDX-License-Identifier: Apache-2.0
"""A proposal taken apart, and what must be right about it (``core/endorser/msgvalidation.go``)."""

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol, TypeVar

from google.protobuf.message import DecodeError, Message

from fastledger.common.errors import FastledgerError
from fastledger.common.shorten import shortened
from fastledger.protos.common import common_pb2
from fastledger.protos.msp import identities_pb2
from fastledger.protos.peer import chaincode_pb2, proposal_pb2
from fastledger.protoutil.hashes import transaction_id

M = TypeVar("M", bound=Message)


class ProposalInvalid(FastledgerError):
    """A proposal that no peer may look at any further: a gRPC error for the client."""


class ProposalFiltered(ProposalInvalid):
    """A proposal that does not come as far as the endorser; another peer's clock may be right."""


@dataclass(frozen=True, slots=True)
class UnpackedProposal:
    """A proposal's parts."""

    signed: proposal_pb2.SignedProposal
    proposal: proposal_pb2.Proposal
    channel_header: common_pb2.ChannelHeader
    signature_header: common_pb2.SignatureHeader
    chaincode: str
    """Name of the chaincode that is called."""

    input: chaincode_pb2.ChaincodeInput
    hash: bytes
    """Over the headers and the payload without its transient part."""

    @property
    def channel_id(self) -> str:
        """Empty for proposals that concern the peer alone."""
        return self.channel_header.channel_id

    @property
    def tx_id(self) -> str:
        """The transaction's id as the proposal says it."""
        return self.channel_header.tx_id

    @property
    def creator(self) -> bytes:
        """Encoded ``msp.SerializedIdentity``."""
        return self.signature_header.creator


def unpack(signed: proposal_pb2.SignedProposal) -> UnpackedProposal:
    """Take a proposal apart.

    Raises:
        ProposalInvalid: A part cannot be decoded or is missing.
    """
    proposal = _decode(proposal_pb2.Proposal, signed.proposal_bytes)
    header = _decode(common_pb2.Header, proposal.header)
    channel_header = _decode(common_pb2.ChannelHeader, header.channel_header)
    signature_header = _decode(common_pb2.SignatureHeader, header.signature_header)
    extension = _decode(proposal_pb2.ChaincodeHeaderExtension, channel_header.extension)
    if not extension.HasField("chaincode_id"):
        raise ProposalInvalid("ChaincodeHeaderExtension.ChaincodeId is nil")
    if not extension.chaincode_id.name:
        raise ProposalInvalid("ChaincodeHeaderExtension.ChaincodeId.Name is empty")
    payload = _decode(proposal_pb2.ChaincodeProposalPayload, proposal.payload)
    invocation = _decode(chaincode_pb2.ChaincodeInvocationSpec, payload.input)
    if not invocation.HasField("chaincode_spec"):
        raise ProposalInvalid("chaincode invocation spec did not contain chaincode spec")
    if not invocation.chaincode_spec.HasField("input"):
        raise ProposalInvalid("chaincode input did not contain any input")
    public = proposal_pb2.ChaincodeProposalPayload(input=payload.input).SerializeToString()
    digest = sha256(header.channel_header + header.signature_header + public).digest()
    return UnpackedProposal(
        signed=signed,
        proposal=proposal,
        channel_header=channel_header,
        signature_header=signature_header,
        chaincode=extension.chaincode_id.name,
        input=invocation.chaincode_spec.input,
        hash=digest,
    )


class Identity(Protocol):
    """A creator as his MSP knows him."""

    @property
    def mspid(self) -> str:
        """His organization."""

    def validate(self) -> None:
        """Raise unless his certificate is valid now."""

    def verify(self, message: bytes, signature: bytes) -> None:
        """Raise unless he signed the message."""


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


def _decode(kind: type[M], encoded: bytes) -> M:
    try:
        return kind.FromString(encoded)
    except DecodeError as error:
        name = kind.DESCRIPTOR.name
        raise ProposalInvalid(f"error unmarshaling {name}: {error}") from error
