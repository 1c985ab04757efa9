# SPDX-License-Identifier: Apache-2.0
"""A signed proposal taken apart (Fabric: ``endorser.UnpackedProposal``)."""

from functools import cached_property
from hashlib import sha256
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from fastledger.common.errors import InputError
from fastledger.protos.common.common_pb2 import ChannelHeader, Header, SignatureHeader
from fastledger.protos.peer.chaincode_pb2 import ChaincodeInput, ChaincodeInvocationSpec
from fastledger.protos.peer.proposal_pb2 import (
    ChaincodeHeaderExtension,
    ChaincodeProposalPayload,
    Proposal,
    SignedProposal,
)
from fastledger.protoutil.signed_data import SignedData

_M = TypeVar("_M", bound=Message)


class PartUndecodable(InputError):
    """A part of a proposal is no such message.

    Attributes:
        kind: Name of the message that it should be.
        reason: Why it is none.
    """

    def __init__(self, kind: str, reason: str) -> None:
        """Name the message."""
        super().__init__(f"error unmarshaling {kind}: {reason}")
        self.kind = kind
        self.reason = reason


class UnpackedProposal:
    """A proposal's parts, each decoded once, when somebody asks for it first.

    It is made where a proposal comes in, and handed on to whoever needs a part. Asking for one that
    is no such message raises PartUndecodable. Nothing here says whether the proposal is valid.
    """

    def __init__(self, signed: SignedProposal) -> None:
        """Take over a proposal, which nobody changes any more."""
        self.signed = signed

    @cached_property
    def proposal(self) -> Proposal:
        """What was signed."""
        return _decode(Proposal, self.signed.proposal_bytes)

    @cached_property
    def header(self) -> Header:
        """Both headers, encoded."""
        return _decode(Header, self.proposal.header)

    @cached_property
    def channel_header(self) -> ChannelHeader:
        """Where the proposal goes."""
        return _decode(ChannelHeader, self.header.channel_header)

    @cached_property
    def signature_header(self) -> SignatureHeader:
        """Whose it is."""
        return _decode(SignatureHeader, self.header.signature_header)

    @cached_property
    def extension(self) -> ChaincodeHeaderExtension:
        """The chaincode that the header names."""
        return _decode(ChaincodeHeaderExtension, self.channel_header.extension)

    @cached_property
    def payload(self) -> ChaincodeProposalPayload:
        """The encoded invocation, and what is transient."""
        return _decode(ChaincodeProposalPayload, self.proposal.payload)

    @cached_property
    def invocation(self) -> ChaincodeInvocationSpec:
        """What is asked of which chaincode."""
        return _decode(ChaincodeInvocationSpec, self.payload.input)

    @cached_property
    def hash(self) -> bytes:
        """SHA-256 of the headers, and of the payload without its transient part."""
        public = ChaincodeProposalPayload(input=self.payload.input).SerializeToString()
        header = self.header
        return sha256(header.channel_header + header.signature_header + public).digest()

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

    @property
    def chaincode(self) -> str:
        """Name of the chaincode that is called."""
        return self.extension.chaincode_id.name

    @property
    def input(self) -> ChaincodeInput:
        """What it is called with."""
        return self.invocation.chaincode_spec.input

    @property
    def signed_data(self) -> SignedData:
        """What a policy is asked about the proposal."""
        return SignedData(self.signed.proposal_bytes, self.creator, self.signed.signature)

    @property
    def claimed_creator(self) -> bytes:
        """Whose a proposal claims to be; empty where that cannot be read."""
        try:
            return self.creator
        except PartUndecodable:
            return b""


def _decode(kind: type[_M], encoded: bytes) -> _M:
    try:
        return kind.FromString(encoded)
    except DecodeError as error:
        raise PartUndecodable(kind.DESCRIPTOR.name, str(error)) from error
