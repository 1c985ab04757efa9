# SPDX-License-Identifier: Apache-2.0
"""Headers and signed envelopes, made and opened."""

import secrets
import time

from google.protobuf.message import DecodeError

from fastledger._core import open_envelope, route_envelopes
from fastledger.common.errors import InputError
from fastledger.protos.common.common_pb2 import (
    ChannelHeader,
    Envelope,
    Header,
    HeaderType,
    Payload,
    SignatureHeader,
)
from fastledger.protoutil.signed_data import SignedData
from fastledger.protoutil.signer import Signer

NONCE_BYTES = 24

take_apart = open_envelope
"""Payload, signature, channel, header type and creator of an encoded envelope; None where anything
about it is out of the ordinary, and it takes a decoder to say what."""

routes = route_envelopes
"""Of encoded envelopes channel, header type, and bytes of payload and signature; None where
`take_apart` says so."""


def channel_header(
    header_type: int, channel_id: str, *, tls_cert_hash: bytes = b"", epoch: int = 0
) -> ChannelHeader:
    """Make a channel header of now; its time has whole seconds (``MakeChannelHeader``)."""
    header = ChannelHeader(
        type=header_type, channel_id=channel_id, epoch=epoch, tls_cert_hash=tls_cert_hash
    )
    header.timestamp.seconds = int(time.time())
    return header


def signature_header(creator: bytes) -> SignatureHeader:
    """Make a signature header with a fresh nonce."""
    return SignatureHeader(creator=creator, nonce=secrets.token_bytes(NONCE_BYTES))


def signed_envelope(
    header_type: int,
    channel_id: str,
    content: bytes,
    signer: Signer,
    *,
    tls_cert_hash: bytes = b"",
) -> Envelope:
    """Sign a message of a type (``CreateSignedEnvelopeWithTLSBinding``).

    Args:
        header_type: A ``common.HeaderType``.
        channel_id: Empty for what belongs to no channel.
        content: The encoded message.
        signer: Who signs, and is named as creator.
        tls_cert_hash: SHA-256 of the client's TLS certificate, where a server wants the binding.
    """
    header = Header(
        channel_header=channel_header(
            header_type, channel_id, tls_cert_hash=tls_cert_hash
        ).SerializeToString(),
        signature_header=signature_header(signer.serialized).SerializeToString(),
    )
    payload = Payload(header=header, data=content).SerializeToString()
    return Envelope(payload=payload, signature=signer.sign(payload))


def payload_of(envelope: Envelope) -> Payload:
    """Open an envelope.

    Raises:
        InputError: Its payload is no ``common.Payload``.
    """
    try:
        return Payload.FromString(envelope.payload)
    except DecodeError as error:
        raise InputError(f"error unmarshalling Payload: {error}") from error


def unwrap(envelope: Envelope, header_type: int) -> tuple[ChannelHeader, bytes]:
    """Return header and content of an envelope that must be of a type.

    The texts are those of ``UnmarshalEnvelopeOfType``.

    Raises:
        InputError: It does not decode, or is of another type.
    """
    payload = payload_of(envelope)
    if not payload.HasField("header"):
        raise InputError("envelope must have a Header")
    try:
        header = ChannelHeader.FromString(payload.header.channel_header)
    except DecodeError as error:
        raise InputError(f"error unmarshalling ChannelHeader: {error}") from error
    if header.type != header_type:
        raise InputError(f"invalid type {_name(header.type)}, expected {_name(header_type)}")
    return header, payload.data


def _name(header_type: int) -> str:
    known = HeaderType.DESCRIPTOR.values_by_number.get(header_type)
    return known.name if known else str(header_type)


def signed_data(envelope: Envelope) -> SignedData:
    """Say what an envelope's signature is over, and whose it claims to be.

    Fabric: ``protoutil.EnvelopeAsSignedData``.

    Raises:
        InputError: Its headers do not decode, or are missing.
    """
    payload = payload_of(envelope)
    if not payload.HasField("header"):
        raise InputError("Missing Header")
    try:
        header = SignatureHeader.FromString(payload.header.signature_header)
    except DecodeError as error:
        raise InputError(f"GetSignatureHeaderFromBytes failed, err {error}") from error
    return SignedData(envelope.payload, header.creator, envelope.signature)


def creator_of_envelope(envelope: Envelope) -> bytes:
    """Say whose an envelope claims to be; empty where its headers do not decode."""
    try:
        return signed_data(envelope).identity
    except InputError:
        return b""


def config_of(envelope: bytes) -> bytes:
    """Return the encoded ``common.ConfigEnvelope`` of an encoded CONFIG envelope."""
    return Payload.FromString(Envelope.FromString(envelope).payload).data
