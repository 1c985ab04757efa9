# SPDX-License-Identifier: Apache-2.0
"""Several orderers in one process, with a toy for a consensus: the interface suffices for them.

The blocks of all nodes are the same to the byte, chained, and signed as the channel asks; the
judge is the core.
"""

import asyncio
import random
from pathlib import Path

import pytest

from consenting import turns
from fastledger.common.errors import BlockRefused, InputError
from fastledger.orderer.blockwriter import consenter_metadata
from fastledger.orderer.consensus.chain import ChainHalted, Relation, Standing, Status
from fastledger.protos.common.common_pb2 import Block
from toy_cluster import CONSENTER, FOLLOWER, Channel, Cluster, check_chain, story
from toy_consensus import MAX_PROPOSED


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory) -> Channel:
    return Channel(tmp_path_factory.mktemp("network"))


def test_a_cluster_lives(channel: Channel, tmp_path: Path) -> None:
    """Two consenters and a follower, through all that an interface of many nodes is for."""

    async def tell(cluster: Cluster) -> None:
        for number in (1, 2, 3):
            cluster.open(number, channel.genesis)
        await cluster.net.settle()
        assert [cluster[n].standing for n in (1, 2, 3)] == [CONSENTER, CONSENTER, FOLLOWER]

        # One consenter leads, the other hands on to it; who only follows takes nothing.
        await cluster.order(1, b"at the leader")
        await cluster.order(2, b"handed on")
        with pytest.raises(ChainHalted):
            await cluster[3].order(channel.message(b"at a follower"))

        # Blocks are created ahead: nothing of them is written until the others hold them.
        cluster.net.cut = {(2, 1)}
        await cluster.order(1, b"ahead", b"further ahead", b"lost with its leader")
        assert [cluster[n].height for n in (1, 2, 3)] == [3, 3, 3]
        cluster.net.cut.clear()

        # Another leads. What the first had created is forgotten, and its numbers go to others.
        await cluster.lead(2, 2)
        await cluster.order(2, b"of the second leader")
        await cluster.order(1, b"handed to the second")
        assert cluster.contents(1)[2:] == [b"of the second leader", b"handed to the second"]

        # The follower becomes a consenter. Messages wait meanwhile, and nobody's stream ends.
        third = cluster[3]
        streams = [
            asyncio.ensure_future(third.wait(7)),
            asyncio.ensure_future(third.errored.wait()),
        ]
        cluster.kinds[3].may_halt.clear()
        await cluster[2].configure(channel.update(cluster[2].bundle, b"1,2,3"))
        await cluster.net.settle()
        waiting = asyncio.ensure_future(third.order(channel.message(b"taken by the next chain")))
        await turns()
        assert (third.sequence, third.standing.relation) == (1, Relation.CONSENTER)
        assert not waiting.done()
        cluster.kinds[3].may_halt.set()
        await waiting
        await cluster.net.settle()
        await streams[0]
        assert not streams[1].done()
        streams[1].cancel()
        assert cluster.contents(3)[-1] == b"taken by the next chain"

        # One is away, and is told at its return what it has missed; then it leads.
        await cluster.close(1)
        await cluster.order(2, b"without the first")
        cluster.open(1)
        await cluster.net.settle()
        assert cluster[1].height == cluster[2].height == 8
        await cluster.lead(3, 1)
        await cluster.order(3, b"for a leader that was away")

        # One is no consenter any more.
        await cluster[1].configure(channel.update(cluster[1].bundle, b"1,3"))
        await cluster.net.settle()
        await cluster.lead(3, 1)  # What others say waits for the chain that stays.
        assert [cluster[n].standing for n in (1, 2, 3)] == [CONSENTER, FOLLOWER, CONSENTER]
        await cluster.order(1, b"the end")

        assert not cluster.net.refusals
        chains = [cluster.blocks(number) for number in (1, 2, 3)]
        assert chains[0] == chains[1] == chains[2]
        assert len(chains[0]) == 11
        check_chain(chains[0])
        kept = [consenter_metadata(Block.FromString(block)) for block in chains[0]]
        assert kept == [b"", *[b"1/1"] * 2, *[b"2/2"] * 5, *[b"3/1"] * 3]

    story(channel, tmp_path, tell)


EVERYBODY = (1, 2, 3, 4)


class Fortune:
    """What happens to a cluster, by chance."""

    def __init__(self, cluster: Cluster, seed: int) -> None:
        self.cluster = cluster
        self.chance = random.Random(seed)
        self.members = {1, 2}
        self.leader = 1
        self.term = 1
        self.names = map(b"%d".__mod__, range(1000))

    @property
    def others(self) -> list[int]:
        return [node for node in EVERYBODY if node != self.leader]

    async def messages(self, nodes: list[int] | None = None) -> None:
        members = sorted(self.members)
        for node in nodes or self.chance.choices(members, k=self.chance.randint(1, 5)):
            await self.cluster.order(node, next(self.names))

    async def loss(self) -> None:
        """The leader loses its part, and what it has created with it."""
        others = sorted(self.members - {self.leader})
        self.cluster.net.cut = {(node, self.leader) for node in others}
        await self.messages([self.leader] * self.chance.randint(1, MAX_PROPOSED))
        self.cluster.net.cut.clear()
        self.leader = self.chance.choice(others)
        await self.tell()
        await self.messages([self.leader])

    async def change(self) -> None:
        """Members come and go."""
        before = self.members
        while self.members == before:
            self.members = {self.leader, *self.chance.sample(self.others, 2)}
        members = b",".join(b"%d" % member for member in self.members)
        leader = self.cluster[self.leader]
        await leader.configure(self.cluster.channel.update(leader.bundle, members))
        await self.tell()

    async def restart(self) -> None:
        away = self.chance.choice(self.others)
        await self.cluster.close(away)
        if len(self.members - {away}) * 2 > len(self.members):
            await self.messages([self.leader])
        self.cluster.open(away)
        await self.tell()

    async def tell(self) -> None:
        """Tell everybody who leads, once all is quiet."""
        await self.cluster.net.settle()
        self.term += 1
        await self.cluster.lead(self.term, self.leader)


@pytest.mark.parametrize("seed", range(8))
def test_whatever_happens_all_have_the_same_chain(
    channel: Channel, tmp_path: Path, seed: int
) -> None:
    async def tell(cluster: Cluster) -> None:
        for number in EVERYBODY:
            cluster.open(number, channel.genesis)
        await cluster.net.settle()
        fortune = Fortune(cluster, seed)
        for _ in range(12):
            kinds = (fortune.messages, fortune.loss, fortune.change, fortune.restart)
            await fortune.chance.choice(kinds)()
        await fortune.messages([fortune.leader])
        assert not cluster.net.refusals
        chains = [cluster.blocks(number) for number in EVERYBODY]
        assert all(chain == chains[0] for chain in chains)
        check_chain(chains[0])
        for number in EVERYBODY:
            expected = CONSENTER if number in fortune.members else FOLLOWER
            assert cluster[number].standing == expected

    story(channel, tmp_path, tell)


def test_a_leader_waits_when_too_many_blocks_are_not_agreed_on(
    channel: Channel, tmp_path: Path
) -> None:
    async def tell(cluster: Cluster) -> None:
        for number in (1, 2):
            cluster.open(number, channel.genesis)
        await cluster.net.settle()
        cluster.net.cut = {(2, 1)}
        await cluster.order(1, *[b"%d" % number for number in range(MAX_PROPOSED)])
        waiting = asyncio.ensure_future(cluster[1].order(channel.message(b"waits")))
        await turns()
        assert not waiting.done()
        await cluster.lead(2, 2)
        with pytest.raises(ChainHalted):
            await waiting
        assert cluster[1].height == 1

    story(channel, tmp_path, tell)


def test_who_reads_is_told_that_there_is_no_leader(channel: Channel, tmp_path: Path) -> None:
    async def tell(cluster: Cluster) -> None:
        for number in (1, 2):
            cluster.open(number, channel.genesis)
        await cluster.net.settle()
        errored = cluster[2].errored
        assert not errored.is_set()
        await cluster.lead(2, 0)
        assert errored.is_set()
        with pytest.raises(ChainHalted, match="no leader"):
            await cluster[2].order(channel.message(b"for nobody"))
        await cluster.lead(3, 2)
        assert not errored.is_set()
        assert cluster[2].errored is errored

    story(channel, tmp_path, tell)


async def joined_later(cluster: Cluster) -> bytes:
    """Nodes 1 to 3 with some history; return the configuration that makes node 4 a member."""
    for number in (1, 2, 3):
        cluster.open(number, cluster.channel.genesis)
    await cluster.net.settle()
    await cluster.order(1, b"a", b"b")
    await cluster[1].configure(cluster.channel.update(cluster[1].bundle, b"1,2,4"))
    await cluster.order(1, b"c")
    return cluster[1].block(3)


def test_one_that_joins_with_a_later_block_gets_those_before(
    channel: Channel, tmp_path: Path
) -> None:
    async def tell(cluster: Cluster) -> None:
        join_block = await joined_later(cluster)
        cluster.net.cut = {(1, 4)}
        cluster.open(4, join=join_block)
        await cluster.net.settle()
        onboarding = Standing(Relation.CONSENTER, Status.ONBOARDING)
        assert (cluster[4].standing, cluster[4].height, cluster[4].sequence) == (onboarding, 0, 1)
        # It goes on where it was when it is stopped in between.
        await cluster[4].append(channel.genesis)
        await cluster.close(4)
        cluster.net.cut.clear()
        cluster.open(4, join=join_block)
        assert (cluster[4].standing, cluster[4].height, cluster[4].sequence) == (onboarding, 1, 1)
        await cluster.net.settle()
        await cluster.order(4, b"of the new one")
        assert cluster[4].standing == CONSENTER
        assert cluster.blocks(4) == cluster.blocks(1)
        check_chain(cluster.blocks(4))

    story(channel, tmp_path, tell)


def test_another_channels_blocks_are_noticed_at_the_join_block(
    channel: Channel, tmp_path: Path
) -> None:
    async def tell(cluster: Cluster) -> None:
        await joined_later(cluster)
        for number in (1, 2, 3):
            await cluster.close(number)
        other = Cluster(channel, tmp_path / "other")
        join_block = await joined_later(other)
        cluster.open(4, join=join_block)
        for number in (1, 2, 3):
            await other.close(number)
        cluster.open(1)
        mine = cluster.blocks(1)
        for block in mine[:3]:
            await cluster[4].append(block)
        with pytest.raises(BlockRefused, match="which the channel was joined with"):
            await cluster[4].append(mine[3])
        assert cluster[4].height <= 3

    story(channel, tmp_path, tell)


def test_a_channel_without_blocks_needs_a_join_block(channel: Channel, tmp_path: Path) -> None:
    async def tell(cluster: Cluster) -> None:
        with pytest.raises(InputError, match="joined with"):
            cluster.open(1)

    story(channel, tmp_path, tell)


def test_every_consenter_may_sign_what_the_log_decided(channel: Channel, tmp_path: Path) -> None:
    """As in raft: entries are blocks without metadata, and each node writes them for itself."""

    async def tell(cluster: Cluster) -> None:
        for number in (1, 2):
            cluster.open(number, channel.genesis)
        await cluster.net.settle()
        leader = cluster[1]
        messages = [channel.message(name) for name in (b"a", b"b", b"c")]
        log = [leader.create_next([m.encoded]).SerializeToString() for m in messages]
        for node in (cluster[1], cluster[2]):
            # What was applied before a crash is applied again.
            for entry in [*log[:2], *log]:
                node.write(Block.FromString(entry), b"kept")
            await node.drained(0)
        for number in (1, 2):
            check_chain(cluster.blocks(number))
        ours, theirs = (
            [Block.FromString(block) for block in cluster.blocks(number)] for number in (1, 2)
        )
        assert [(it.header, it.data) for it in ours] == [(it.header, it.data) for it in theirs]
        assert ours[1].metadata != theirs[1].metadata

    story(channel, tmp_path, tell)
