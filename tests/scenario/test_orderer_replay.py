# SPDX-License-Identifier: Apache-2.0
"""What a real CLI broadcast to a real 1.4 orderer, sent to ours: the same answers and blocks."""

import asyncio
from pathlib import Path

import pytest

import ordering
from corpora import Corpus, OpenCorpus
from fastledger._core import ChannelConfig
from fastledger.msp import SigningIdentity
from fastledger.protos.common.common_pb2 import (
    Block,
    ChannelHeader,
    Envelope,
    HeaderType,
    Metadata,
    OrdererBlockMetadata,
    Payload,
)
from fastledger.protos.common.configtx_pb2 import ConfigEnvelope
from fastledger.protos.orderer.ab_pb2 import BroadcastResponse

SYSTEM, CHANNEL = "e2e-orderer-syschan", "mychannel"


@pytest.fixture(scope="module")
def v14(open_corpus: OpenCorpus) -> Corpus:
    return open_corpus("v14")


def recorded(corpus: Corpus) -> list[tuple[bytes, BroadcastResponse]]:
    """The envelopes in the order of the CLI's calls, with the real orderer's answers."""
    pairs = []
    for path in sorted(corpus.folder.glob("wire/*AtomicBroadcast.Broadcast_c2s_*.bin")):
        answer = path.with_name(path.name.replace("c2s", "s2c"))
        pairs.append((path.read_bytes(), BroadcastResponse.FromString(answer.read_bytes())))
    return pairs


def admin(corpus: Corpus) -> SigningIdentity:
    """One who may read both channels."""
    users = corpus.folder / "crypto-config/ordererOrganizations/example.com/users"
    return SigningIdentity.load(users / "Admin@example.com/msp", ordering.MSP_ID)


def payload_of(envelope: bytes) -> tuple[ChannelHeader, bytes]:
    payload = Payload.FromString(Envelope.FromString(envelope).payload)
    return ChannelHeader.FromString(payload.header.channel_header), payload.data


async def replay(corpus: Corpus, location: Path) -> tuple[list[BroadcastResponse], dict]:
    environ = ordering.environment(
        corpus.folder / "crypto-config",
        location,
        ORDERER_GENERAL_BOOTSTRAPMETHOD="file",
        ORDERER_GENERAL_BOOTSTRAPFILE=str(corpus.folder / "artifacts/genesis.block"),
    )
    async with ordering.running(environ) as node:
        client = ordering.Client(node.port, admin(corpus))
        answers = []
        for envelope, _ in recorded(corpus):
            answers += await client.broadcast([envelope])
        theirs = {
            SYSTEM: sorted(corpus.folder.glob("syschannel/orderer_*.block")),
            CHANNEL: sorted(corpus.folder.glob("mychannel/orderer_*.block")),
        }
        transactions = sum(
            len(Block.FromString(path.read_bytes()).data.data) for path in theirs[CHANNEL]
        )
        blocks = {SYSTEM: await client.blocks(SYSTEM, 0, len(theirs[SYSTEM]) - 1), CHANNEL: []}
        while sum(len(block.data.data) for block in blocks[CHANNEL]) < transactions:
            number = len(blocks[CHANNEL])
            blocks[CHANNEL] += await client.blocks(CHANNEL, number, number)
        await client.close()
    return answers, blocks


@pytest.fixture(scope="module")
def outcome(
    v14: Corpus, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[BroadcastResponse], dict]:
    return asyncio.run(replay(v14, tmp_path_factory.mktemp("orderer")))


def test_answers_are_the_real_ones(v14: Corpus, outcome: tuple) -> None:
    expected = [answer for _, answer in recorded(v14)]
    assert len(expected) > 15
    assert [(a.status, a.info) for a in outcome[0]] == [(a.status, a.info) for a in expected]


def test_transactions_are_the_same_in_the_same_order(v14: Corpus, outcome: tuple) -> None:
    theirs = [
        envelope
        for encoded in v14.blocks("orderer")
        for envelope in Block.FromString(encoded).data.data
    ]
    ours = [envelope for block in outcome[1][CHANNEL] for envelope in block.data.data]
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        header, data = payload_of(mine)
        expected, expected_data = payload_of(other)
        assert (header.type, header.channel_id) == (expected.type, expected.channel_id)
        if header.type == HeaderType.CONFIG:
            assert config(data) == config(expected_data)
        else:
            assert mine == other


def config(data: bytes) -> ConfigEnvelope:
    """A configuration; the CLI signed its update, so that is the same too."""
    return ConfigEnvelope.FromString(data)


def test_the_system_channel_tells_of_the_new_channel(v14: Corpus, outcome: tuple) -> None:
    theirs = Block.FromString((v14.folder / "syschannel/orderer_001.block").read_bytes())
    genesis, ours = outcome[1][SYSTEM]
    assert genesis == Block.FromString((v14.folder / "artifacts/genesis.block").read_bytes())
    header, wrapped = payload_of(ours.data.data[0])
    expected, expected_wrapped = payload_of(theirs.data.data[0])
    assert (header.type, header.channel_id) == (HeaderType.ORDERER_TRANSACTION, SYSTEM)
    assert (header.type, header.channel_id) == (expected.type, expected.channel_id)
    assert config(payload_of(wrapped)[1]) == config(payload_of(expected_wrapped)[1])
    # The new channel begins with what the system channel holds of it.
    assert outcome[1][CHANNEL][0].data.data[0] == wrapped


def test_metadata_is_that_of_a_real_orderer(v14: Corpus, outcome: tuple) -> None:
    for channel, folder in ((SYSTEM, "syschannel"), (CHANNEL, "mychannel")):
        for path in sorted(v14.folder.glob(f"{folder}/orderer_*.block")):
            expected = Block.FromString(path.read_bytes())
            number = expected.header.number
            if number >= len(outcome[1][channel]):
                continue
            slots = outcome[1][channel][number].metadata.metadata
            assert [bool(slot) for slot in slots] == [bool(s) for s in expected.metadata.metadata]
            assert list(slots[1:]) == list(expected.metadata.metadata[1:])
            ours, theirs = (Metadata.FromString(m[0]) for m in (slots, expected.metadata.metadata))
            assert OrdererBlockMetadata.FromString(ours.value) == (
                OrdererBlockMetadata.FromString(theirs.value)
            )
            assert len(ours.signatures) == len(theirs.signatures)


def test_blocks_chain_and_are_signed_as_the_channel_asks(outcome: tuple) -> None:
    blocks = [block.SerializeToString() for block in outcome[1][CHANNEL]]
    bundle = ChannelConfig.from_block(blocks[0])
    for block in blocks[1:]:
        bundle.verify_block(block)
