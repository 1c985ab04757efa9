# SPDX-License-Identifier: Apache-2.0
"""Three raft orderers in one process: whole nodes with TLS, from elections to lost leaders."""

import asyncio
from pathlib import Path

import pytest

from consenting import run
from fastledger.orderer.blockwriter import consenter_metadata
from fastledger.orderer.consensus.chain import Relation, Standing, Status
from fastledger.orderer.consensus.etcdraft.beginning import kept_by
from fastledger.protos.common.common_pb2 import Status as BroadcastStatus
from raft_network import RaftNetwork, running
from system_channel import begin_with_system_channel
from waiting import until

ACTIVE = Standing(Relation.CONSENTER, Status.ACTIVE)


@pytest.fixture
def network(tmp_path: Path) -> RaftNetwork:
    return RaftNetwork(tmp_path, 7300)


def test_three_orderers_order_together(network: RaftNetwork) -> None:
    async def story() -> None:
        async with running(network):
            leader = await network.leader()
            for number in (1, 2, 3):
                await network.order(number, b"at %d" % number)
            await until(lambda: len(network.contents(leader)) == 3)
            await network.level()
            assert sorted(network.contents(leader)) == [b"at 1", b"at 2", b"at 3"]
            network.check_equal()
            for number in (1, 2, 3):
                assert network[number].standing == ACTIVE
                assert not network[number].errored.is_set()
            # As a real cluster: three consenters, a leader's no-op, then the first block.
            kept = [kept_by(block) for block in network.blocks(leader)[1:]]
            assert kept[0] is not None
            assert list(kept[0].consenter_ids) == [1, 2, 3]
            assert (kept[0].next_consenter_id, kept[0].raft_index) == (4, 5)
            assert consenter_metadata(network.blocks(leader)[0]) == b""

    run(story())


def test_another_leads_when_the_leader_is_gone(network: RaftNetwork) -> None:
    async def story() -> None:
        async with running(network):
            first = await network.leader()
            await network.order(first, b"before")
            await network.level(2)
            await network.stop(first)
            others = sorted(network.nodes)
            # A message waits for the next leader.
            await network.order(others[0], b"meanwhile")
            second = await network.leader(other_than=first)
            await network.order(others[1], b"after")
            await until(lambda: len(network.contents(second)) == 3)
            await network.start(first)
            await network.leader()
            await network.level()
            network.check_equal()
            assert sorted(network.contents(first)) == [b"after", b"before", b"meanwhile"]

    run(story())


def test_without_a_majority_there_is_no_leader(network: RaftNetwork) -> None:
    async def story() -> None:
        async with running(network):
            first = await network.leader()
            others = [number for number in (1, 2, 3) if number != first]
            await network.stop(*others)
            errored = network[first].errored
            await asyncio.wait_for(errored.wait(), 60)
            response = await network.broadcast(first, network.envelope(b"for nobody"))
            assert response.status == BroadcastStatus.SERVICE_UNAVAILABLE
            assert response.info == "no Raft leader"
            await network.start(others[0])
            await network.leader()
            assert not network[first].errored.is_set()
            await network.order(others[0], b"for two")
            await network.level(2)
            network.check_equal()

    run(story())


def test_all_stop_and_go_on_where_they_were(network: RaftNetwork) -> None:
    async def story() -> None:
        async with running(network):
            leader = await network.leader()
            await network.order(leader, b"a")
            await network.level(2)
            await network.stop()
            await network.start()
            leader = await network.leader()
            await network.order(leader, b"b")
            height = await network.level(3)
            assert network.contents(leader) == [b"a", b"b"]
            assert height == 3
            network.check_equal()

    run(story())


def test_a_system_channel_of_raft_makes_channels(network: RaftNetwork) -> None:
    """Whichever orderer is asked, all have the channel then, also after a restart."""

    async def story(asked: int) -> None:
        numbers = range(1, 4)
        for number in numbers:
            await network.start_without_joining(number)
        try:
            await until(lambda: is_made(asked))
            await until(
                lambda: all(network.channels(one) == [network.channel_id] for one in numbers)
            )
            leader = await network.leader()
            await network.order(asked, b"in the new channel")
            await until(lambda: network.contents(leader) == [b"in the new channel"])
            await network.stop()
            for number in numbers:
                await network.start_without_joining(number)
                assert network.channels(number) == [network.channel_id]
            await network.leader()
            await network.level(2)
            network.check_equal()
        finally:
            await network.stop()

    async def is_made(asked: int) -> bool:
        response = await network.broadcast(asked, creation.SerializeToString())
        made = network.channel_id in network.channels(asked)
        return made or response.status == BroadcastStatus.SUCCESS

    creation = begin_with_system_channel(network.plan, network.client)
    run(story(asked=2))
