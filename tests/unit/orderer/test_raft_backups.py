# SPDX-License-Identifier: Apache-2.0
"""Disks of raft orderers that are lost, or come back from a backup."""

import asyncio
import itertools
import shutil
from pathlib import Path

from fastledger.orderer.consensus.chain import Relation, Standing, Status
from fastledger.protoutil.hashes import header_hash
from raft_network import RaftNetwork, running
from waiting import until

FAILED = Standing(Relation.CONSENTER, Status.FAILED)


def data(network: RaftNetwork, number: int) -> Path:
    return network.node(number).folder / "data"


def restore(copy: Path, folder: Path) -> None:
    shutil.rmtree(folder)
    shutil.copytree(copy, folder)


async def contradict(network: RaftNetwork, copy: Path) -> tuple[int, int, int]:
    """Let a backup of one disk make others agree on another block 2 while an orderer is away.

    Returns:
        The orderer that is away, and whose block 2 was seen, and the two others.
    """
    seen = await network.leader()
    await network.order(seen, b"first")
    await network.level(2)
    away, old = sorted({1, 2, 3} - {seen})
    await network.stop(away)
    await network.stop(old)
    shutil.copytree(data(network, old), copy)
    await network.start(old)
    await network.leader()
    await network.order(old, b"seen")
    await network.level(3)
    await network.stop(seen, old)
    restore(copy, data(network, old))
    await network.start(away, old)
    await network.leader()
    await network.order(old, b"instead")
    await until(lambda: network.contents(away) == [b"first", b"instead"])
    return seen, away, old


def test_one_whose_blocks_contradict_the_others_stops_and_names_both_hashes(tmp_path: Path) -> None:
    """Its log is lost, so that raft itself sees nothing."""

    async def story() -> None:
        network = RaftNetwork(tmp_path / "network", 7640)
        async with running(network):
            seen, away, old = await contradict(network, tmp_path / "copy")
            shutil.rmtree(data(network, seen) / "etcdraft")
            await network.start(seen)
            await until(lambda: network.standing(seen) == FAILED)
            said = str(network[seen].failure)
            assert "there are two blocks 2" in said
            for number in (away, seen):
                assert header_hash(network.blocks(number)[2].header).hex() in said
            # Those who agree go on.
            await network.order(away, b"after")
            await until(lambda: network.contents(old) == [b"first", b"instead", b"after"])

    asyncio.run(story())


def test_one_whose_log_contradicts_the_others_stops(tmp_path: Path) -> None:
    """Raft sees it, or, where two leaders had the same term, the next block tells."""

    async def story() -> None:
        network = RaftNetwork(tmp_path / "network", 7650)
        async with running(network):
            seen, away, _ = await contradict(network, tmp_path / "copy")
            await network.start(seen)
            more = itertools.count()

            async def is_found() -> bool:
                await network.broadcast(away, network.envelope(b"%d" % next(more)))
                return FAILED in map(network.standing, network.nodes)

            await until(is_found)
            failed = [number for number in network.nodes if network.standing(number) == FAILED]
            told = ("two blocks 2", "block 3 follows", "block 3 cannot follow", "relies on entry")
            for number in failed:
                said = str(network[number].failure)
                assert any(text in said for text in told), said

    asyncio.run(story())


def test_a_log_that_is_older_than_the_blocks_is_refused(tmp_path: Path) -> None:
    async def story() -> None:
        network = RaftNetwork(tmp_path / "network", 7660)
        async with running(network):
            leader = await network.leader()
            await network.order(leader, b"first")
            await network.level(2)
            old = sorted({1, 2, 3} - {leader})[0]
            log = data(network, old) / "etcdraft" / "wal"
            await network.stop(old)
            shutil.copytree(log, tmp_path / "copy")
            # As new as the blocks, it is taken.
            await network.start(old)
            await network.leader()
            await network.order(old, b"second")
            await network.level(3)
            await network.stop(old)
            restore(tmp_path / "copy", log)
            await network.start(old)
            assert network.standing(old) == FAILED
            said = str(network[old].failure)
            assert "block 2 was written out of its entry" in said
            assert "it is an old copy" in said
            await network.order(leader, b"by the others")
            await until(lambda: b"by the others" in network.contents(leader))

    asyncio.run(story())


def test_blocks_that_are_older_than_the_log_come_again(tmp_path: Path) -> None:
    async def story() -> None:
        network = RaftNetwork(tmp_path / "network", 7680)
        async with running(network):
            leader = await network.leader()
            await network.order(leader, b"first")
            await network.level(2)
            old = sorted({1, 2, 3} - {leader})[0]
            chains = data(network, old) / "chains"
            await network.stop(old)
            shutil.copytree(chains, tmp_path / "copy")
            await network.start(old)
            await network.leader()
            await network.order(old, b"second")
            await network.level(3)
            await network.stop(old)
            restore(tmp_path / "copy", chains)
            await network.start(old)
            await network.leader()
            await network.order(old, b"third")
            await network.level(4)
            network.check_equal()

    asyncio.run(story())


async def wipe(network: RaftNetwork) -> tuple[int, int, int]:
    """Take a follower's whole disk; return the leader, it, and the third."""
    leader = await network.leader()
    await network.order(leader, b"first")
    await network.level(2)
    wiped, other = sorted({1, 2, 3} - {leader})
    await network.stop(wiped)
    shutil.rmtree(data(network, wiped))
    return leader, wiped, other


def test_one_whose_whole_disk_is_lost_is_told_by_the_leader_who_relies_on_it(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        network = RaftNetwork(tmp_path / "network", 7700)
        async with running(network):
            leader, wiped, other = await wipe(network)
            await network.start(wiped)
            await until(lambda: network.standing(wiped) == FAILED)
            assert "the log was lost or replaced" in str(network[wiped].failure)
            await network.order(leader, b"second")
            await until(lambda: b"second" in network.contents(other))

    asyncio.run(story())


def test_one_whose_whole_disk_is_lost_is_a_joiner_to_a_leader_elected_since(
    tmp_path: Path,
) -> None:
    """Nobody can tell it from a consenter that joins late, as it is named by the first block."""

    async def story() -> None:
        network = RaftNetwork(tmp_path / "network", 7720)
        async with running(network):
            leader, wiped, other = await wipe(network)
            await network.stop(leader)
            await network.start(leader)
            await network.leader()
            await network.order(other, b"second")
            await network.start(wiped)
            await network.level(3)
            network.check_equal()

    asyncio.run(story())
