# SPDX-License-Identifier: Apache-2.0
"""What discovery needs of the peer that it is part of (Fabric: ``discovery/api.go``)."""

from collections.abc import Sequence
from typing import Protocol

from fastledger.channelconfig import Bundle
from fastledger.discovery.metadata import Metadata
from fastledger.protos.gossip.message_pb2 import Envelope, Properties
from fastledger.protoutil.signed_data import SignedData


class Member(Protocol):
    """A peer that is alive."""

    @property
    def pki_id(self) -> bytes:
        """What gossip calls it."""

    @property
    def mspid(self) -> str:
        """Its organization."""

    @property
    def identity(self) -> bytes:
        """Its encoded ``msp.SerializedIdentity``."""

    @property
    def endpoint(self) -> str:
        """Where everybody reaches it; empty when it is for its own organization only."""

    @property
    def envelope(self) -> Envelope:
        """The signed message that says so, without what is for its own organization."""


class ChannelMember(Protocol):
    """A peer of a channel; it need not be alive."""

    @property
    def pki_id(self) -> bytes:
        """What gossip calls it."""

    @property
    def identity(self) -> bytes:
        """Its encoded ``msp.SerializedIdentity``."""

    @property
    def envelope(self) -> Envelope:
        """The signed message about its ledger."""

    @property
    def properties(self) -> Properties:
        """That message's content: height and chaincodes."""


class Membership(Protocol):
    """The peers as gossip knows them; the peer itself is one of them."""

    def has_channel(self, channel_id: str) -> bool:
        """Whether the peer has joined a channel."""

    def alive(self) -> Sequence[Member]:
        """All peers that are alive."""

    def of_channel(self, channel_id: str) -> Sequence[ChannelMember]:
        """The peers of a channel."""

    def organizations(self) -> Sequence[str]:
        """Organizations of which any peer's identity is known, alive or not."""


class Support(Protocol):
    """The peer."""

    @property
    def membership(self) -> Membership:
        """Who is there."""

    def bundle(self, channel_id: str) -> Bundle | None:
        """A channel's configuration."""

    def metadata(
        self, channel_id: str, chaincode: str, collections: Sequence[str]
    ) -> Metadata | None:
        """Read a chaincode's definition; None when there is none."""

    def check_local(self, signed: SignedData) -> None:
        """Return when whoever signed may ask about the peer itself.

        Raises:
            FastledgerError: He may not.
        """
