# SPDX-License-Identifier: Apache-2.0
"""What a gateway must know of a proposal (Fabric: ``internal/pkg/gateway/evaluate.go``)."""

from fastledger.common.errors import InputError
from fastledger.protoutil.unpacked import UnpackedProposal


def chaincode_of(proposal: UnpackedProposal) -> str:
    """Name the chaincode that a proposal's payload calls; its header names one for endorsers."""
    return proposal.invocation.chaincode_spec.chaincode_id.name


def has_transient(proposal: UnpackedProposal) -> bool:
    """Whether it brings what only endorsers may see."""
    return bool(proposal.payload.TransientMap)


def check_parts(proposal: UnpackedProposal) -> None:
    """Raise InputError unless every part decodes that a gateway looks at."""
    proposal.channel_header  # noqa: B018 - the headers are looked at before the payload
    proposal.invocation  # noqa: B018


def check_addressed(proposal: UnpackedProposal) -> None:
    """Raise InputError unless a proposal names its channel and its chaincode."""
    if not proposal.signed.proposal_bytes:
        raise InputError("a signed proposal is required")
    check_parts(proposal)
    if not proposal.channel_id:
        raise InputError("no channel id provided")
    spec = proposal.invocation
    for what, is_missing in (
        ("spec", not spec.HasField("chaincode_spec")),
        ("id", not spec.chaincode_spec.HasField("chaincode_id")),
        ("name", not chaincode_of(proposal)),
    ):
        if is_missing:
            text = f"no chaincode {what} is provided, channel id [{proposal.channel_id}]"
            raise InputError(text)
