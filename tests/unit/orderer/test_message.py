# SPDX-License-Identifier: Apache-2.0
"""Envelopes taken apart by the core, held against Python's decoder."""

import random

import pytest

from fastledger.orderer.errors import Rejected
from fastledger.orderer.msgprocessor.message import OrdererMessage
from fastledger.protos.common.common_pb2 import (
    ChannelHeader,
    Envelope,
    HeaderType,
    Payload,
    SignatureHeader,
)
from fastledger.protoutil.envelope import take_apart

DAMAGED = 2000
"""Envelopes that are damaged in one byte each."""


def envelope(**fields: object) -> bytes:
    header = ChannelHeader(type=HeaderType.ENDORSER_TRANSACTION, channel_id="channel", tx_id="t")
    payload = Payload(data=b"data" * 50)
    payload.header.channel_header = header.SerializeToString()
    payload.header.signature_header = SignatureHeader(creator=b"me", nonce=b"n").SerializeToString()
    return Envelope(
        **{"payload": payload.SerializeToString(), "signature": b"signature"} | fields
    ).SerializeToString()


def told(encoded: bytes) -> tuple[object, ...]:
    """What Python's decoder finds of an envelope, or why it refuses it."""
    try:
        found = OrdererMessage._decoded(encoded)
        return (*parts(found), found.signed_data(), found.encoded)
    except Rejected as error:
        return (str(error),)


def parts(message: OrdererMessage) -> tuple[object, ...]:
    return message.payload, message.signature, message.channel_id, message.type


def test_an_ordinary_envelope_is_taken_apart_by_the_core() -> None:
    encoded = envelope()
    assert take_apart(encoded) is not None
    message = OrdererMessage.parse(encoded)
    assert (*parts(message), message.signed_data(), message.encoded) == told(encoded)
    assert (message.channel_id, message.type_name) == ("channel", "ENDORSER_TRANSACTION")
    assert (message.creator, message.data) == (b"me", b"data" * 50)


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"\xff",
        envelope(payload=b"\xff"),
        envelope(payload=b""),
        envelope(payload=Payload(data=b"x").SerializeToString()),
        envelope() + b"\x12\x01s",
        envelope(signature=b"") + b"\x12\x00",
        envelope() + b"\x1a\x01u",
    ],
)
def test_what_is_out_of_the_ordinary_is_left_to_the_slow_way(encoded: bytes) -> None:
    assert take_apart(encoded) is None
    try:
        message = OrdererMessage.parse(encoded)
        found: tuple[object, ...] = (*parts(message), message.signed_data(), message.encoded)
    except Rejected as error:
        found = (str(error),)
    assert found == told(encoded)


def test_damaged_envelopes_are_read_alike() -> None:
    rng = random.Random(5)
    taken = 0
    for _ in range(DAMAGED):
        encoded = bytearray(envelope())
        encoded[rng.randrange(len(encoded))] ^= 1 << rng.randrange(8)
        opened = take_apart(bytes(encoded))
        if opened is None:
            continue
        taken += 1
        message = OrdererMessage(bytes(encoded), *opened)
        slow = told(bytes(encoded))
        assert (*parts(message), message.signed_data(), message.encoded) == slow
    assert taken > DAMAGED // 4
