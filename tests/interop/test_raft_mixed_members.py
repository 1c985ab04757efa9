# SPDX-License-Identifier: Apache-2.0
"""Consenters of both kinds come, fall behind, get other certificates and go, led by either kind."""

import asyncio
from pathlib import Path

import pytest

from consenters import genesis_with, with_consenters, with_snapshots
from fastledger.protos.common.configtx_pb2 import Config
from membership import BY_SNAPSHOT, INTERVAL_BYTES, OTHER, Story
from mixed_cluster import STORIES_TAKE_AT_MOST_S, Cluster
from real_nodes import Nodes, plan_of

REAL = {"ours": (1, 3), "real": (0, 2, 4)}
"""Which of five are real, so that the three that begin are mostly of the kind that leads."""


class Whole(Story):
    """Three consenters of a channel, to whom two come."""

    def __init__(self, folder: Path, kind: str, version: str) -> None:
        plan = plan_of(folder, orgs=1, orderers=5)
        names = {plan.all_orderers[index].name for index in REAL[kind]}
        *self.first, self.fourth, self.fifth = plan.all_orderers
        super().__init__(Cluster(Nodes(plan, names, version), self.first), kind)

    async def told(self) -> None:
        for comer in (self.fourth, self.fifth):
            await self.added(comer)
            assert BY_SNAPSHOT in self.nodes.log(comer)
        for kind in REAL:
            await self.caught_up(await self.follower(kind))
        for kind in REAL:
            await self.rotated(await self.follower(kind))
        await self.rotated(await self.leader())
        await self.removed(await self.leader())
        await self.removed(await self.follower(OTHER[self.kind]))
        await asyncio.to_thread(self.cluster.level, self.cluster.plan.all_orderers)


@pytest.mark.timeout(STORIES_TAKE_AT_MOST_S)
@pytest.mark.parametrize(
    ("kind", "version"),
    [
        ("ours", "v3.1.5"),
        ("real", "v2.5.15"),
        pytest.param("real", "v3.1.5", marks=pytest.mark.slow),
        pytest.param("ours", "v2.5.15", marks=pytest.mark.slow),
    ],
)
def test_consenters_come_and_go(tmp_path: Path, kind: str, version: str) -> None:
    story = Whole(tmp_path, kind, version)

    def write(config: Config) -> None:
        with_consenters(config, story.consenters())
        with_snapshots(config, INTERVAL_BYTES)

    try:
        story.nodes.start(*(node.name for node in story.first))
        story.cluster.join(genesis_with(story.cluster.plan, write))
        asyncio.run(story.told())
        story.cluster.check_equal(*story.cluster.plan.all_orderers)
    finally:
        story.nodes.stop()
