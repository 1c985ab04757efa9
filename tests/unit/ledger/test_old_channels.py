# SPDX-License-Identifier: Apache-2.0
"""Channels that began on Fabric 1.0 to 1.4 are judged as the peers of their time judged them."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

import fastledger
from corpora import OpenCorpus
from fastledger import TxValidationCode as Code
from fastledger.cli.main import main
from fastledger.ledger import sources
from fastledger.ledger.replay import Replay, Summary
from fastledger.protos.common import common_pb2 as common
from fastledger.protos.common.configtx_pb2 import ConfigGroup
from fastledger.protos.common.configuration_pb2 import OrdererAddresses
from fastledger.protos.ledger.rwset.rwset_pb2 import TxReadWriteSet
from fastledger.protos.peer.configuration_pb2 import AnchorPeer, AnchorPeers
from fastledger.protoutil.envelope import signed_envelope
from fastledger.protoutil.hashes import transaction_id
from old_channels import (
    CHANNEL,
    NODE,
    SINCE_1_4_1,
    OldChannel,
    begin,
    require,
    write_block_file,
    writes,
)

NewChannel = Callable[[], OldChannel]


@pytest.fixture
def new_channel(open_corpus: OpenCorpus) -> NewChannel:
    """Begin a channel as of 1.0, with the keys of a recorded network."""
    return lambda: begin(open_corpus("v11").folder)


def deployed(channel: OldChannel, name: str = "cc") -> OldChannel:
    channel.block((channel.deploy(name), Code.VALID))
    return channel


def replay(path: Path, blocks: list[bytes], **options: bool) -> tuple[Summary, list[bytes]]:
    folder = path / "blocks"
    folder.mkdir(parents=True)
    for number, block in enumerate(blocks):
        (folder / f"{number:06}.block").write_bytes(block)
    filters: list[bytes] = []
    with (
        fastledger.open(path / "ledger", **options) as ledger,
        sources.open(folder) as source,
    ):
        summary = Replay(ledger, source, lambda commit: filters.append(commit.filter)).run()
    return summary, filters


def validate(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["validate", *map(str, arguments)])
    return result.exit_code, result.stdout + result.stderr


def stored(channel: OldChannel) -> list[bytes]:
    blocks = map(common.Block.FromString, channel.copies)
    return [block.metadata.metadata[common.TRANSACTIONS_FILTER] for block in blocks]


def own_orderer_addresses(root: ConfigGroup) -> None:
    """Give the orderer's organization its addresses, as V3_0 wants it."""
    addresses = root.values.pop("OrdererAddresses")
    (organization,) = root.groups["Orderer"].groups.values()
    value = organization.values["Endpoints"]
    value.value = OrdererAddresses.FromString(addresses.value).SerializeToString()
    value.mod_policy = "Admins"


@pytest.fixture
def from_1_0_to_3_1(new_channel: NewChannel) -> OldChannel:
    """Every capability on the way, and metadata that grows in the middle."""
    channel = deployed(new_channel())
    one = channel.network.peers[0]

    def usual(undefined: Code = Code.INVALID_OTHER_REASON) -> None:
        """What every block of the way holds: good, unendorsed, outdated, replaced, repeated."""
        good = channel.invoke("cc", writes("cc", {"k": b"1"}))
        wrong = channel.invoke("cc", writes("other", {"k": b"1"}))
        by_orderer = [channel.network.orderer]
        unendorsed = channel.invoke("cc", writes("cc", {"u": b"1"}), endorsers=by_orderer)
        channel.block(
            (good, Code.VALID),
            (unendorsed, Code.ENDORSEMENT_POLICY_FAILURE),
            (wrong, undefined),
        )
        channel.block((good, Code.DUPLICATE_TXID))
        channel.block(
            (channel.invoke("cc", writes("cc", {"l": b"2"}), endorsers=[one]), Code.VALID)
        )

    usual()
    channel.update(require(orderer="V1_1"))
    channel.update(require(channel="V1_1", application="V1_1"))
    usual()
    channel.update(require(application="V1_2"))
    usual()
    channel.update(require(channel="V1_3", application="V1_3"))
    usual()
    channel.slots = SINCE_1_4_1
    usual()
    channel.update(require(orderer="V1_4_2"))
    channel.update(require(channel="V1_4_2", application="V1_4_2"))
    usual()
    channel.update(require(channel="V1_4_3"))
    channel.update(require(orderer="V2_0"))
    channel.update(require(channel="V2_0", application="V2_0"))
    usual(Code.INVALID_CHAINCODE)
    channel.update(require(application="V2_5"))
    channel.update(own_orderer_addresses)
    channel.update(require(channel="V3_0"))
    usual(Code.INVALID_CHAINCODE)
    return channel


def test_every_upgrade_on_the_way_is_followed(from_1_0_to_3_1: OldChannel, tmp_path: Path) -> None:
    channel = from_1_0_to_3_1
    summary, filters = replay(tmp_path / "copies", channel.copies)
    assert filters == stored(channel)
    assert (summary.differences, summary.notes) == ([], [])
    assert summary.compared == channel.height
    assert summary.without_commit_hash == channel.height - 1
    assert replay(tmp_path / "delivered", channel.delivered)[1] == stored(channel)
    assert replay(tmp_path / "peer", channel.delivered, delivered=True)[1] == stored(channel)


def test_commit_hashes_begin_with_block_1_or_never(
    from_1_0_to_3_1: OldChannel, tmp_path: Path
) -> None:
    channel = from_1_0_to_3_1
    with fastledger.open(tmp_path / "copies") as ledger:
        assert {commit.commit_hash for commit in ledger.commit_all(channel.copies)} == {None}
        assert ledger.last_commit_hash is None
    with fastledger.open(tmp_path / "delivered") as ledger:
        hashes = [commit.commit_hash for commit in ledger.commit_all(channel.delivered)]
        assert hashes[0] is None
        assert None not in hashes[1:]
    # What an orderer puts in the place of verdicts and commit hash means nothing to a peer.
    with fastledger.open(tmp_path / "peer", delivered=True) as ledger:
        assert [commit.commit_hash for commit in ledger.commit_all(channel.copies)] == hashes


def test_an_old_peers_folder_is_opened_rebuilt_and_continued(
    from_1_0_to_3_1: OldChannel, tmp_path: Path
) -> None:
    channel = from_1_0_to_3_1
    write_block_file(tmp_path / "peer/chains/blockfile_000000", channel.copies[:-2])
    with fastledger.open(tmp_path / "peer", create=False) as ledger:
        assert ledger.height == channel.height - 2
        assert [ledger.block(number).codes for number in range(ledger.height)] == stored(channel)[
            :-2
        ]
    with fastledger.open(tmp_path / "peer", delivered=True) as ledger:
        assert ledger.rebuild() == channel.height - 2
        for block, codes in zip(channel.delivered[-2:], stored(channel)[-2:], strict=True):
            commit = ledger.commit(block)
            assert (commit.filter, commit.commit_hash) == (codes, None)


@pytest.mark.parametrize("whose", ["copies", "delivered"])
def test_the_command_takes_every_form(
    from_1_0_to_3_1: OldChannel, tmp_path: Path, whose: str
) -> None:
    blocks = getattr(from_1_0_to_3_1, whose)
    node = tmp_path / "production"
    channels = node / "ledgersData/chains/chains" if whose == "copies" else node / "chains"
    write_block_file(channels / CHANNEL / "blockfile_000000", blocks)
    single = tmp_path / "single"
    single.mkdir()
    for number, block in enumerate(blocks):
        (single / f"{number:06}.block").write_bytes(block)
    blockfile = channels / CHANNEL / "blockfile_000000"
    for path in (node, channels / CHANNEL, blockfile, single):
        code, text = validate(path)
        assert code == 0, text
        assert f"channel {CHANNEL}: blocks {len(blocks)}" in text
        assert ("blocks without a commit hash" in text) == (whose == "copies")


@pytest.mark.parametrize("slots", [1, 2, 3, 4])
def test_a_block_may_have_fewer_metadata_slots(
    new_channel: NewChannel, tmp_path: Path, slots: int
) -> None:
    channel = deployed(new_channel())
    blocks = []
    for encoded in channel.delivered:
        block = common.Block.FromString(encoded)
        del block.metadata.metadata[slots:]
        blocks.append(block.SerializeToString())
    assert replay(tmp_path, blocks)[1] == [b"\0", b"\0"]


def test_a_block_without_metadata_is_refused(new_channel: NewChannel, tmp_path: Path) -> None:
    channel = deployed(new_channel())
    block = common.Block.FromString(channel.delivered[1])
    block.ClearField("metadata")
    with pytest.raises(fastledger.BlockRefused, match="block 1 is refused: it has no metadata"):
        replay(tmp_path, [channel.delivered[0], block.SerializeToString()])


# Rules that changed without a capability.


def twice(results: bytes) -> bytes:
    """Write a namespace twice."""
    rwset = TxReadWriteSet.FromString(results)
    rwset.ns_rwset.append(rwset.ns_rwset[0])
    return rwset.SerializeToString()


def of_type(channel: OldChannel, header_type: int) -> common.Envelope:
    """Make a transaction of a type that no release knows any more, with the id that it takes."""
    admin = channel.network.admins[0]
    envelope = signed_envelope(header_type, CHANNEL, b"content", admin)
    payload = common.Payload.FromString(envelope.payload)
    header = common.ChannelHeader.FromString(payload.header.channel_header)
    nonce = common.SignatureHeader.FromString(payload.header.signature_header).nonce
    header.tx_id = transaction_id(nonce, admin.serialized)
    payload.header.channel_header = header.SerializeToString()
    signed = payload.SerializeToString()
    return common.Envelope(payload=signed, signature=admin.sign(signed))


RESOURCE_UPDATE, TOKEN = 7, 9


def namespace_twice(channel: OldChannel) -> None:
    channel.block((channel.invoke("cc", twice(writes("cc", {"k": b"1"}))), Code.VALID))


def odd_name(channel: OldChannel) -> None:
    channel.block((channel.deploy("my__cc_"), Code.VALID))
    channel.block((channel.invoke("my__cc_", writes("my__cc_", {"k": b"1"})), Code.VALID))


def upgrade_of_node_chaincode(channel: OldChannel) -> None:
    channel.block(
        (channel.deploy("cc", "2", function="upgrade", language=NODE), Code.VALID),
        (channel.invoke("cc", writes("cc", {"k": b"1"})), Code.CHAINCODE_VERSION_CONFLICT),
    )


def query_of_a_system_chaincode(channel: OldChannel) -> None:
    channel.block((channel.invoke("qscc", b"", version="1.0.0"), Code.INVALID_OTHER_REASON))


def resource_update(channel: OldChannel) -> None:
    channel.block((of_type(channel, RESOURCE_UPDATE), Code.UNSUPPORTED_TX_PAYLOAD))


def token(channel: OldChannel) -> None:
    channel.block((of_type(channel, TOKEN), Code.UNKNOWN_TX_TYPE))


ERAS = [
    # What happened, whose verdict it is, what peers of today say, the capability that ends it.
    (namespace_twice, "1.4.0", "ILLEGAL_WRITESET", "V1_4_2"),
    (odd_name, "1.4.0", "ENDORSEMENT_POLICY_FAILURE", "V1_4_2"),
    (upgrade_of_node_chaincode, "1.2", "VALID", "V1_3"),
    (query_of_a_system_chaincode, "1.0", "VALID", "V1_1"),
    (resource_update, "1.1", "BAD_COMMON_HEADER", "V1_2"),
    (token, "1.4.2", "BAD_COMMON_HEADER", "V2_0"),
]


def name_of(value: object) -> str:
    return getattr(value, "__name__", "")


def upgraded(channel: OldChannel, capability: str) -> OldChannel:
    orderer = "V1_4_2" if capability == "V1_4_2" else "V2_0" if capability == "V2_0" else "V1_1"
    channel.update(require(orderer=orderer))
    channel.update(require(application=capability))
    return channel


@pytest.mark.parametrize(("happened", "release", "today", "_"), ERAS, ids=name_of)
def test_verdicts_of_the_time_stand_and_the_difference_is_told(
    new_channel: NewChannel,
    tmp_path: Path,
    happened: Callable[[OldChannel], None],
    release: str,
    today: str,
    _: str,
) -> None:
    channel = deployed(new_channel())
    number = channel.height
    happened(channel)
    # What was written then is what later transactions build on.
    channel.block((channel.deploy("later"), Code.VALID))
    summary, filters = replay(tmp_path / "copies", channel.copies)
    assert summary.differences == []
    assert filters == stored(channel)
    assert summary.notes[0].startswith(f"block {number}: transaction ")
    assert f"by the rules of Fabric {release}; peers of today say {today}" in summary.notes[0]
    code, text = validate(tmp_path / "copies" / "blocks")
    assert (code, "NOTE block" in text) == (0, True), text
    # A peer of today that gets these blocks from an orderer says what peers of today say.
    peers = replay(tmp_path / "peer", channel.copies, delivered=True)[1]
    assert Code[today] in peers[number]
    # Opened with everything derived gone, the peer's own folder says what it said.
    write_block_file(tmp_path / "folder/chains/blockfile_000000", channel.copies)
    with fastledger.open(tmp_path / "folder", create=False) as ledger:
        assert ledger.block(number).codes == stored(channel)[number]


@pytest.mark.parametrize(("happened", "_", "today", "capability"), ERAS, ids=name_of)
def test_a_capability_ends_the_eras_before_it(
    new_channel: NewChannel,
    tmp_path: Path,
    happened: Callable[[OldChannel], None],
    _: str,
    today: str,
    capability: str,
) -> None:
    channel = upgraded(deployed(new_channel()), capability)
    number = channel.height
    happened(channel)
    summary, _filters = replay(tmp_path, channel.copies)
    assert summary.differences[0].block == number
    assert today in str(summary.differences[0])
    assert summary.notes == []


def test_no_era_takes_what_was_never_valid(new_channel: NewChannel, tmp_path: Path) -> None:
    channel = deployed(new_channel())
    by_orderer = [channel.network.orderer]
    forged = channel.invoke("cc", writes("cc", {"k": b"1"}), endorsers=by_orderer)
    channel.block((forged, Code.VALID))
    summary, _ = replay(tmp_path, channel.copies)
    assert [str(difference) for difference in summary.differences] == [
        "block 2, transaction 0: the stored verdict is VALID, ours is ENDORSEMENT_POLICY_FAILURE"
    ]


def test_a_folder_with_a_forged_verdict_says_which(new_channel: NewChannel, tmp_path: Path) -> None:
    channel = deployed(new_channel())
    by_orderer = [channel.network.orderer]
    forged = channel.invoke("cc", writes("cc", {"k": b"1"}), endorsers=by_orderer)
    channel.block((forged, Code.VALID))
    write_block_file(tmp_path / "chains/blockfile_000000", channel.copies)
    wanted = "transaction 0 is stored as VALID, but it is ENDORSEMENT_POLICY_FAILURE"
    with pytest.raises(fastledger.FastledgerError, match=wanted):
        fastledger.open(tmp_path, create=False)


@pytest.mark.parametrize(
    ("capability", "second"), [(None, Code.VALID), ("V1_1", Code.DUPLICATE_TXID)], ids=str
)
def test_an_id_twice_in_a_block_is_a_duplicate_since_v1_1(
    new_channel: NewChannel, tmp_path: Path, capability: str | None, second: Code
) -> None:
    channel = deployed(new_channel())
    if capability:
        upgraded(channel, capability)
    again = channel.invoke("cc", writes("cc", {"k": b"1"}))
    channel.block((again, Code.VALID), (again, second))
    summary, filters = replay(tmp_path, channel.copies)
    assert (summary.differences, filters) == ([], stored(channel))


def test_the_experiment_of_1_1_updates_resources(new_channel: NewChannel, tmp_path: Path) -> None:
    channel = deployed(new_channel())
    upgraded(channel, "V1_1_RESOURCETREE_EXPERIMENTAL")
    channel.block((of_type(channel, RESOURCE_UPDATE), Code.VALID))
    summary, filters = replay(tmp_path, channel.copies)
    assert (summary.differences, filters) == ([], stored(channel))


def test_a_write_to_a_system_chaincodes_namespace_takes_any_member(
    new_channel: NewChannel, tmp_path: Path
) -> None:
    channel = upgraded(deployed(new_channel()), "V1_1")
    channel.block((channel.invoke("cc", writes("qscc", {"k": b"1"})), Code.VALID))
    channel.block((channel.invoke("cc", writes("cscc", {"k": b"1"})), Code.ILLEGAL_WRITESET))
    summary, filters = replay(tmp_path, channel.copies)
    assert (summary.differences, filters) == ([], stored(channel))


def with_anchor_peer(root: ConfigGroup) -> None:
    """Do what the first update of nearly every channel did."""
    anchors = AnchorPeers(anchor_peers=[AnchorPeer(host="peer0.org1.example.com", port=7051)])
    organizations = root.groups["Application"].groups
    value = organizations[sorted(organizations)[0]].values["AnchorPeers"]
    value.value = anchors.SerializeToString()
    value.mod_policy = "Admins"


def test_updates_of_1_0_0_are_taken_and_told(new_channel: NewChannel, tmp_path: Path) -> None:
    channel = new_channel()
    number = channel.update_as_1_0_0(with_anchor_peer)
    deployed(channel)
    for whose in ("copies", "delivered"):
        summary, filters = replay(tmp_path / whose, getattr(channel, whose))
        assert (summary.differences, filters) == ([], stored(channel))
        assert summary.notes[0].startswith(
            f"block {number}: transaction 0 is a configuration that Fabric 1.0.0 took; "
            "every release since refuses it: "
        )
        assert "mod_policy not set" in summary.notes[0]
    # Peers of today stop at such a block when they are delivered it.
    with pytest.raises(fastledger.BlockRefused, match="mod_policy not set"):
        replay(tmp_path / "peer", channel.delivered, delivered=True)
    # The peer that has it already opens its own folder.
    write_block_file(tmp_path / "folder/chains/blockfile_000000", channel.copies)
    with fastledger.open(tmp_path / "folder", create=False, delivered=True) as ledger:
        assert ledger.height == channel.height


def test_capabilities_end_what_1_0_0_took(new_channel: NewChannel, tmp_path: Path) -> None:
    channel = upgraded(new_channel(), "V1_1")
    channel.update_as_1_0_0(with_anchor_peer)
    with pytest.raises(fastledger.BlockRefused, match="mod_policy not set"):
        replay(tmp_path, channel.copies)


def test_identities_of_1_0_are_read(new_channel: NewChannel, tmp_path: Path) -> None:
    channel = deployed(new_channel())
    write = channel.invoke("cc", writes("cc", {"k": b"1"}))
    channel.block((write, Code.VALID))
    payload = common.Payload.FromString(write.payload)
    assert b"-----BEGIN -----" in payload.header.signature_header
    replay(tmp_path, channel.copies)
    tx_id = common.ChannelHeader.FromString(payload.header.channel_header).tx_id
    with fastledger.open(tmp_path / "ledger") as ledger:
        told = str(ledger.explain(tx_id))
    assert "submitted by Admin@org1.example.com (Org1MSP)" in told
    assert "endorsed by peer0.org2.example.com (Org2MSP)" in told


def test_a_real_network_of_1_3_upgraded_to_1_4(open_corpus: OpenCorpus, tmp_path: Path) -> None:
    corpus = open_corpus("upgraded13")
    theirs = [verdict.codes for verdict in corpus.verdicts]
    for feed in corpus.feeds():
        summary, filters = replay(tmp_path / feed, corpus.blocks(feed))
        assert filters == theirs
        assert (summary.differences, summary.notes) == ([], [])
        for path in (corpus.folder / feed, corpus.folder / feed / "oldch"):
            code, text = validate(path)
            assert code == 0, text
            assert "channel oldch: blocks 12, transactions 18" in text
    shutil.copytree(corpus.folder / "peer" / "oldch", tmp_path / "copied" / "chains")
    with fastledger.open(tmp_path / "copied", create=False) as ledger:
        assert (ledger.height, ledger.last_commit_hash) == (12, None)
