# SPDX-License-Identifier: Apache-2.0
"""What a gateway must know of a proposal (Fabric: ``internal/pkg/gateway/evaluate.go``)."""

from dataclasses import dataclass
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from fastledger.common.errors import InputError
from fastledger.protos.common import common_pb2
from fastledger.protos.peer import chaincode_pb2, proposal_pb2

_M = TypeVar("_M", bound=Message)


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A proposal's parts."""

    header: common_pb2.Header
    payload: proposal_pb2.ChaincodeProposalPayload
    channel_id: str
    """The channel that it is for."""

    spec: chaincode_pb2.ChaincodeInvocationSpec

    @property
    def chaincode(self) -> str:
        """The chaincode that it calls."""
        return self.spec.chaincode_spec.chaincode_id.name

    @property
    def has_transient(self) -> bool:
        """Whether it brings what only endorsers may see."""
        return bool(self.payload.TransientMap)


def unpack(signed: proposal_pb2.SignedProposal) -> Unpacked:
    """Read a proposal; raises InputError where a part is no such message."""
    proposal = _decode(proposal_pb2.Proposal, signed.proposal_bytes)
    header = _decode(common_pb2.Header, proposal.header)
    channel_header = _decode(common_pb2.ChannelHeader, header.channel_header)
    payload = _decode(proposal_pb2.ChaincodeProposalPayload, proposal.payload)
    spec = _decode(chaincode_pb2.ChaincodeInvocationSpec, payload.input)
    return Unpacked(header, payload, channel_header.channel_id, spec)


def unpack_addressed(signed: proposal_pb2.SignedProposal) -> Unpacked:
    """Read a proposal that must name its channel and its chaincode; raises InputError."""
    if not signed.proposal_bytes:
        raise InputError("a signed proposal is required")
    found = unpack(signed)
    if not found.channel_id:
        raise InputError("no channel id provided")
    for what, is_missing in (
        ("spec", not found.spec.HasField("chaincode_spec")),
        ("id", not found.spec.chaincode_spec.HasField("chaincode_id")),
        ("name", not found.chaincode),
    ):
        if is_missing:
            raise InputError(f"no chaincode {what} is provided, channel id [{found.channel_id}]")
    return found


def _decode(kind: type[_M], encoded: bytes) -> _M:
    try:
        return kind.FromString(encoded)
    except DecodeError as error:
        raise InputError(f"error unmarshaling {kind.DESCRIPTOR.name}: {error}") from error
