# SPDX-License-Identifier: Apache-2.0
"""Configurations of real channels: what they say, whom they let in, and how updates make others."""

import contextlib
from collections.abc import Iterator

import pytest
from google.protobuf.message import DecodeError

from corpora import Corpus, OpenCorpus
from fastledger.channelconfig import AnchorPeer, BatchSize, Bundle
from fastledger.common.errors import (
    BlockRefused,
    ConfigRefused,
    IdentityRefused,
    InputError,
    NotFound,
    PolicyUnsatisfied,
)
from fastledger.msp import SigningIdentity
from fastledger.policies import SignedData, from_string
from fastledger.protos.common.common_pb2 import Block, ChannelHeader, Envelope, HeaderType, Payload
from fastledger.protos.common.configtx_pb2 import (
    Config,
    ConfigEnvelope,
    ConfigUpdate,
    ConfigUpdateEnvelope,
)
from fastledger.protos.msp.identities_pb2 import SerializedIdentity
from fastledger.protos.msp.msp_principal_pb2 import MSPPrincipal, MSPRole
from fastledger.protos.peer.configuration_pb2 import AnchorPeers
from fastledger.protos.peer.policy_pb2 import ApplicationPolicy
from fastledger.protoutil.envelope import signature_header, signed_data, signed_envelope

WRITERS = "/Channel/Writers"
KEPT = ["small", "bypass", "v14", "v11", "tls", "pvt14"]


def walk(corpus: Corpus) -> Iterator[tuple[Block, list[bytes], Bundle]]:
    """Give each block, its envelopes, and the configuration in force after it."""
    bundle: Bundle | None = None
    for encoded in corpus.blocks("orderer" if "orderer" in corpus.feeds() else ""):
        block = Block.FromString(encoded)
        envelopes = list(block.data.data)
        config = config_of(envelopes[0])
        if bundle is None:
            bundle = Bundle.from_block(encoded)
        elif config is not None:
            bundle = bundle.apply(config)
        yield block, envelopes, bundle


def opened(envelope: bytes) -> tuple[ChannelHeader, Payload]:
    payload = Payload.FromString(Envelope.FromString(envelope).payload)
    return ChannelHeader.FromString(payload.header.channel_header), payload


def config_of(envelope: bytes) -> bytes | None:
    try:
        header, payload = opened(envelope)
    except DecodeError:
        return None
    return payload.data if header.type == HeaderType.CONFIG else None


def signed(envelopes: list[bytes]) -> list[SignedData]:
    found = []
    for envelope in envelopes:
        with contextlib.suppress(DecodeError, InputError):
            found.append(signed_data(Envelope.FromString(envelope)))
    return found


@pytest.mark.parametrize("name", KEPT)
def test_every_update_makes_what_the_real_orderer_made(open_corpus: OpenCorpus, name: str) -> None:
    before: Bundle | None = None
    updates = 0
    for block, envelopes, bundle in walk(open_corpus(name)):
        encoded = config_of(envelopes[0])
        if encoded is None:
            before = bundle
            continue
        theirs = ConfigEnvelope.FromString(encoded)
        # Their bytes have the entries of maps in any order, ours are sorted.
        assert bundle.config == theirs.config.SerializeToString(deterministic=True)
        assert Bundle.from_config(bundle.channel_id, bundle.config).config == bundle.config
        if before is not None:
            update = theirs.last_update.SerializeToString()
            proposed = before.propose_update(update)
            assert proposed == theirs.SerializeToString(deterministic=True), block.header.number
            assert before.apply(proposed).sequence == before.sequence + 1
            assert_stale(bundle, update)
            updates += 1
        before = bundle
    assert updates >= (2 if name in ("small", "v14", "v11", "tls") else 0)


def assert_stale(bundle: Bundle, update: bytes) -> None:
    """An update that was made cannot be made again."""
    with pytest.raises(ConfigRefused) as raised:
        bundle.propose_update(update)
    text = str(raised.value).removeprefix("error authorizing update: error validating ")
    assert text.startswith(
        ("ReadSet: proposed update requires that key [", "DeltaSet: attempt to set key [")
    )
    assert "/Channel" in text


@pytest.mark.parametrize("name", KEPT)
def test_the_orderers_signatures_are_held_against_the_policy(
    open_corpus: OpenCorpus, name: str
) -> None:
    before: Bundle | None = None
    for block, _, bundle in walk(open_corpus(name)):
        if before is not None:
            before.verify_block(block.SerializeToString())
            block.header.data_hash = bytes(32)
            with pytest.raises(BlockRefused) as raised:
                before.verify_block(block.SerializeToString())
            assert raised.value.number == block.header.number
        before = bundle
        if block.header.number == 12:
            break


@pytest.mark.parametrize("name", ["small", "v14", "v11", "tls"])
def test_writers_are_those_whom_the_real_orderer_let_in(open_corpus: OpenCorpus, name: str) -> None:
    questions, forged = [], []
    bundle: Bundle | None = None
    for _, envelopes, bundle in walk(open_corpus(name)):  # noqa: B007 (the last one counts)
        for one in signed(envelopes):
            if SerializedIdentity.FromString(one.identity).mspid.startswith("Org"):
                questions.append([one])
                forged.append([one._replace(data=one.data + b"!")])
    assert bundle is not None
    assert len(questions) > 10
    answers = bundle.evaluate_many(WRITERS, questions)
    # Some of `small` were put into blocks to be refused by the peers.
    assert answers.count(None) >= (len(answers) if name != "small" else len(answers) * 0.95)
    refusal = (
        "implicit policy evaluation failed - 0 sub-policies were satisfied, "
        "but this policy requires 1 of the 'Writers' sub-policies to be satisfied"
    )
    assert set(bundle.evaluate_many(WRITERS, forged)) == {refusal}
    for question, answer in zip(questions, answers, strict=True):
        if answer is None:
            bundle.evaluate(WRITERS, question)
    with pytest.raises(PolicyUnsatisfied) as raised:
        bundle.evaluate(WRITERS, forged[0])
    assert str(raised.value) == refusal
    assert "Application/Writers" in raised.value.details


def last(corpus: Corpus) -> Bundle:
    return [bundle for _, _, bundle in walk(corpus)][-1]


def member(corpus: Corpus) -> SignedData:
    """A transaction's signature, by a client of Org1."""
    for _, envelopes, _ in walk(corpus):
        for one in signed(envelopes):
            if SerializedIdentity.FromString(one.identity).mspid == "Org1MSP":
                return one
    raise AssertionError("no transaction of Org1")


def test_policies_that_are_brought_along(open_corpus: OpenCorpus) -> None:
    v14 = open_corpus("v14")
    bundle, one = last(v14), member(v14)
    holds = from_string("OR('Org1MSP.member', 'Org2MSP.member')")
    fails = from_string("AND('Org1MSP.member', 'Org2MSP.member')")
    bundle.evaluate_envelope(holds.SerializeToString(), [one])
    with pytest.raises(
        PolicyUnsatisfied, match=r"^signature set did not satisfy policy$"
    ) as raised:
        bundle.evaluate_envelope(fails.SerializeToString(), [one, one])
    assert "Org2MSP.member" in raised.value.details
    own = ApplicationPolicy(signature_policy=holds).SerializeToString()
    bundle.evaluate_application_policy(own, [one])
    named = ApplicationPolicy(channel_config_policy_reference="/Channel/Application/Readers")
    bundle.evaluate_application_policy(named.SerializeToString(), [one])
    unknown = ApplicationPolicy(channel_config_policy_reference="/Channel/Nobody")
    with pytest.raises(NotFound, match=r"^no such policy: '/Channel/Nobody'$"):
        bundle.evaluate_application_policy(unknown.SerializeToString(), [one])
    with pytest.raises(NotFound):
        bundle.evaluate("/Channel/Nobody", [one])
    with pytest.raises(InputError):
        bundle.evaluate_envelope(b"\xff", [one])
    assert bundle.has_policy("/Channel/Application/Admins")
    assert not bundle.has_policy("/Channel/Application/LifecycleEndorsement")


def test_identities_are_those_of_the_channels_msps(open_corpus: OpenCorpus) -> None:
    v14 = open_corpus("v14")
    bundle, one = last(v14), member(v14)
    identity = bundle.identity(one.identity)
    assert identity.mspid == "Org1MSP"
    assert "member" in identity.roles
    bundle.verify(one.identity, one.data, one.signature)
    with pytest.raises(IdentityRefused, match="Org1MSP"):
        bundle.verify(one.identity, one.data + b"!", one.signature)
    read = SerializedIdentity.FromString(one.identity)
    read.mspid = "Org9MSP"
    with pytest.raises(IdentityRefused, match="Org9MSP"):
        bundle.identity(read.SerializeToString())
    for mspid, satisfied in (("Org1MSP", True), ("Org2MSP", False)):
        role = MSPRole(msp_identifier=mspid, role=MSPRole.MEMBER).SerializeToString()
        principal = MSPPrincipal(principal=role).SerializeToString()
        assert bundle.satisfies(one.identity, principal) == satisfied
    assert bundle.msp_ids == ["OrdererMSP", "Org1MSP", "Org2MSP"]
    assert bundle.tls_cas("Org1MSP")[0].startswith(b"-----BEGIN CERTIFICATE-----")
    with pytest.raises(NotFound, match="Org9MSP"):
        bundle.tls_cas("Org9MSP")


def test_a_channel_of_1_4_says_what_it_is(open_corpus: OpenCorpus) -> None:
    bundle = last(open_corpus("v14"))
    orderer, application = bundle.orderer, bundle.application
    assert (bundle.channel_id, bundle.sequence, bundle.consortiums) == ("mychannel", 3, None)
    assert orderer is not None
    assert (orderer.consensus_type, orderer.state) == ("solo", "STATE_NORMAL")
    assert orderer.batch_size == BatchSize(10, 103809024, 524288)
    assert orderer.batch_timeout == 2.0
    assert orderer.capabilities.names == {"V1_4_2"}
    assert list(orderer.orgs) == ["OrdererMSP"]
    assert bundle.orderer_addresses
    assert application is not None
    assert list(application.orgs) == ["Org1MSP", "Org2MSP"]
    (anchor,) = application.orgs["Org1MSP"].anchor_peers
    assert isinstance(anchor, AnchorPeer)
    assert anchor.port > 0
    assert application.orgs["Org1MSP"].name == "Org1MSP"


def test_a_channel_of_3_1_says_what_it_is(small: Corpus) -> None:
    bundle = last(small)
    orderer, application = bundle.orderer, bundle.application
    assert orderer is not None
    assert application is not None
    assert orderer.consensus_type == "etcdraft"
    assert orderer.consensus_metadata
    assert bundle.capabilities
    assert application.capabilities.names
    assert application.capabilities.lifecycle_v2_0
    assert {"Org1MSP", "Org2MSP"} <= set(application.orgs)
    assert all(path.startswith("/Channel/") for path in application.acls.values())
    org = next(iter(orderer.orgs.values()))
    assert bundle.orderer_addresses[0] in org.endpoints


def test_a_system_channel_has_consortiums(open_corpus: OpenCorpus) -> None:
    folder = open_corpus("v14").folder / "syschannel"
    genesis = sorted(folder.glob("*.block"))[0].read_bytes()
    bundle = Bundle.from_block(genesis)
    assert bundle.application is None
    assert bundle.consortiums is not None
    (consortium,) = bundle.consortiums.values()
    named = {mspid: org.name for mspid, org in consortium.items()}
    assert named == {"Org1MSP": "Org1MSP", "Org2MSP": "Org2MSP"}


def anchor_update(bundle: Bundle, host: str) -> ConfigUpdate:
    """Set another anchor peer of Org1."""
    channel = Config.FromString(bundle.config).channel_group
    application = channel.groups["Application"]
    current = application.groups["Org1MSP"]
    update = ConfigUpdate(channel_id=bundle.channel_id)
    for root in (update.read_set, update.write_set):
        root.version = channel.version
        root.groups["Application"].version = application.version
        root.groups["Application"].groups["Org1MSP"].version = current.version
    anchors = update.write_set.groups["Application"].groups["Org1MSP"].values["AnchorPeers"]
    anchors.value = AnchorPeers(anchor_peers=[{"host": host, "port": 7051}]).SerializeToString()
    anchors.version = current.values["AnchorPeers"].version + 1
    anchors.mod_policy = "Admins"
    return update


def signed_update(update: bytes, *signers: SigningIdentity) -> bytes:
    """Make the envelope that a client sends to an orderer."""
    envelope = ConfigUpdateEnvelope(config_update=update)
    for signer in signers:
        header = signature_header(signer.serialized).SerializeToString()
        envelope.signatures.add(signature_header=header, signature=signer.sign(header + update))
    content = envelope.SerializeToString()
    sender = signers[0]
    wrapped = signed_envelope(HeaderType.CONFIG_UPDATE, "mychannel", content, sender)
    return wrapped.SerializeToString()


def admin(corpus: Corpus, org: int) -> SigningIdentity:
    domain = f"org{org}.example.com"
    users = corpus.folder / "crypto-config" / "peerOrganizations" / domain / "users"
    return SigningIdentity.load(users / f"Admin@{domain}" / "msp", f"Org{org}MSP")


def test_an_update_of_ones_own_is_made(open_corpus: OpenCorpus) -> None:
    v14 = open_corpus("v14")
    bundle, org1, org2 = last(v14), admin(v14, 1), admin(v14, 2)
    update = anchor_update(bundle, "elsewhere").SerializeToString()
    after = bundle.apply(bundle.propose_update(signed_update(update, org1)))
    assert after.sequence == bundle.sequence + 1
    assert after.application is not None
    assert after.application.orgs["Org1MSP"].anchor_peers == (AnchorPeer("elsewhere", 7051),)
    with pytest.raises(ConfigRefused) as raised:
        bundle.propose_update(signed_update(update, org2))
    assert str(raised.value) == (
        "error authorizing update: error validating DeltaSet: policy for "
        "[Value]  /Channel/Application/Org1MSP/AnchorPeers not satisfied: "
        "signature set did not satisfy policy"
    )
    with pytest.raises(ConfigRefused, match="fields that this version"):
        bundle.propose_update(signed_update(update + b"\xc8\x3e\x01", org1))
    for other, reason in (
        (b"\xff", "error unmarshalling ConfigUpdate"),
        (ConfigUpdate(channel_id="other").SerializeToString(), "ConfigUpdate for channel 'other'"),
        (ConfigUpdate(channel_id="mychannel").SerializeToString(), "delta set was empty"),
    ):
        with pytest.raises(ConfigRefused, match=reason):
            bundle.propose_update(signed_update(other, org1))


def test_what_is_no_configuration_is_refused(small: Corpus) -> None:
    for block in (b"\xff", b"", small.blocks()[1]):
        with pytest.raises(InputError):
            Bundle.from_block(block)
    with pytest.raises(ConfigRefused, match="bad channel ID: 'No' contains illegal characters"):
        Bundle.from_config("No", last(small).config)
    with pytest.raises(ConfigRefused):
        Bundle.from_config("yes", Config(sequence=1).SerializeToString())
