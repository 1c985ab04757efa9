# SPDX-License-Identifier: Apache-2.0
"""What the client's proposal says about a transaction."""

import hashlib
from datetime import UTC, datetime, timedelta

from google.protobuf.message import DecodeError

from fastledger.protos.common.common_pb2 import ChannelHeader, Header, HeaderType, SignatureHeader
from fastledger.protos.peer.proposal_pb2 import (
    ChaincodeProposalPayload,
    Proposal,
    SignedProposal,
)

_EPOCH_START = datetime(1970, 1, 1, tzinfo=UTC)
_VALID_TYPES = (HeaderType.ENDORSER_TRANSACTION, HeaderType.CONFIG)


class ProposalFacts:
    """A signed proposal, taken apart when first asked."""

    def __init__(self, signed: bytes) -> None:
        """Decode the layers of an encoded ``protos.SignedProposal``.

        Raises:
            ValueError: A layer cannot be decoded, or is of another type.
        """
        try:
            proposal = Proposal.FromString(SignedProposal.FromString(signed).proposal_bytes)
            header = Header.FromString(proposal.header)
            channel_header = ChannelHeader.FromString(header.channel_header)
            signature_header = SignatureHeader.FromString(header.signature_header)
            payload = ChaincodeProposalPayload.FromString(proposal.payload)
        except DecodeError as error:
            raise ValueError(f"the signed proposal cannot be decoded: {error}") from error
        if channel_header.type not in _VALID_TYPES:
            raise ValueError(
                "invalid channel header type. Expected ENDORSER_TRANSACTION or CONFIG, received "
                f"{channel_header.type}"
            )
        self.creator = signature_header.creator
        """``msp.SerializedIdentity`` of who signed it."""

        self.transient = dict(payload.TransientMap)
        """Data for the chaincode that goes into no block."""

        self._nonce = signature_header.nonce
        self._epoch = channel_header.epoch
        self._seconds = channel_header.timestamp.seconds
        self._nanos = channel_header.timestamp.nanos

    @property
    def timestamp(self) -> datetime:
        """The client's clock, to the microsecond: the same for every endorser."""
        return _EPOCH_START + timedelta(seconds=self._seconds, microseconds=self._nanos // 1000)

    @property
    def timestamp_parts(self) -> tuple[int, int]:
        """The client's clock: seconds since 1970 and nanoseconds."""
        return self._seconds, self._nanos

    @property
    def binding(self) -> bytes:
        """SHA-256 of nonce, creator and epoch: ties other data to this proposal."""
        epoch = self._epoch.to_bytes(8, "little")
        return hashlib.sha256(self._nonce + self.creator + epoch).digest()
