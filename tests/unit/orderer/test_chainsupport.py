# SPDX-License-Identifier: Apache-2.0
"""What a channel refuses of its chain, of other orderers, and while it cannot write."""

from collections.abc import Callable
from pathlib import Path

import pytest

from consenting import turns
from fastledger._core import block_header
from fastledger.common.errors import FastledgerError, InputError
from fastledger.orderer.consensus.chain import ChainHalted, Relation, Standing, Status
from fastledger.orderer.errors import BlockNotNext
from fastledger.orderer.multichannel import writequeue
from fastledger.protos.common.common_pb2 import Block
from fastledger.protoutil.blocks import new_block
from toy_cluster import CONSENTER, FOLLOWER, Channel, Cluster, story


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory) -> Channel:
    return Channel(tmp_path_factory.mktemp("network"))


def changed(block: bytes, change: Callable[[Block], object]) -> bytes:
    decoded = Block.FromString(block)
    change(decoded)
    return decoded.SerializeToString()


REFUSED: dict[str, tuple[Callable[[bytes], bytes], type[FastledgerError], str]] = {
    "no block": (lambda block: block[:-1], InputError, "not an encoded common.Block"),
    "other data": (
        lambda block: changed(block, lambda it: it.data.data.append(b"more")),
        InputError,
        "does not have the data hash that its header states",
    ),
    "no data": (
        lambda block: changed(block, lambda it: it.ClearField("data")),
        InputError,
        "block 3 holds nothing",
    ),
    "no signature": (
        lambda block: changed(block, lambda it: it.metadata.metadata.__setitem__(0, b"")),
        FastledgerError,
        "block 3",
    ),
    "a later number": (
        lambda block: changed(block, lambda it: setattr(it.header, "number", 4)),
        BlockNotNext,
        "block 4 cannot follow block 2",
    ),
    "another predecessor": (
        lambda block: changed(block, lambda it: setattr(it.header, "previous_hash", b"x" * 32)),
        BlockNotNext,
        f"block 3 follows one with the header hash {(b'x' * 32).hex()}",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_adopted(channel: Channel, tmp_path: Path, name: str) -> None:
    spoil, kind, reason = REFUSED[name]

    async def tell(cluster: Cluster) -> None:
        for number in (1, 2, 3):
            cluster.open(number, channel.genesis)
        await cluster.net.settle()
        await cluster.order(1, b"a", b"b")
        cluster.net.cut = {(1, 3)}
        await cluster.order(1, b"c")
        block = cluster[1].block(3)
        with pytest.raises(kind, match=reason):
            await cluster[3].append(spoil(block))
        assert (cluster[3].height, cluster[3].standing) == (3, FOLLOWER)
        await cluster[3].append(block)
        await cluster[3].append(block)
        await cluster[3].drained(0)
        assert cluster.blocks(3) == cluster.blocks(1)

    story(channel, tmp_path, tell)


def test_a_decision_that_contradicts_the_ledger_ends_the_channel(
    channel: Channel, tmp_path: Path
) -> None:
    async def tell(cluster: Cluster) -> None:
        for number in (1, 2):
            cluster.open(number, channel.genesis)
        await cluster.net.settle()
        await cluster.order(1, b"a")
        node = cluster[1]
        genesis_hash = block_header(channel.genesis)[3]
        with pytest.raises(BlockNotNext, match="there are two blocks 1"):
            node.write(new_block(1, genesis_hash, [channel.message(b"other").encoded]))
        assert node.standing == Standing(Relation.CONSENTER, Status.FAILED)
        assert node.errored.is_set()
        assert "there are two blocks 1" in str(node.failure)
        with pytest.raises(ChainHalted, match="no block can be written"):
            await node.order(channel.message(b"b"))
        with pytest.raises(BlockNotNext, match="there are two blocks 1"):
            await node.append(cluster[2].block(1))

    story(channel, tmp_path, tell)


def test_without_a_chain_that_can_follow_the_channel_has_failed(
    channel: Channel, tmp_path: Path
) -> None:
    async def tell(cluster: Cluster) -> None:
        cluster.open(1, channel.genesis)
        cluster.kinds[1].is_broken = True
        cluster[1].switch_chain()
        with pytest.raises(ChainHalted):
            await cluster[1].order(channel.message(b"a"))
        assert cluster[1].standing.status == Status.FAILED
        assert str(cluster[1].failure) == "no such chain"

    story(channel, tmp_path, tell)


def test_a_full_disk_stops_a_channel_and_room_lets_it_go_on(
    channel: Channel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even one whose chain is being replaced."""
    monkeypatch.setattr(writequeue, "RETRY_S", 0.001)

    async def tell(cluster: Cluster) -> None:
        for number in (1, 2):
            cluster.open(number, channel.genesis)
        await cluster.order(1, b"a")
        node, disk = cluster[2], cluster.disks[2]
        disk.is_full = True
        await cluster[1].order(channel.message(b"b"))
        await node.errored.wait()
        assert node.standing.status == Status.FAILED
        assert "no space left" in str(node.failure)
        with pytest.raises(ChainHalted, match="no block can be written"):
            await node.order(channel.message(b"c"))
        node.switch_chain()
        await turns()
        disk.is_full = False
        await node.drained(0)
        await cluster.order(2, b"d")
        assert (node.standing, node.failure, node.errored.is_set()) == (CONSENTER, None, False)
        assert cluster.blocks(2) == cluster.blocks(1)
        assert cluster.contents(2) == [b"a", b"b", b"d"]

    story(channel, tmp_path, tell)
