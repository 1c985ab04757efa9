# SPDX-License-Identifier: Apache-2.0
"""Messages to orderers of which most are wrong in one way."""

from collections.abc import Callable, Iterator

from fastledger.msp import SigningIdentity
from fastledger.protos.common.common_pb2 import (
    ChannelHeader,
    Envelope,
    HeaderType,
    Payload,
    SignatureHeader,
)
from fastledger.protos.common.configtx_pb2 import (
    ConfigSignature,
    ConfigUpdate,
    ConfigUpdateEnvelope,
)
from fastledger.protos.orderer.ab_pb2 import SeekInfo
from fastledger.protoutil.envelope import signed_envelope

CHANNEL = "mychannel"
LONG_AGO_S = 3600
_BEYOND = 1_000_000


class Parts:
    """An envelope taken apart, to be changed and signed."""

    def __init__(self, signer: SigningIdentity, kind: int, content: bytes) -> None:
        self.signer = signer
        made = signed_envelope(kind, CHANNEL, content, signer)
        self.payload = Payload.FromString(made.payload)
        self.channel = ChannelHeader.FromString(self.payload.header.channel_header)
        self.signature = SignatureHeader.FromString(self.payload.header.signature_header)

    def envelope(self) -> Envelope:
        self.payload.header.channel_header = self.channel.SerializeToString()
        self.payload.header.signature_header = self.signature.SerializeToString()
        encoded = self.payload.SerializeToString()
        return Envelope(payload=encoded, signature=self.signer.sign(encoded))


Change = Callable[[Parts], None]


def _headers() -> Iterator[tuple[str, Change]]:
    def assign(part: str, field: str, value: object) -> Change:
        return lambda parts: setattr(getattr(parts, part), field, value)

    yield "sound", lambda parts: None
    yield "unknown channel", assign("channel", "channel_id", "nochannel")
    yield "no channel", assign("channel", "channel_id", "")
    yield "bad channel", assign("channel", "channel_id", "No Channel!")
    yield "no timestamp", lambda parts: parts.channel.ClearField("timestamp")
    yield "old", _age
    yield "epoch", assign("channel", "epoch", 1)
    yield "no nonce", assign("signature", "nonce", b"")
    yield "no creator", assign("signature", "creator", b"")
    yield "garbled creator", assign("signature", "creator", b"\xff")
    yield "no data", assign("payload", "data", b"")
    yield "garbled data", assign("payload", "data", b"\xff")
    for kind in (0, 1, 2, 4, 5, 6, 8, 77, -1):
        yield f"type {kind}", assign("channel", "type", kind)


def _age(parts: Parts) -> None:
    parts.channel.timestamp.seconds -= LONG_AGO_S


def _shapeless(signer: SigningIdentity, sound: Envelope) -> Iterator[tuple[str, Envelope]]:
    yield "empty", Envelope()
    yield "garbled payload", Envelope(payload=b"\xff", signature=b"s")
    yield "no signature", Envelope(payload=sound.payload)
    yield "another signature", Envelope(payload=sound.payload, signature=signer.sign(b"another"))
    yield "no header", Envelope(payload=Payload(data=b"d").SerializeToString(), signature=b"s")
    garbled = Payload.FromString(sound.payload)
    garbled.header.channel_header = b"\xff"
    encoded = garbled.SerializeToString()
    yield "garbled channel header", Envelope(payload=encoded, signature=signer.sign(encoded))
    garbled = Payload.FromString(sound.payload)
    garbled.header.signature_header = b"\xff"
    encoded = garbled.SerializeToString()
    yield "garbled signature header", Envelope(payload=encoded, signature=signer.sign(encoded))


def broadcasts(signer: SigningIdentity) -> Iterator[tuple[str, Envelope]]:
    """Transactions and updates of a configuration."""
    kind = HeaderType.ENDORSER_TRANSACTION
    yield from _shapeless(signer, Parts(signer, kind, b"data").envelope())
    for name, change in _headers():
        parts = Parts(signer, kind, b"data")
        change(parts)
        yield name, parts.envelope()
    for name, update in _updates(signer):
        parts = Parts(signer, HeaderType.CONFIG_UPDATE, update)
        yield f"update: {name}", parts.envelope()


def _updates(signer: SigningIdentity) -> Iterator[tuple[str, bytes]]:
    def wrapped(update: ConfigUpdate, *, signed: bool = True) -> bytes:
        encoded = update.SerializeToString()
        envelope = ConfigUpdateEnvelope(config_update=encoded)
        if signed:
            header = SignatureHeader(creator=signer.serialized, nonce=b"n" * 24)
            one = ConfigSignature(signature_header=header.SerializeToString())
            one.signature = signer.sign(one.signature_header + encoded)
            envelope.signatures.append(one)
        return envelope.SerializeToString()

    yield "garbled", b"\xff"
    yield "empty", b""
    yield "of nothing", wrapped(ConfigUpdate(channel_id=CHANNEL))
    yield "of another channel", wrapped(ConfigUpdate(channel_id="other"))
    for name, version in (("the same", 0), ("the next", 1), ("a later", 5)):
        update = ConfigUpdate(channel_id=CHANNEL)
        update.write_set.version = version
        yield f"{name} root", wrapped(update)
        yield f"{name} root, unsigned", wrapped(update, signed=False)
    update = ConfigUpdate(channel_id=CHANNEL)
    update.read_set.version = 3
    yield "reads another root", wrapped(update)
    update = ConfigUpdate(channel_id=CHANNEL)
    update.write_set.values["New"].value = b"x"
    update.write_set.version = 1
    yield "an unknown value", wrapped(update)
    update = ConfigUpdate(channel_id=CHANNEL)
    orderer = update.write_set.groups["Orderer"]
    orderer.values["BatchTimeout"].version = 1
    orderer.values["BatchTimeout"].value = b"\x0a\x021s"
    yield "a value that others may change", wrapped(update)


def seeks(signer: SigningIdentity) -> Iterator[tuple[str, Envelope]]:
    """Requests for blocks."""
    kind = HeaderType.DELIVER_SEEK_INFO
    first = {"specified": {"number": 0}}
    whole = SeekInfo(start=first, stop=first).SerializeToString()
    yield from _shapeless(signer, Parts(signer, kind, whole).envelope())
    for name, change in _headers():
        parts = Parts(signer, kind, whole)
        change(parts)
        yield name, parts.envelope()
    beyond = {"specified": {"number": _BEYOND}}
    for name, info in (
        ("neither end", SeekInfo()),
        ("no stop", SeekInfo(start=first)),
        ("no start", SeekInfo(stop=first)),
        ("no kind", SeekInfo(start={}, stop=first)),
        ("backward", SeekInfo(start={"newest": {}}, stop={"oldest": {}})),
        ("beyond", SeekInfo(start=beyond, stop=beyond)),
        ("not ready", SeekInfo(start={"next_commit": {}}, stop=beyond, behavior=1)),
        ("an unknown behavior", SeekInfo(start=first, stop=first, behavior=9)),
        ("an unknown content", SeekInfo(start=first, stop=first, content_type=9)),
        ("headers", SeekInfo(start=first, stop=first, content_type=1)),
    ):
        yield name, Parts(signer, kind, info.SerializeToString()).envelope()
