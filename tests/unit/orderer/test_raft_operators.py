# SPDX-License-Identifier: Apache-2.0
"""What operators of raft orderers met with elsewhere; docs/rooms/orderer.md lists all of it."""

import asyncio
import shutil
from pathlib import Path

from fastledger.orderer.consensus.chain import Relation, Standing, Status
from node_certificates import another, give
from raft_changes import accepted, network_of
from raft_network import RaftNetwork, running
from waiting import until

FAILED = Standing(Relation.CONSENTER, Status.FAILED)


def test_the_certificate_of_one_that_is_away_is_changed_and_it_comes_back(tmp_path: Path) -> None:
    async def story() -> None:
        network = network_of(tmp_path, 7740, [1, 2, 3])
        async with running(network):
            leader = await network.leader()
            await network.order(leader, b"before")
            await network.level(2)
            away = sorted({1, 2, 3} - {leader})[0]
            await network.stop(away)
            await until(lambda: len(network.chain(leader)._tracker.active) == 2)
            give(network.node(away), another(network.plan))
            await accepted(network, leader, 1, 2, 3)
            await network.start(away)
            await network.level(3)
            await until(lambda: network.member(away) == away)
            await network.order(away, b"with the other key")
            await until(lambda: b"with the other key" in network.contents(away))

    asyncio.run(story())


def test_blocks_that_end_before_the_logs_snapshot_are_pulled(tmp_path: Path) -> None:
    async def story() -> None:
        network = network_of(tmp_path / "network", 7760, [1, 2, 3], interval=10_000)
        async with running(network):
            leader = await network.leader()
            await network.order(leader, b"first")
            await network.level(2)
            old = sorted({1, 2, 3} - {leader})[0]
            chains = network.node(old).folder / "data" / "chains"
            await network.stop(old)
            shutil.copytree(chains, tmp_path / "copy")
            await network.start(old)
            await network.leader()
            for number in range(20):
                await network.order(leader, b"%d" % number * 2000)
                await network.level(number + 3)
            assert network.chain(old)._node.first_index > 6
            await network.stop(old)
            shutil.rmtree(chains)
            shutil.copytree(tmp_path / "copy", chains)
            await network.start(old)
            await network.leader()
            await network.order(old, b"last")
            await network.level(23)
            network.check_equal()

    asyncio.run(story())


def test_an_entry_that_is_no_block_ends_the_channel_and_not_the_orderer(tmp_path: Path) -> None:
    """A leader that lies is believed by raft; what it made agreed on is not repaired by guesses."""

    async def story() -> None:
        network = RaftNetwork(tmp_path, 7780)
        async with running(network):
            leader = await network.leader()
            network.chain(leader)._node.propose(b"\xff")
            network.chain(leader)._driver.wake()
            await until(lambda: network.standing(leader) == FAILED)
            assert "an entry of the raft log holds no block" in str(network[leader].failure)
            assert network.channels(leader) == [network.channel_id]

    asyncio.run(story())
