# SPDX-License-Identifier: Apache-2.0
"""Transactions that two peers endorse, some of which are broken before they are ordered."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from fastledger.client.endorsement import Endorsement, transaction
from fastledger.msp import SigningIdentity
from fastledger.policies import from_string
from fastledger.protos.common.common_pb2 import ChannelHeader, Envelope, Payload
from fastledger.protos.peer.proposal_response_pb2 import ProposalResponse
from fastledger.protos.peer.transaction_pb2 import ChaincodeActionPayload, Transaction

ACCOUNTS = 40
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of the group of P-256."""


@dataclass(frozen=True)
class Call:
    """What is proposed, and what becomes of the transaction then."""

    args: tuple[bytes, ...]
    transient: dict[str, bytes]
    fate: str


FATES = (
    *["sound"] * 12,
    *("lonely", "forged", "high", "altered", "doubled", "twice", "renamed", "retyped"),
)


def calls(seed: int, count: int) -> list[Call]:
    """Choose what to propose; the same for a seed."""
    chance = random.Random(seed)
    return [_call(chance, number) for number in range(count)]


def _call(chance: random.Random, number: int) -> Call:
    account = f"account{chance.randrange(ACCOUNTS)}"
    other = f"account{chance.randrange(ACCOUNTS)}"
    org = chance.choice(["Org1MSP", "Org2MSP"])
    policy = from_string(f"OR('{org}.peer')").SerializeToString()
    collection = chance.choice(["shared", "narrow", f"_implicit_org_{org}"])
    hidden = f"hidden{chance.randrange(15)}"
    kinds: list[tuple[tuple[str, ...], dict[str, bytes]]] = [
        (("put", f"key{number}", "value"), {}),
        (("move", account, other), {}),
        (("move", f"lone{number}", account), {}),
        (("remove", f"key{chance.randrange(number + 1)}"), {}),
        (("count", f"kind{chance.randrange(20)}", str(number)), {}),
        (("protect", f"key{chance.randrange(number + 1)}"), {"policy": policy}),
        (("hide", collection, hidden), {"value": b"%d" % number}),
        ((chance.choice(["unhide", "purge"]), collection, hidden), {}),
    ]
    args, transient = chance.choice(kinds)
    fate = chance.choice(FATES)
    return Call(tuple(arg.encode() for arg in args), transient, fate)


def envelopes(endorsement: Endorsement, signer: SigningIdentity, fate: str) -> list[Envelope]:
    """Make what is sent to the orderer."""
    first, second = endorsement.responses
    responses = {
        "lonely": [first],
        "forged": [first, _signed(second, _flipped)],
        "high": [first, _signed(second, _high)],
        "altered": [_altered(first), _altered(second)],
        "doubled": [first, first],
    }.get(fate, [first, second])
    envelope = _assemble(endorsement, signer, responses)
    if fate == "twice":
        return [envelope, envelope]
    if fate == "renamed":
        return [_headed(envelope, signer, lambda header: setattr(header, "tx_id", "ab" * 32))]
    if fate == "retyped":
        return [_headed(envelope, signer, lambda header: setattr(header, "type", 77))]
    return [envelope]


def _assemble(
    endorsement: Endorsement, signer: SigningIdentity, responses: Sequence[ProposalResponse]
) -> Envelope:
    """As a client does, then with whatever endorsements are wanted."""
    sound = transaction(endorsement, signer)
    payload = Payload.FromString(sound.payload)
    whole = Transaction.FromString(payload.data)
    action = ChaincodeActionPayload.FromString(whole.actions[0].payload)
    action.action.proposal_response_payload = responses[0].payload
    del action.action.endorsements[:]
    action.action.endorsements.extend(response.endorsement for response in responses)
    whole.actions[0].payload = action.SerializeToString()
    payload.data = whole.SerializeToString()
    return _sign(payload, signer)


def _headed(
    envelope: Envelope, signer: SigningIdentity, change: Callable[[ChannelHeader], None]
) -> Envelope:
    payload = Payload.FromString(envelope.payload)
    header = ChannelHeader.FromString(payload.header.channel_header)
    change(header)
    payload.header.channel_header = header.SerializeToString()
    return _sign(payload, signer)


def _sign(payload: Payload, signer: SigningIdentity) -> Envelope:
    encoded = payload.SerializeToString()
    return Envelope(payload=encoded, signature=signer.sign(encoded))


def _signed(response: ProposalResponse, change: Callable[[bytes], bytes]) -> ProposalResponse:
    changed = ProposalResponse()
    changed.CopyFrom(response)
    changed.endorsement.signature = change(response.endorsement.signature)
    return changed


def _flipped(signature: bytes) -> bytes:
    return signature[:-1] + bytes([signature[-1] ^ 1])


def _high(signature: bytes) -> bytes:
    """The other signature that the same numbers make, which Fabric does not take."""
    r, s = decode_dss_signature(signature)
    return encode_dss_signature(r, _ORDER - s)


def _altered(response: ProposalResponse) -> ProposalResponse:
    changed = ProposalResponse()
    changed.CopyFrom(response)
    changed.payload = response.payload.replace(b"account", b"accounT").replace(b"key", b"keY")
    return changed
