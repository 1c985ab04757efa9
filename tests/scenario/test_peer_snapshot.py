# SPDX-License-Identifier: Apache-2.0
"""A peer joins a channel by the snapshot that a real peer made."""

import asyncio
from pathlib import Path

import pytest

import peering
from corpora import Corpus, OpenCorpus
from fastledger.channelconfig import Bundle
from fastledger.node.peer.channel import PeerChannel
from fastledger.protos.common.common_pb2 import Block
from fastledger.protoutil import block as blocks
from fastledger.protoutil.blocks import is_config_block


@pytest.fixture(scope="module")
def material(open_corpus: OpenCorpus) -> Path:
    """Keys of an organization; those of the snapshot's network are not kept."""
    return open_corpus("v14").folder / "crypto-config"


async def walk(corpus: Corpus, material: Path, folder: Path) -> None:
    stored = [blocks.parse(block) for block in corpus.blocks("peer")]
    newest = stored[-1]
    config = Bundle.from_block(last_config(corpus))
    environ = peering.environment(material, "org1", "peer0", folder)
    async with peering.running(environ) as peer:
        client = peering.Client(peer.port, peering.identity(material, "org1"))
        path = str(corpus.folder / "snapshot")
        joined = await client.call("", "cscc", "JoinChainBySnapshot", path)
        assert joined.response.status == 200, joined.response.message
        check(peer.channels.channel(config.channel_id), config, newest)
        await client.close()
    async with peering.running(environ) as peer:
        check(peer.channels.channel(config.channel_id), config, newest)


def last_config(corpus: Corpus) -> bytes:
    """The newest block that is a configuration."""
    found = [block for block in corpus.blocks("peer") if is_config_block(Block.FromString(block))]
    return found[-1]


def check(channel: PeerChannel | None, config: Bundle, newest: blocks.Block) -> None:
    assert channel is not None
    assert channel.height == channel.first == newest.number + 1
    assert channel.ledger.last_commit_hash == newest.commit_hash
    assert channel.bundle.sequence == config.sequence
    assert channel.bundle.orderer_addresses == config.orderer_addresses


@pytest.mark.parametrize("name", ["small", "pvt14"])
def test_a_peer_joins_by_a_real_peers_snapshot(
    open_corpus: OpenCorpus, material: Path, tmp_path: Path, name: str
) -> None:
    asyncio.run(walk(open_corpus(name), material, tmp_path))
