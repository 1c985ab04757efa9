# SPDX-License-Identifier: Apache-2.0
"""Builders of messages, against what real clients, endorsers and orderers put on the wire."""

import hashlib

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from corpora import Corpus, OpenCorpus
from fastledger._core import SigningKey
from fastledger.common.errors import InputError
from fastledger.protos.common.common_pb2 import (
    Block,
    ChannelHeader,
    Envelope,
    Header,
    HeaderType,
    Metadata,
    OrdererBlockMetadata,
    Payload,
    SignatureHeader,
)
from fastledger.protos.peer.chaincode_pb2 import (
    ChaincodeID,
    ChaincodeInput,
    ChaincodeInvocationSpec,
    ChaincodeSpec,
)
from fastledger.protos.peer.proposal_pb2 import ChaincodeAction, ChaincodeProposalPayload, Proposal
from fastledger.protos.peer.proposal_response_pb2 import (
    ChaincodeInterest,
    Endorsement,
    ProposalResponse,
    ProposalResponsePayload,
    Response,
)
from fastledger.protos.peer.transaction_pb2 import ChaincodeActionPayload, Transaction
from fastledger.protoutil import blocks
from fastledger.protoutil.envelope import signed_data, signed_envelope, unwrap
from fastledger.protoutil.hashes import header_hash
from fastledger.protoutil.proposal import (
    create_proposal,
    create_signed_tx,
    payload_for_tx,
    proposal_hash,
    signed_proposal,
)
from fastledger.protoutil.proposal_response import (
    answer_bytes,
    encoded_payload,
    encoded_response,
    endorsed_answer,
    endorsed_response,
    response_payload,
)


class Marking:
    """Signs by marking, so that a test sees who signed what."""

    def __init__(self, name: bytes) -> None:
        self.serialized = name

    def sign(self, message: bytes) -> bytes:
        return b"%s:%s" % (self.serialized, hashlib.sha256(message).digest())


CLIENT = Marking(b"client")
PEERS = [Marking(b"peer0"), Marking(b"peer1")]


def spec(name: str = "mycc") -> ChaincodeInvocationSpec:
    chaincode = ChaincodeSpec(
        chaincode_id=ChaincodeID(name=name), input=ChaincodeInput(args=[b"put", b"k", b"v"])
    )
    return ChaincodeInvocationSpec(chaincode_spec=chaincode)


def response(proposal: Proposal, endorser: Marking, status: int = 200) -> ProposalResponse:
    header = Header.FromString(proposal.header)
    outcome = Response(status=status, message="OK")
    payload = response_payload(
        proposal_hash(header, proposal.payload), outcome, b"rwset", b"", ChaincodeID(name="mycc")
    )
    return endorsed_response(payload, outcome, endorser)


def transactions(encoded: bytes) -> list[tuple[Payload, Transaction]]:
    found = []
    for envelope in Block.FromString(encoded).data.data:
        payload = Payload.FromString(Envelope.FromString(envelope).payload)
        if ChannelHeader.FromString(payload.header.channel_header).type == 3:
            found.append((payload, Transaction.FromString(payload.data)))
    return found


@pytest.mark.parametrize("name", ["small", "v14"])
def test_the_proposal_hash_is_what_real_endorsers_signed(
    open_corpus: OpenCorpus, name: str
) -> None:
    seen = 0
    for encoded in open_corpus(name).blocks()[:30]:
        for payload, transaction in transactions(encoded):
            for one in transaction.actions:
                action = ChaincodeActionPayload.FromString(one.payload)
                endorsed = ProposalResponsePayload.FromString(
                    action.action.proposal_response_payload
                )
                kept = action.chaincode_proposal_payload
                hashed = proposal_hash(payload.header, kept)
                assert payload_for_tx(kept) == kept
                if hashed == endorsed.proposal_hash:
                    seen += 1
    assert seen >= 10


def test_real_response_payloads_are_made_again(small: Corpus) -> None:
    made = 0
    for encoded in small.blocks()[:30]:
        for _, transaction in transactions(encoded):
            for one in transaction.actions:
                action = ChaincodeActionPayload.FromString(one.payload)
                theirs = action.action.proposal_response_payload
                endorsed = ProposalResponsePayload.FromString(theirs)
                outcome = ChaincodeAction.FromString(endorsed.extension)
                ours = response_payload(
                    endorsed.proposal_hash,
                    outcome.response,
                    outcome.results,
                    outcome.events,
                    outcome.chaincode_id,
                )
                composed = encoded_payload(
                    endorsed.proposal_hash,
                    outcome.response.SerializeToString(),
                    outcome.results,
                    outcome.events,
                    outcome.chaincode_id.name,
                    outcome.chaincode_id.version,
                )
                assert composed == ours
                made += ours == theirs
    assert made >= 10


@pytest.mark.parametrize("interest", [None, ChaincodeInterest()])
def test_the_core_composes_the_same_answers(interest: ChaincodeInterest | None) -> None:
    outcome = Response(status=500, message="\u00fc", payload=b"p" * 300)
    encoded_interest = None if interest is None else interest.SerializeToString()
    expected = ProposalResponse(response=outcome, payload=b"payload", interest=interest)
    composed = encoded_response(outcome.SerializeToString(), b"payload", encoded_interest)
    assert composed == expected.SerializeToString()


@pytest.mark.parametrize("interest", [None, ChaincodeInterest()])
def test_an_answer_that_the_core_signs_is_one_that_is_signed(
    interest: ChaincodeInterest | None,
) -> None:
    outcome = Response(status=200, payload=b"p" * 300)
    parts = outcome.SerializeToString(), b"payload", CLIENT
    encoded_interest = None if interest is None else interest.SerializeToString()
    private = ec.generate_private_key(ec.SECP256R1())
    pkcs8 = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    theirs = ProposalResponse.FromString(
        answer_bytes(endorsed_answer(*parts, SigningKey.from_pkcs8(pkcs8), encoded_interest))
    )
    ours = ProposalResponse.FromString(
        answer_bytes(endorsed_answer(*parts, None, encoded_interest))
    )
    signature = theirs.endorsement.signature
    signed = b"payload" + CLIENT.serialized
    private.public_key().verify(signature, signed, ec.ECDSA(hashes.SHA256()))
    theirs.endorsement.signature = ours.endorsement.signature
    assert theirs == ours


@pytest.mark.parametrize(("name", "feed"), [("small", "orderer"), ("v14", "orderer")])
def test_real_blocks_are_made_again(open_corpus: OpenCorpus, name: str, feed: str) -> None:
    corpus = open_corpus(name)
    for encoded in corpus.blocks(feed if feed in corpus.feeds() else ""):
        theirs = Block.FromString(encoded)
        ours = blocks.new_block(theirs.header.number, theirs.header.previous_hash, theirs.data.data)
        assert ours.header == theirs.header
        assert len(ours.metadata.metadata) == len(theirs.metadata.metadata) == 5
        if theirs.header.number == 0:
            assert blocks.is_config_block(theirs)
            continue
        last = blocks.last_config_index(theirs)
        signed = OrdererBlockMetadata.FromString(
            Metadata.FromString(theirs.metadata.metadata[0]).value
        )
        assert last == signed.last_config.index
        assert blocks.is_config_block(theirs) == (last == theirs.header.number)


def test_a_block_names_its_channel() -> None:
    envelope = signed_envelope(HeaderType.CONFIG, "mychannel", b"", CLIENT)
    block = blocks.new_block(7, b"before", [envelope.SerializeToString()])
    assert blocks.channel_id_of(block) == "mychannel"
    assert len(header_hash(block.header)) == 32
    with pytest.raises(InputError, match="block is empty"):
        blocks.channel_id_of(blocks.new_block(7, b"", []))


def test_an_envelope_is_opened_again() -> None:
    envelope = signed_envelope(
        HeaderType.DELIVER_SEEK_INFO, "mychannel", b"seek", CLIENT, tls_cert_hash=b"hash"
    )
    header, content = unwrap(envelope, HeaderType.DELIVER_SEEK_INFO)
    assert (header.channel_id, header.tls_cert_hash, content) == ("mychannel", b"hash", b"seek")
    assert header.timestamp.seconds > 1_700_000_000
    assert not header.timestamp.nanos
    signed = signed_data(envelope)
    assert signed == (envelope.payload, b"client", CLIENT.sign(envelope.payload))
    with pytest.raises(
        InputError, match=r"^invalid type DELIVER_SEEK_INFO, expected CONFIG_UPDATE"
    ):
        unwrap(envelope, HeaderType.CONFIG_UPDATE)
    with pytest.raises(InputError, match=r"^envelope must have a Header$"):
        unwrap(Envelope(), HeaderType.CONFIG)


def test_a_proposal_becomes_a_transaction() -> None:
    proposed = create_proposal(3, "mychannel", spec(), CLIENT.serialized, {"secret": b"value"})
    header = Header.FromString(proposed.proposal.header)
    nonce = SignatureHeader.FromString(header.signature_header).nonce
    assert proposed.tx_id == hashlib.sha256(nonce + b"client").hexdigest()
    assert ChannelHeader.FromString(header.channel_header).tx_id == proposed.tx_id
    signed = signed_proposal(proposed.proposal, CLIENT)
    assert signed.signature == CLIENT.sign(signed.proposal_bytes)
    answers = [response(proposed.proposal, peer) for peer in PEERS]
    envelope = create_signed_tx(proposed.proposal, CLIENT, [*answers, answers[0]])
    payload = Payload.FromString(envelope.payload)
    assert payload.header == header
    action = Transaction.FromString(payload.data).actions[0]
    assert action.header == header.signature_header
    inner = ChaincodeActionPayload.FromString(action.payload)
    kept = ChaincodeProposalPayload.FromString(inner.chaincode_proposal_payload)
    assert not kept.TransientMap
    assert kept.input
    assert [one.endorser for one in inner.action.endorsements] == [b"peer0", b"peer1"]
    assert answers[0].version == 1


def test_what_makes_no_transaction_is_refused_in_fabrics_words() -> None:
    proposal = create_proposal(3, "mychannel", spec(), CLIENT.serialized).proposal
    good = response(proposal, PEERS[0])
    unendorsed = ProposalResponse(payload=good.payload, response=good.response)
    other = ProposalResponse(
        payload=b"other", response=good.response, endorsement=Endorsement(endorser=b"peer1")
    )
    bad = ProposalResponse(response=Response(status=500, message="it broke"))
    for signer, answers, text in (
        (CLIENT, [], "at least one proposal response is required"),
        (PEERS[0], [good], "signer must be the same as the one referenced in the header"),
        (CLIENT, [bad], "proposal response was not successful, error code 500, msg it broke"),
        (CLIENT, [good, bad], "proposal response was not successful, error code 500, msg it broke"),
        (CLIENT, [unendorsed], "no endorsements"),
    ):
        with pytest.raises(InputError) as raised:
            create_signed_tx(proposal, signer, answers)
        assert str(raised.value) == text
    with pytest.raises(
        InputError, match=r"^ProposalResponsePayloads do not match \(base64\): 'b3R"
    ):
        create_signed_tx(proposal, CLIENT, [good, other])
