# SPDX-License-Identifier: Apache-2.0
"""Gossip's messages: signed and opened (Fabric: ``gossip/protoext``)."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from fastledger.common.errors import FastledgerError
from fastledger.protos.gossip.message_pb2 import (
    Envelope,
    GossipMessage,
    PeerTime,
    Secret,
    SecretEnvelope,
)
from fastledger.protos.msp.identities_pb2 import SerializedIdentity
from fastledger.protoutil.signer import Signer

Time = tuple[int, int]
"""A message's place among those of its peer: when the peer started, and a counter."""

Question = tuple[bytes, bytes, bytes]
"""An identity, what it is said to have signed, and the signature."""


class MessageRefused(FastledgerError):
    """A peer sent what breaks gossip's rules."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A message with the envelope that it came in, or goes out in."""

    message: GossipMessage
    envelope: Envelope

    @property
    def kind(self) -> str:
        """Which content it has, by the field's name; empty for none."""
        return self.message.WhichOneof("content") or ""

    def signatures(self, identity: bytes) -> Iterator[Question]:
        """What must be verified before it counts as an identity's.

        Raises:
            MessageRefused: It is not signed.
        """
        envelope = self.envelope
        if not envelope.payload or not envelope.signature:
            raise MessageRefused("the message is not signed")
        yield identity, envelope.payload, envelope.signature
        if envelope.HasField("secret_envelope"):
            secret = envelope.secret_envelope
            if not secret.payload or not secret.signature:
                raise MessageRefused("the secret part of the message is not signed")
            yield identity, secret.payload, secret.signature


def seal(message: GossipMessage, signer: Signer | None = None) -> Sealed:
    """Put a message into an envelope; without a signer it is for one peer only."""
    payload = message.SerializeToString()
    signature = signer.sign(payload) if signer else b""
    return Sealed(message, Envelope(payload=payload, signature=signature))


def unseal(envelope: Envelope) -> Sealed:
    """Read a message.

    Raises:
        MessageRefused: It is none.
    """
    try:
        return Sealed(GossipMessage.FromString(envelope.payload), envelope)
    except DecodeError as error:
        raise MessageRefused(f"the message cannot be decoded: {error}") from error


def with_secret(sealed: Sealed, internal_endpoint: str, signer: Signer) -> Sealed:
    """Add what only peers of the own organization may know."""
    payload = Secret(internalEndpoint=internal_endpoint).SerializeToString()
    secret = SecretEnvelope(payload=payload, signature=signer.sign(payload))
    whole = Envelope(
        payload=sealed.envelope.payload,
        signature=sealed.envelope.signature,
        secret_envelope=secret,
    )
    return Sealed(sealed.message, whole)


def without_secret(envelope: Envelope) -> Envelope:
    """Leave out what is for peers of the sender's own organization."""
    return Envelope(payload=envelope.payload, signature=envelope.signature)


def internal_endpoint(envelope: Envelope) -> str:
    """Read the address in the secret part; empty when there is none."""
    try:
        return Secret.FromString(envelope.secret_envelope.payload).internalEndpoint
    except DecodeError:
        return ""


def time_of(stamp: PeerTime) -> Time:
    """Return what messages of one peer are ordered by."""
    return stamp.inc_num, stamp.seq_num


def pki_id_of(identity: bytes) -> bytes:
    """Return how gossip calls a serialized identity: SHA-256 of its MSP and certificate.

    Raises:
        MessageRefused: It is no identity.
    """
    try:
        decoded = SerializedIdentity.FromString(identity)
    except DecodeError as error:
        raise MessageRefused(f"the identity cannot be decoded: {error}") from error
    return hashlib.sha256(decoded.mspid.encode() + decoded.id_bytes).digest()


def channel_mac(pki_id: bytes, channel_id: str) -> bytes:
    """Return what proves that a peer knows a channel, without naming it."""
    return hashlib.sha256(pki_id + channel_id.encode()).digest()
