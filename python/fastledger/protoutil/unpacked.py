# SPDX-License-Identifier: Apache-2.0
"""A signed proposal taken apart (Fabric: ``endorser.UnpackedProposal``)."""

from collections.abc import Callable
from hashlib import sha256
from typing import Generic, TypeVar, overload

from google.protobuf.message import DecodeError, Message

from fastledger._core import Proposal as WholeProposal
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

__all__ = ["PartUndecodable", "UnpackedProposal", "WholeProposal"]

_M = TypeVar("_M", bound=Message)
_T = TypeVar("_T")


class _Part(Generic[_T]):
    """A property that is worked out once, as ``functools.cached_property``.

    That one takes a lock before Python 3.12, which every call of a peer would pay for eight times.
    """

    def __init__(self, work_out: Callable[["UnpackedProposal"], _T]) -> None:
        self._work_out = work_out
        self._name = work_out.__name__
        self.__doc__ = work_out.__doc__

    @overload
    def __get__(self, proposal: None, _: type) -> "_Part[_T]": ...

    @overload
    def __get__(self, proposal: "UnpackedProposal", _: type) -> _T: ...

    def __get__(self, proposal: "UnpackedProposal | None", _: type) -> "_T | _Part[_T]":
        if proposal is None:
            return self
        # From here on the instance's own attribute is found before this.
        found = proposal.__dict__[self._name] = self._work_out(proposal)
        return found


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
    """A proposal's parts, each decoded once.

    It is made where a proposal comes in, and handed on to whoever needs a part. The core decodes
    what every proposal is asked for; the rest, and all of a proposal that has not all parts, is
    decoded when somebody asks for it first. Asking for a part that is no such message raises
    PartUndecodable. Nothing here says whether the proposal is valid.
    """

    def __init__(self, encoded: bytes) -> None:
        """Take an encoded ``protos.SignedProposal`` apart.

        Raises:
            DecodeError: It is none.
        """
        self.encoded = encoded
        self.whole = whole = WholeProposal.unpack(encoded)
        if whole is None:
            self.signed = SignedProposal.FromString(encoded)
            return
        self.channel_id = whole.channel_id
        self.tx_id = whole.tx_id
        self.creator = whole.creator
        self.chaincode = whole.chaincode

    @_Part
    def signed(self) -> SignedProposal:
        """What was signed, encoded, and the signature."""
        return SignedProposal.FromString(self.encoded)

    @_Part
    def proposal(self) -> Proposal:
        """What was signed."""
        return _decode(Proposal, self.signed.proposal_bytes)

    @_Part
    def header(self) -> Header:
        """Both headers, encoded."""
        return _decode(Header, self.proposal.header)

    @_Part
    def channel_header(self) -> ChannelHeader:
        """Where the proposal goes."""
        return _decode(ChannelHeader, self.header.channel_header)

    @_Part
    def signature_header(self) -> SignatureHeader:
        """Whose it is."""
        return _decode(SignatureHeader, self.header.signature_header)

    @_Part
    def extension(self) -> ChaincodeHeaderExtension:
        """The chaincode that the header names."""
        return _decode(ChaincodeHeaderExtension, self.channel_header.extension)

    @_Part
    def payload(self) -> ChaincodeProposalPayload:
        """The encoded invocation, and what is transient."""
        return _decode(ChaincodeProposalPayload, self.proposal.payload)

    @_Part
    def invocation(self) -> ChaincodeInvocationSpec:
        """What is asked of which chaincode."""
        encoded = self.payload.input if self.whole is None else self.whole.invocation
        return _decode(ChaincodeInvocationSpec, encoded)

    @_Part
    def hash(self) -> bytes:
        """SHA-256 of the headers, and of the payload without its transient part."""
        if self.whole is not None:
            return self.whole.hash
        public = ChaincodeProposalPayload(input=self.payload.input).SerializeToString()
        header = self.header
        return sha256(header.channel_header + header.signature_header + public).digest()

    @_Part
    def channel_id(self) -> str:
        """Empty for proposals that concern the peer alone."""
        return self.channel_header.channel_id

    @_Part
    def tx_id(self) -> str:
        """The transaction's id as the proposal says it."""
        return self.channel_header.tx_id

    @_Part
    def creator(self) -> bytes:
        """Encoded ``msp.SerializedIdentity``."""
        return self.signature_header.creator

    @_Part
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
