# SPDX-License-Identifier: Apache-2.0
"""The client of channel participation (Fabric: ``internal/osnadmin``)."""

import http.client
import json
import secrets
import ssl
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.message import DecodeError

from fastledger.common.errors import ConnectionFailed, InputError
from fastledger.protos.common.common_pb2 import Block, ChannelHeader, Envelope, Payload
from fastledger.protoutil.blocks import channel_id_of

CHANNELS = "/participation/v1/channels"
TIMEOUT_S = 60.0
"""An orderer answers at once; joining writes one block."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an orderer says."""

    status: int
    body: bytes

    def format(self, *, show_status: bool, output: Path | None = None) -> str:
        """Return what ``osnadmin`` prints; a fetched block goes to ``output``.

        Raises:
            InputError: The body is no JSON.
        """
        text = f"Status: {self.status}\n" if show_status else ""
        if not self.body:
            return text
        if self.status == http.client.OK and output is not None:
            output.write_bytes(self.body)
            return text
        try:
            return text + json.dumps(json.loads(self.body), indent="\t", ensure_ascii=False) + "\n"
        except (ValueError, RecursionError) as error:
            raise InputError(f"the orderer's answer is no JSON: {error}") from error


class OsnAdmin:
    """The admin endpoint of one orderer."""

    def __init__(
        self,
        address: str,
        ca_file: Path | None = None,
        client_cert: Path | None = None,
        client_key: Path | None = None,
    ) -> None:
        """Talk to ``host:port``, with TLS when a CA file is named.

        Raises:
            InputError: A file cannot be used.
        """
        self._address = address
        self._context = _context(ca_file, client_cert, client_key) if ca_file else None

    def join(self, block: bytes) -> Answer:
        """Join the channel of a genesis block."""
        return self._send("POST", CHANNELS, _form("config-block", "config.block", block))

    def update(self, envelope: bytes) -> Answer:
        """Update a channel's configuration."""
        form = _form("config-update-envelope", "config_update.pb", envelope)
        return self._send("PUT", CHANNELS, form)

    def channels(self, channel_id: str = "") -> Answer:
        """List all channels, or one in detail."""
        return self._send("GET", f"{CHANNELS}/{channel_id}" if channel_id else CHANNELS)

    def remove(self, channel_id: str) -> Answer:
        """Remove a channel."""
        return self._send("DELETE", f"{CHANNELS}/{channel_id}")

    def fetch(self, channel_id: str, block_id: str) -> Answer:
        """Fetch a block: newest, oldest, config or a number."""
        return self._send("GET", f"{CHANNELS}/{channel_id}/blocks/{block_id}")

    def _send(self, method: str, path: str, form: tuple[str, bytes] | None = None) -> Answer:
        connection = self._connection()
        headers = {"Content-Type": form[0]} if form else {}
        try:
            connection.request(method, path, form[1] if form else None, headers)
            response = connection.getresponse()
            return Answer(response.status, response.read())
        except (OSError, http.client.HTTPException) as error:
            scheme = "https" if self._context else "http"
            verb = method.capitalize()
            raise ConnectionFailed(f'{verb} "{scheme}://{self._address}{path}": {error}') from error
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        if self._context is None:
            return http.client.HTTPConnection(self._address, timeout=TIMEOUT_S)
        return http.client.HTTPSConnection(self._address, context=self._context, timeout=TIMEOUT_S)


def read_block(path: Path, channel_id: str) -> bytes:
    """Read a block that must be of a channel; raises InputError."""
    encoded = _read(path, "config block")
    try:
        found = channel_id_of(Block.FromString(encoded))
    except DecodeError as error:
        raise InputError(f"unmarshalling block: {error}") from error
    _check_channel(channel_id, found, "config block")
    return encoded


def read_envelope(path: Path, channel_id: str) -> bytes:
    """Read an envelope that must be of a channel; raises InputError."""
    encoded = _read(path, "config update envelope")
    try:
        payload = Payload.FromString(Envelope.FromString(encoded).payload)
        found = ChannelHeader.FromString(payload.header.channel_header).channel_id
    except DecodeError as error:
        raise InputError(f"unmarshalling envelope: {error}") from error
    _check_channel(channel_id, found, "config update envelope")
    return encoded


def check_block_id(block_id: str) -> None:
    """Refuse what names no block; raises InputError."""
    if block_id in ("newest", "oldest", "config"):
        return
    try:
        int(block_id)
    except ValueError:
        raise InputError(f"'{block_id}' not equal <newest|oldest|config|(number)>") from None


def _check_channel(wanted: str, found: str, what: str) -> None:
    # Whoever joins should join the channel that they think they join.
    if wanted != found:
        raise InputError(
            f"specified --channelID {wanted} does not match channel ID {found} in {what}"
        )


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"reading {what}: open {path}: {error.strerror}") from error


def _context(ca_file: Path, cert: Path | None, key: Path | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    roots = _read(ca_file, "orderer CA certificate")
    try:
        context.load_verify_locations(cadata=roots.decode("ascii"))
    except (ssl.SSLError, UnicodeDecodeError) as error:
        raise InputError("failed to add ca-file PEM to cert pool") from error
    if not cert or not key:
        raise InputError("--ca-file is given, so --client-cert and --client-key must be, too")
    try:
        context.load_cert_chain(cert, key)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"loading client cert/key pair: {reason}") from error
    return context


def _form(key: str, filename: str, content: bytes) -> tuple[str, bytes]:
    """Return content type and body of a form with one file."""
    boundary = secrets.token_hex(30)
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"; filename="{filename}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
    return f"multipart/form-data; boundary={boundary}", body
