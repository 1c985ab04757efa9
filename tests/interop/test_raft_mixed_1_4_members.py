# SPDX-License-Identifier: Apache-2.0
"""Consenters of Fabric 1.4 and ours come, catch up, get other certificates and go.

As it was done in 1.4: a consenter is added to the system channel and to the other one, and begins
with the newest configuration of the system channel.
"""

import asyncio
from pathlib import Path

import pytest

from fastledger.network.plan import Node
from fastledger.protos.orderer.etcdraft.configuration_pb2 import Consenter
from fastledger.protoutil.hashes import header_hash
from membership import INTERVAL_BYTES, OTHER, Story
from mixed_cluster import PATIENCE_S, STORIES_TAKE_AT_MOST_S
from old_cluster import OldCluster
from real_nodes import Nodes, plan_of
from system_channel import SYSTEM, begin_with, begin_with_system_channel
from waiting import until

VERSION = "v1.4.12"
REAL = {"ours": (0, 3), "real": (0, 1, 4)}
"""Which of five are real: of the three that begin most are of the kind that leads, and one of each
kind comes."""

REMOVED = "Current node removed from replica set"


class OldStory(Story):
    """Three consenters of a system channel and of the channel that it makes, to whom two come."""

    messages = 40
    """Leaders of 1.4 keep 20 entries before a snapshot."""

    def __init__(self, folder: Path, kind: str) -> None:
        plan = plan_of(folder, orgs=1, orderers=5)
        nodes = Nodes(plan, {plan.all_orderers[index].name for index in REAL[kind]}, VERSION)
        *self.first, self.fourth, self.fifth = plan.all_orderers
        self.system = OldCluster(nodes, self.first, channel_id=SYSTEM)
        self.system.client = self.system.admins[0]
        super().__init__(OldCluster(nodes, self.first), kind)

    async def told(self) -> None:
        for comer in (self.fourth, self.fifth):
            await self.added(comer)
        await self.caught_up(await self.follower(OTHER[self.kind]))
        await self.rotated(await self.follower(OTHER[self.kind]))
        await self.rotated(await self.leader())
        gone = await self.follower(OTHER[self.kind])
        await self.removed(gone)
        self.nodes.stop()
        whole, part = (self.cluster.stored(one) for one in (self.cluster.members[0], gone))
        assert [header_hash(block.header) for block in part] == [
            header_hash(block.header) for block in whole[: len(part)]
        ]

    async def reconfigured(self, node: Node, *consenters: Consenter) -> None:
        await self.system.reconfigure(node, *consenters)
        await super().reconfigured(node, *consenters)

    async def begin(self, comer: Node, config_block: bytes) -> None:
        del config_block
        block = (await self.system.config_block()).SerializeToString()
        begin_with(self.cluster.plan, block, [comer])
        await asyncio.to_thread(self.nodes.start, comer.name)
        self.system.members.append(comer)

    async def is_out(self, node: Node) -> None:
        if self.nodes.is_real(node):
            await until(lambda: REMOVED in self.nodes.log(node), PATIENCE_S)
        else:
            await super().is_out(node)

    async def is_behind_none(self, node: Node) -> None:
        """Those of 1.4 stand still."""
        if not self.nodes.is_real(node):
            height = await asyncio.to_thread(self.cluster.level)
            await until(lambda: self.cluster.told(node)["height"] == height, PATIENCE_S)

    async def is_there(self, node: Node, why: str) -> None:
        cluster = self.cluster
        await cluster.order(f"{why} {node.name}".encode(), node)
        await asyncio.to_thread(cluster.level)
        await asyncio.to_thread(self.system.level)


@pytest.mark.timeout(STORIES_TAKE_AT_MOST_S)
@pytest.mark.parametrize("kind", REAL)
def test_consenters_come_and_go(tmp_path: Path, kind: str) -> None:
    story = OldStory(tmp_path, kind)
    cluster = story.cluster
    creation = begin_with_system_channel(
        cluster.plan, cluster.client, len(story.first), f"{INTERVAL_BYTES // 1000} KB"
    )

    async def told() -> None:
        assert isinstance(cluster, OldCluster)
        await cluster.created(story.first[0], creation)
        for node in story.first:
            await cluster.order(b"first of " + node.name.encode(), node)
        await story.told()

    try:
        story.nodes.start(*(node.name for node in story.first))
        asyncio.run(told())
        cluster.check_equal()
        chains = [story.system.stored(node) for node in story.system.members]
    finally:
        story.nodes.stop()
    hashes = [[header_hash(block.header) for block in chain] for chain in chains]
    assert all(one == hashes[0] for one in hashes)
