# SPDX-License-Identifier: Apache-2.0
"""Channel updates from files: checked and signed (Fabric: ``sanityCheckAndSignConfigTx``)."""

from pathlib import Path

from google.protobuf.message import DecodeError

from fastledger.common.errors import InputError
from fastledger.msp import SigningIdentity
from fastledger.protos.common.common_pb2 import ChannelHeader, Envelope, HeaderType, Payload
from fastledger.protos.common.configtx_pb2 import ConfigSignature, ConfigUpdateEnvelope
from fastledger.protoutil.envelope import signature_header, signed_envelope


class InvalidCreateTx(InputError):
    """A file that holds no channel update that this command could sign."""

    def __str__(self) -> str:
        """Say it as Fabric does."""
        return f"Invalid channel create transaction : {self.args[0]}"


def read_envelope(file: str) -> Envelope:
    """Read a channel update.

    Raises:
        InputError: There is no such file, or it is no envelope.
    """
    try:
        content = Path(file).read_bytes()
    except OSError as error:
        reason = f"open {file}: {(error.strerror or str(error)).lower()}"
        text = f"channel create configuration tx file not found {reason}"
        raise InputError(text) from error
    try:
        return Envelope.FromString(content)
    except DecodeError as error:
        raise InputError(f"error unmarshalling Envelope: {file}: {error}") from error


def check_and_sign(
    envelope: Envelope, channel_id: str, signer: SigningIdentity
) -> tuple[str, Envelope]:
    """Add a signature to a channel update, and wrap it again as the signer's.

    Returns:
        The channel, that of the update where ``channel_id`` is empty, and the new envelope.

    Raises:
        InvalidCreateTx: It is no channel update, or one of another channel.
    """
    header, update = _open(envelope)
    if header.type != HeaderType.CONFIG_UPDATE:
        raise InvalidCreateTx("bad type")
    if not header.channel_id:
        raise InvalidCreateTx("empty channel id")
    channel_id = channel_id or header.channel_id
    if header.channel_id != channel_id:
        raise InvalidCreateTx(f"mismatched channel ID {header.channel_id} != {channel_id}")
    by = signature_header(signer.serialized).SerializeToString()
    signature = ConfigSignature(
        signature_header=by, signature=signer.sign(by + update.config_update)
    )
    update.signatures.append(signature)
    content = update.SerializeToString()
    return channel_id, signed_envelope(HeaderType.CONFIG_UPDATE, channel_id, content, signer)


def _open(envelope: Envelope) -> tuple[ChannelHeader, ConfigUpdateEnvelope]:
    wrong = "bad payload"
    try:
        payload = Payload.FromString(envelope.payload)
        if not payload.header.channel_header:
            raise InvalidCreateTx("bad header")
        wrong = "could not unmarshall channel header"
        header = ChannelHeader.FromString(payload.header.channel_header)
        wrong = "Bad config update env"
        return header, ConfigUpdateEnvelope.FromString(payload.data)
    except DecodeError as error:
        raise InvalidCreateTx(wrong) from error
