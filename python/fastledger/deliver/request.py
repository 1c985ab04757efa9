# SPDX-License-Identifier: Apache-2.0
"""What a client of Deliver asks for, taken apart (Fabric: ``deliver.Handler.parseEnvelope``)."""

import time
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from fastledger.common.errors import InputError
from fastledger.protos.common.common_pb2 import ChannelHeader, Envelope, Payload, SignatureHeader
from fastledger.protos.orderer.ab_pb2 import SeekInfo, SeekPosition

UNREACHABLE = -1
"""A stop position that no block has: Fabric sends on for ever."""


class BadRequest(InputError):
    """A request that is answered with BAD_REQUEST; the text goes to the log."""


@dataclass(frozen=True, slots=True)
class DeliverRequest:
    """A request whose form is right."""

    envelope: Envelope
    channel_id: str
    creator: bytes
    """The client, an encoded ``msp.SerializedIdentity``."""

    tls_cert_hash: bytes
    """SHA-256 of the TLS certificate that the client claims to use."""

    data: bytes
    """The encoded ``SeekInfo``."""

    @staticmethod
    def parse(encoded: bytes, window_s: float) -> "DeliverRequest":
        """Take an encoded envelope apart, whose clock may differ from ours by ``window_s``.

        Raises:
            BadRequest: A part is missing, is not what it must be, or is not of these days.
        """
        try:
            envelope = Envelope.FromString(encoded)
            payload = Payload.FromString(envelope.payload)
            channel_header = ChannelHeader.FromString(payload.header.channel_header)
            signature_header = SignatureHeader.FromString(payload.header.signature_header)
        except DecodeError as error:
            raise BadRequest(f"the envelope cannot be decoded: {error}") from error
        if not payload.HasField("header"):
            raise BadRequest("envelope has no header")
        _check_time(channel_header, window_s)
        return DeliverRequest(
            envelope,
            channel_header.channel_id,
            signature_header.creator,
            channel_header.tls_cert_hash,
            payload.data,
        )

    def seek(self) -> SeekInfo:
        """Decode what it asks for."""
        try:
            return SeekInfo.FromString(self.data)
        except DecodeError as error:
            raise BadRequest(f"malformed seekInfo payload: {error}") from error


def _check_time(header: ChannelHeader, window_s: float) -> None:
    if not header.HasField("timestamp"):
        raise BadRequest("channel header in envelope must contain timestamp")
    sent = header.timestamp.seconds + header.timestamp.nanos / 1e9
    if abs(time.time() - sent) > window_s:
        raise BadRequest(
            f"envelope timestamp {sent:.3f} is more than {window_s:g} s apart from current server "
            f"time {time.time():.3f}"
        )


def first_block(start: SeekPosition, height: int, kept: int = 0) -> int | None:
    """Return the number at which a range begins; None for a position that is not found.

    Fabric: ``fileledger.FileLedger.Iterator``.

    Args:
        start: The position.
        height: Number of the next block.
        kept: Number of the first block that is there, or will be: older ones are in a snapshot.
    """
    kind = start.WhichOneof("Type")
    if kind == "newest":
        return max(height - 1, kept)
    if kind == "next_commit":
        return height
    number = start.specified.number if kind == "specified" else 0
    return number if kind is not None and kept <= number <= height else None


def last_block(seek: SeekInfo, first: int, height: int) -> int:
    """Return the number after which a range ends.

    Raises:
        BadRequest: It ends before it begins.
    """
    kind = seek.stop.WhichOneof("Type")
    if kind == "oldest":
        return first
    if kind == "newest":
        # Reading the height again could send two blocks where one is asked for.
        return first if seek.start == seek.stop else height - 1
    if kind == "specified":
        if seek.stop.specified.number < first:
            raise BadRequest(
                f"start number {first} greater than stop number {seek.stop.specified.number}"
            )
        return seek.stop.specified.number
    return 0 if first == 0 else UNREACHABLE
