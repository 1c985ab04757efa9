# SPDX-License-Identifier: Apache-2.0
"""A message as it comes in, taken apart once."""

from functools import lru_cache
from typing import NamedTuple, TypeVar

from google.protobuf.message import DecodeError, Message

from fastledger.orderer.errors import Rejected
from fastledger.protos.common.common_pb2 import (
    ChannelHeader,
    Envelope,
    HeaderType,
    Payload,
    SignatureHeader,
)
from fastledger.protoutil.envelope import take_apart
from fastledger.protoutil.signed_data import SignedData

_M = TypeVar("_M", bound=Message)
CONFIGURATIONS = (HeaderType.CONFIG, HeaderType.ORDERER_TRANSACTION)


class OrdererMessage(NamedTuple):
    """An envelope whose header can be read."""

    encoded: bytes
    """The envelope as it stands in a block."""

    payload: bytes
    signature: bytes
    channel_id: str
    type: int
    """Of the header: a ``common.HeaderType``, if it is one."""

    creator: bytes | None = None
    """The client, an encoded ``msp.SerializedIdentity``, where that was read already."""

    @staticmethod
    def parse(encoded: bytes) -> "OrdererMessage":
        """Take an encoded envelope apart.

        Raises:
            Rejected: It names no channel.
        """
        opened = take_apart(encoded)
        return OrdererMessage(encoded, *opened) if opened else OrdererMessage._decoded(encoded)

    @staticmethod
    def _decoded(encoded: bytes) -> "OrdererMessage":
        try:
            envelope = Envelope.FromString(encoded)
            payload = Payload.FromString(envelope.payload)
        except DecodeError as error:
            raise _no_channel(f"error unmarshalling Payload: {error}") from error
        if not payload.HasField("header"):
            raise _no_channel("header not set")
        if not payload.header.channel_header:
            raise _no_channel("channel header not set")
        try:
            header = ChannelHeader.FromString(payload.header.channel_header)
        except DecodeError as error:
            raise _no_channel(f"error unmarshalling channel header: {error}") from error
        return OrdererMessage(
            # A client may encode its envelope in other ways; blocks hold Fabric's.
            envelope.SerializeToString(),
            envelope.payload,
            envelope.signature,
            header.channel_id,
            header.type,
        )

    @property
    def data(self) -> bytes:
        """What its header describes."""
        return Payload.FromString(self.payload).data

    @property
    def configures(self) -> bool:
        """Whether it is a configuration of its channel, or the first one of a new channel."""
        return self.type in CONFIGURATIONS

    @property
    def size(self) -> int:
        """Bytes as Fabric's limits count them."""
        return len(self.payload) + len(self.signature)

    @property
    def type_name(self) -> str:
        """The header's type as Fabric writes it; a number when it has no name."""
        return header_type_name(self.type)

    def signed_data(self) -> SignedData:
        """Return what its signature is over, and whose it is.

        Raises:
            Rejected: The signature header cannot be read.
        """
        if self.creator is not None:
            return SignedData(self.payload, self.creator, self.signature)
        header = Payload.FromString(self.payload).header.signature_header
        try:
            creator = SignatureHeader.FromString(header).creator
        except DecodeError as error:
            raise Rejected(
                "could not convert message to signedData: "
                f"GetSignatureHeaderFromBytes failed, err {error}"
            ) from error
        return SignedData(self.payload, creator, self.signature)


def open_envelope(encoded: bytes, header_type: int, kind: type[_M]) -> _M:
    """Return the data of an envelope of a type (Fabric: ``protoutil.UnmarshalEnvelopeOfType``).

    Raises:
        Rejected: The envelope is of another type, or cannot be decoded.
    """
    message = OrdererMessage.parse(encoded)
    if message.type != header_type:
        raise Rejected(
            f"invalid type {message.type_name}, expected {header_type_name(header_type)}"
        )
    return decode(kind, message.data, f"message for type {header_type_name(header_type)}")


def decode(kind: type[_M], encoded: bytes, what: str) -> _M:
    """Decode a message; raises Rejected."""
    try:
        return kind.FromString(encoded)
    except DecodeError as error:
        raise Rejected(f"error unmarshalling {what}: {error}") from error


@lru_cache(64)
def header_type_name(number: int) -> str:
    """Write a header type as Fabric does."""
    try:
        return HeaderType.Name(number)  # type: ignore[arg-type]
    except ValueError:
        return str(number)


def _no_channel(reason: str) -> Rejected:
    return Rejected(f"could not determine channel ID: {reason}")
