# SPDX-License-Identifier: Apache-2.0
"""What discovery needs of the peer that it is part of (Fabric: ``discovery/api.go``)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from fastledger.channelconfig import Bundle
from fastledger.protos.common.policies_pb2 import SignaturePolicyEnvelope
from fastledger.protos.gossip.message_pb2 import Envelope, Properties
from fastledger.protos.peer.collection_pb2 import CollectionConfigPackage
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


@dataclass(frozen=True, slots=True)
class Metadata:
    """A channel's definition of a chaincode, as far as endorsing goes.

    Attributes:
        name: Its name.
        version: What peers publish that run it: the sequence, or lscc's version.
        policy: Who endorses.
        collection_policies: Who endorses writes to collections, of those that say it.
        collections: The collections, implicit ones too where they were asked for.
    """

    name: str
    version: str
    policy: SignaturePolicyEnvelope
    collection_policies: Mapping[str, SignaturePolicyEnvelope] = field(default_factory=dict)
    collections: CollectionConfigPackage = field(default_factory=CollectionConfigPackage)


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
