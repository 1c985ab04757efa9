# SPDX-License-Identifier: Apache-2.0
"""What gossip says about peers."""

from dataclasses import dataclass

from fastledger.protos.gossip.message_pb2 import Envelope, Properties


@dataclass(frozen=True, slots=True)
class Member:
    """A peer that is alive.

    Attributes:
        pki_id: What gossip calls it.
        mspid: Its organization.
        identity: Its encoded ``msp.SerializedIdentity``.
        endpoint: Where everybody reaches it; empty when only its own organization may.
        internal_endpoint: Where its own organization does, empty when that is not known.
        envelope: The signed message that says that it lives, without its secret part.
    """

    pki_id: bytes
    mspid: str
    identity: bytes
    endpoint: str
    internal_endpoint: str
    envelope: Envelope

    @property
    def preferred_endpoint(self) -> str:
        """Where to dial it."""
        return self.internal_endpoint or self.endpoint


@dataclass(frozen=True, slots=True)
class ChannelMember:
    """A peer of a channel.

    Attributes:
        pki_id: What gossip calls it.
        mspid: Its organization.
        identity: Its encoded ``msp.SerializedIdentity``.
        endpoint: Where to dial it; empty for this peer itself.
        envelope: The signed message about its ledger.
        properties: That message's content: height and chaincodes.
    """

    pki_id: bytes
    mspid: str
    identity: bytes
    endpoint: str
    envelope: Envelope
    properties: Properties
