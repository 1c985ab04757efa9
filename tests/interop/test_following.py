# SPDX-License-Identifier: Apache-2.0
"""Orderers that follow: ours a real one, a real one ours, and what both say of it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from consenters import consenter_of, genesis_with, with_addresses, with_consenters
from fastledger.ledger.blockstores import Ledgers
from fastledger.network.plan import Node
from fastledger.protos.common.configtx_pb2 import Config
from following import Story
from real_nodes import Nodes, plan_of
from waiting import wait_until

VERSIONS = ("v3.1.5", "v2.5.15")


@contextmanager
def followed(folder: Path, real: str, version: str) -> Iterator[tuple[Story, Nodes, bytes]]:
    """Run two orderers of one channel, of which one is the consenter and one is real."""
    plan = plan_of(folder, orgs=1, orderers=3)
    story = Story(plan)
    chosen = {"source": story.source, "follower": story.follower}[real]
    nodes = Nodes(plan, {chosen.name}, version)

    def write(config: Config) -> None:
        with_consenters(config, [consenter_of(story.source)])
        with_addresses(config, [story.source.address])

    genesis = genesis_with(plan, write)
    try:
        nodes.start(story.source.name, story.follower.name)
        assert story.admin(story.source).join(genesis).status == 201
        yield story, nodes, genesis
    finally:
        nodes.stop()


def told_of_a_follower(story: Story, join_block: bytes, version: str) -> list[Any]:
    """Everything that one may ask of a follower, and what it says."""
    name = story.plan.channel
    said: list[Any] = [story.answer("join", join_block)]
    wait_until(lambda: story.info()[1].get("height") == 6)
    said += [story.info(), story.answer("channels"), story.answer("join", join_block)]
    if version != "v2.5.15":
        # Asked for an update, a real follower of 3.1.5 refuses, and is locked from then on.
        said += [story.answer("fetch", name, block) for block in ("newest", "0")]
    said += asyncio.run(story.refusals())
    return said


@pytest.mark.parametrize("version", VERSIONS)
def test_ours_and_a_real_one_follow_each_other(tmp_path: Path, version: str) -> None:
    said, ledgers = {}, {}
    for real in ("source", "follower"):
        with followed(tmp_path / real, real, version) as (story, nodes, genesis):
            join_block = asyncio.run(story.history(genesis))
            said[real] = told_of_a_follower(story, join_block, version)
            # What comes later, too, and after a crash.
            asyncio.run(story.order(b"e"))
            wait_until(lambda story=story: story.height(story.follower) == 7)
            nodes.crash(story.follower)
            asyncio.run(story.order(b"f"))
            wait_until(lambda story=story: story.height(story.follower) == 8)
            said[real].append(story.info())
            nodes.stop()
            ledgers[real] = [
                stored(node, story.plan.channel) for node in (story.source, story.follower)
            ]
            nodes.start(story.follower.name)
            said[real].append(story.answer("remove", story.plan.channel))
            wait_until(lambda story=story: story.info()[0] == 404)
            said[real].append(story.info())
    assert said["source"] == said["follower"]
    for of_source, of_follower in ledgers.values():
        assert len(of_source) == 8
        assert of_source == of_follower


def stored(node: Node, channel_id: str) -> list[bytes]:
    """The blocks on an orderer's disk, as they are read and encoded anew."""
    store = Ledgers(node.folder / "data").open(channel_id)
    try:
        return [store.block(number) for number in range(store.height)]
    finally:
        store.close()
