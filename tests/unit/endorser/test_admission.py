# SPDX-License-Identifier: Apache-2.0
"""What the core admits is what keeps every rule, looked at one after another."""

import random
import time
from collections.abc import Callable, Iterator

import pytest
from google.protobuf.message import DecodeError

import peering
from corpora import Corpus, OpenCorpus
from fastledger.channelconfig import Bundle
from fastledger.common.errors import FastledgerError
from fastledger.endorser.filters import AuthFilter, Filters, filters
from fastledger.endorser.proposal import check_parts, validate
from fastledger.msp import SigningIdentity
from fastledger.protos.common.common_pb2 import CONFIG, ChannelHeader, Header, SignatureHeader
from fastledger.protos.peer.chaincode_pb2 import ChaincodeInvocationSpec
from fastledger.protos.peer.proposal_pb2 import (
    ChaincodeHeaderExtension,
    ChaincodeProposalPayload,
    Proposal,
    SignedProposal,
)
from fastledger.protoutil.hashes import transaction_id
from fastledger.protoutil.unpacked import UnpackedProposal

CHANNEL = "mychannel"
WINDOW_S = 900
CLOCK = filters([AuthFilter("ExpirationCheck"), AuthFilter("TimeWindowCheck")], WINDOW_S)
POLICIES = ("/Channel/Application/Writers", "/Channel/Application/Admins", None)


class Draft:
    """A good proposal, to be spoilt before it is signed."""

    def __init__(self, signer: SigningIdentity) -> None:
        self.signer = signer
        self.channel = ChannelHeader(type=3, channel_id=CHANNEL)
        self.channel.timestamp.seconds = int(time.time())
        self.signature = SignatureHeader(creator=signer.serialized, nonce=b"n" * 24)
        self.extension = ChaincodeHeaderExtension()
        self.extension.chaincode_id.name = "basic"
        self.spec = ChaincodeInvocationSpec()
        self.spec.chaincode_spec.input.args.extend([b"ReadAsset", b"asset1"])
        self.payload = ChaincodeProposalPayload()
        self.tx_id = ""

    def encoded(self) -> bytes:
        header, channel = self.signature, ChannelHeader()
        channel.CopyFrom(self.channel)
        channel.tx_id = self.tx_id or transaction_id(header.nonce, header.creator)
        channel.extension = self.extension.SerializeToString()
        self.payload.input = self.spec.SerializeToString()
        both = Header(
            channel_header=channel.SerializeToString(), signature_header=header.SerializeToString()
        )
        proposal = Proposal(
            header=both.SerializeToString(), payload=self.payload.SerializeToString()
        ).SerializeToString()
        signed = SignedProposal(proposal_bytes=proposal, signature=self.signer.sign(proposal))
        return signed.SerializeToString()


def keeps_rules(bundle: Bundle, encoded: bytes, policy: str | None, passing: Filters) -> bool:
    """The rules, one after another."""
    try:
        proposal = UnpackedProposal(encoded)
        passing.check(proposal)
        check_parts(proposal)
        validate(proposal, bundle.identity, bundle.msp_ids)
        if policy is not None:
            bundle.evaluate(policy, [proposal.signed_data])
    except FastledgerError:
        return False
    return True


def admits(bundle: Bundle, encoded: bytes, policy: str | None, passing: Filters) -> bool:
    whole = UnpackedProposal(encoded).whole
    if whole is None:
        return False
    return bundle.admitted(
        [whole], policy, unexpired=passing.unexpired, window_s=passing.window_s
    ) == [True]


def config_of(corpus: Corpus) -> Bundle:
    found = None
    for block in corpus.blocks("peer"):
        try:
            found = Bundle.from_block(block)
        except FastledgerError:
            continue
    assert found is not None
    return found


def people_of(corpus: Corpus) -> Iterator[SigningIdentity]:
    material = corpus.folder / "crypto-config"
    yield peering.identity(material, "org1", "User1")
    yield peering.identity(material, "org2", "Admin")
    yield peering.identity(material, "org1", "peer0", "peers")


SPOILT: dict[str, Callable[[Draft], object]] = {
    "nothing": lambda draft: None,
    "configuration": lambda draft: setattr(draft.channel, "type", CONFIG),
    "type": lambda draft: setattr(draft.channel, "type", 2),
    "epoch": lambda draft: setattr(draft.channel, "epoch", 1),
    "nonce": lambda draft: setattr(draft.signature, "nonce", b""),
    "creator": lambda draft: setattr(draft.signature, "creator", b""),
    "stranger": lambda draft: setattr(draft.signature, "creator", b"\n\x03Not"),
    "no identity": lambda draft: setattr(draft.signature, "creator", b"\xff"),
    "transaction id": lambda draft: setattr(draft, "tx_id", "ab"),
    "no chaincode": lambda draft: draft.extension.Clear(),
    "no name": lambda draft: draft.extension.chaincode_id.Clear(),
    "no spec": lambda draft: draft.spec.Clear(),
    "no input": lambda draft: draft.spec.chaincode_spec.ClearField("input"),
    "late": lambda draft: setattr(draft.channel.timestamp, "seconds", int(time.time()) - 2_000),
    "early": lambda draft: setattr(draft.channel.timestamp, "seconds", int(time.time()) + 2_000),
    "no time": lambda draft: draft.channel.ClearField("timestamp"),
    "transient": lambda draft: draft.payload.TransientMap.update({"secret": b"s"}),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_the_core_admits_what_keeps_the_rules(
    open_corpus: OpenCorpus, spoil: Callable[[Draft], object]
) -> None:
    corpus = open_corpus("v14")
    bundle = config_of(corpus)
    for signer in people_of(corpus):
        draft = Draft(signer)
        spoil(draft)
        encoded = draft.encoded()
        for policy in POLICIES:
            for passing in (CLOCK, Filters()):
                expected = keeps_rules(bundle, encoded, policy, passing)
                assert admits(bundle, encoded, policy, passing) is expected, (policy, passing)


def test_what_is_spoilt_anywhere_is_judged_alike(open_corpus: OpenCorpus) -> None:
    corpus = open_corpus("v14")
    bundle = config_of(corpus)
    good = Draft(next(people_of(corpus))).encoded()
    assert admits(bundle, good, POLICIES[0], CLOCK)
    chance = random.Random(7)
    for _ in range(2_000):
        spoilt = bytearray(good)
        spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
        try:
            UnpackedProposal(bytes(spoilt))
        except DecodeError:
            continue
        expected = keeps_rules(bundle, bytes(spoilt), POLICIES[0], CLOCK)
        assert admits(bundle, bytes(spoilt), POLICIES[0], CLOCK) is expected, bytes(spoilt).hex()


def test_a_policy_that_is_not_there_admits_nobody(open_corpus: OpenCorpus) -> None:
    corpus = open_corpus("v14")
    encoded = Draft(next(people_of(corpus))).encoded()
    assert not admits(config_of(corpus), encoded, "/Channel/Nothing", Filters())
