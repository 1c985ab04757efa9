# SPDX-License-Identifier: Apache-2.0
"""Raft clusters whose consenters come, go, fall behind, forget, and get other certificates."""

import shutil
from pathlib import Path

import pytest

from consenting import run
from fastledger.orderer.consensus.chain import Relation, Standing, Status
from fastledger.orderer.consensus.etcdraft.beginning import kept_by
from fastledger.orderer.consensus.etcdraft.chain import RaftChain
from fastledger.orderer.consensus.etcdraft.single import SingleConsenterChain
from fastledger.orderer.consensus.follower.chain import FollowerChain
from fastledger.protos.common.common_pb2 import Status as BroadcastStatus
from raft_changes import accepted, join_later, network_of, reconfigure
from raft_network import RaftNetwork, chain_of, running
from system_channel import SYSTEM, begin_with, begin_with_system_channel
from waiting import until

CONSENTER = Standing(Relation.CONSENTER, Status.ACTIVE)


def test_a_channel_of_one_grows_to_three_and_shrinks(tmp_path: Path) -> None:
    async def story() -> None:
        network = network_of(tmp_path, 7500, [1])
        async with running(network, 1):
            await network.order(1, b"alone")
            assert isinstance(chain_of(network[1]), SingleConsenterChain)
            for comer in (2, 3):
                await accepted(network, 1, *range(1, comer + 1))
                await network.start_without_joining(comer)
                join_later(network, comer, 1)
                await until(lambda comer=comer: network.standing(comer) == CONSENTER)
                await network.leader()
                await network.order(comer, b"of %d" % comer)
                await until(lambda comer=comer: b"of %d" % comer in network.contents(1))
            assert isinstance(chain_of(network[1]), RaftChain)
            await network.level()
            network.check_equal()
            kept = kept_by(network.blocks(1)[-1])
            assert kept is not None
            assert (list(kept.consenter_ids), kept.next_consenter_id) == ([1, 2, 3], 4)
            # One goes: it follows from now on.
            leader = await network.leader()
            gone = next(number for number in (2, 3) if number != leader)
            stay = sorted({1, 2, 3} - {gone})
            await accepted(network, stay[0], *stay)
            await until(lambda: isinstance(network.chain(gone), FollowerChain), 120)
            await network.order(stay[0], b"without it")
            await until(lambda: network.height(gone) == network[stay[0]].height)

    run(story())


def test_a_leader_that_is_taken_out_hands_over_first(tmp_path: Path) -> None:
    async def story() -> None:
        network = network_of(tmp_path, 7520, [1, 2, 3])
        async with running(network):
            leader = await network.leader()
            stay = sorted({1, 2, 3} - {leader})
            await accepted(network, leader, *stay)
            await until(lambda: isinstance(network.chain(leader), FollowerChain))
            await network.order(stay[0], b"after")
            await until(lambda: network.contents(stay[1]) == [b"after"])

    run(story())


def test_too_few_would_be_left(tmp_path: Path) -> None:
    async def story() -> None:
        network = network_of(tmp_path, 7540, [1, 2, 3])
        async with running(network):
            leader = await network.leader()
            others = sorted({1, 2, 3} - {leader})
            await until(lambda: len(network.chain(leader)._tracker.active) == 3)
            await network.stop(others[0])
            await until(lambda: len(network.chain(leader)._tracker.active) == 2)
            # Who is there may not go while the other is away.
            said = await reconfigure(network, leader, leader, others[0])
            assert "2 out of 3 nodes are alive, configuration will result in quorum loss" in said
            await accepted(network, leader, leader, others[1])

    run(story())


def test_one_that_was_away_for_long_catches_up_by_a_snapshot(tmp_path: Path) -> None:
    async def story() -> None:
        network = network_of(tmp_path, 7560, [1, 2, 3], interval=20_000)
        async with running(network):
            leader = await network.leader()
            await network.order(leader, b"before")
            await network.level(2)
            away = sorted({1, 2, 3} - {leader})[0]
            await network.stop(away)
            for number in range(40):
                await network.order(leader, b"%d" % number * 2000)
                await until(lambda number=number: network[leader].height > number + 2)
            node = network.chain(leader)._node
            await until(lambda: node.first_index > 10)
            await network.start(away)
            await network.leader()
            await network.level()
            network.check_equal()
            await network.order(away, b"after")
            await until(lambda: b"after" in network.contents(away))

    run(story())


def test_a_lost_log_is_not_begun_again(tmp_path: Path) -> None:
    async def story() -> None:
        network = network_of(tmp_path, 7580, [1, 2, 3])
        async with running(network):
            leader = await network.leader()
            await network.order(leader, b"before")
            await network.level(2)
            lost = sorted({1, 2, 3} - {leader})[0]
            await network.stop(lost)
            shutil.rmtree(network.node(lost).folder / "data" / "etcdraft" / "wal")
            await network.start(lost)
            assert network[lost].standing == Standing(Relation.CONSENTER, Status.FAILED)
            assert "it must not vote again under this number" in str(network[lost].failure)
            response = await network.broadcast(lost, network.envelope(b"for it"))
            assert response.status == BroadcastStatus.SERVICE_UNAVAILABLE
            await network.order(leader, b"by the others")
            await until(lambda: b"by the others" in network.contents(leader))
            # Removed here and from the configuration, and added again, it has another number.
            await network.nodes[lost].registrar.remove(network.channel_id)
            stay = sorted({1, 2, 3} - {lost})
            await accepted(network, leader, *stay)
            await accepted(network, leader, *stay, lost)
            await until(lambda: network.channel_id not in network.channels(lost))
            join_later(network, lost, leader)
            await until(lambda: network.standing(lost) == CONSENTER)
            await until(lambda: network.height(lost) == network[leader].height)
            kept = kept_by(network.blocks(leader)[-1])
            assert kept is not None
            assert list(kept.consenter_ids) == [*stay, 4]

    run(story())


def test_one_that_left_and_came_back_while_it_was_away(tmp_path: Path) -> None:
    """It has another number now, and learns that from the others."""

    async def story() -> None:
        network = network_of(tmp_path, 7600, [1, 2, 3])
        async with running(network):
            leader = await network.leader()
            await network.level()
            away = sorted({1, 2, 3} - {leader})[0]
            stay = sorted({1, 2, 3} - {away})
            await network.stop(away)
            await accepted(network, leader, *stay)
            await accepted(network, leader, *stay, away)
            await network.order(leader, b"meanwhile")
            await network.start(away)
            await until(lambda: network.member(away) == 4)
            await network.order(away, b"of the fourth")
            await until(lambda: b"of the fourth" in network.contents(away))
            await network.level()
            network.check_equal()

    run(story())


@pytest.mark.parametrize("kills", [4])
def test_it_is_the_same_chain_whoever_comes_and_goes(tmp_path: Path, kills: int) -> None:
    async def story() -> None:
        network = network_of(tmp_path, 7620, [1, 2, 3])
        async with running(network):
            for number in range(kills):
                leader = await network.leader()
                await network.order(leader, b"%d" % number)
                await network.stop(leader)
                others = sorted(network.nodes)
                # What is handed on to one that ends without a successor may be lost.
                await network.leader(other_than=leader)
                await network.order(others[0], b"without %d" % number)
                await network.start(leader)
                await network.leader()
            await network.level()
            network.check_equal()
            contents = network.contents(1)
            assert len(contents) == len(set(contents))
            assert {b"without %d" % number for number in range(kills)} <= set(contents)

    run(story())


def test_one_begins_with_the_newest_configuration_of_a_system_channel(tmp_path: Path) -> None:
    """As with Fabric 1.4: the blocks of both channels are pulled, and the other one begins so."""

    async def added() -> None:
        for channel_id in (SYSTEM, made):
            network.channel_id = channel_id
            await accepted(network, 1, 1, 2, 3)

    async def story() -> None:
        creation = begin_with_system_channel(network.plan, network.client, 2)
        for number in (1, 2):
            await network.start_without_joining(number)
        try:
            await until(lambda: is_made(creation.SerializeToString()))
            await until(lambda: all(network.channels(one) == [made] for one in (1, 2)))
            await network.leader()
            await network.order(1, b"before")
            await added()
            await network.order(1, b"since")
            newest = network.nodes[1].registrar.fetch(SYSTEM, "config")
            begin_with(network.plan, newest, [network.node(3)])
            await network.start_without_joining(3)
            for _ in range(2):
                await until(lambda: network.channels(3) == [made])
                await until(lambda: network.standing(3) == CONSENTER)
                await network.level(4)
                await network.stop(3)
                await network.start_without_joining(3)
            await network.order(3, b"of the third")
            await until(lambda: b"of the third" in network.contents(3))
            network.channel_id = SYSTEM
            await network.level(3)
            network.check_equal()
        finally:
            await network.stop()

    async def is_made(creation: bytes) -> bool:
        response = await network.broadcast(1, creation)
        return made in network.channels(1) or response.status == BroadcastStatus.SUCCESS

    network = RaftNetwork(tmp_path, 7960)
    made = network.channel_id
    run(story())
