# SPDX-License-Identifier: Apache-2.0
"""Raft orderers are ended by SIGKILL, and suspended, under load: nothing that was seen is lost."""

import asyncio
import itertools
import random
from pathlib import Path

import pytest

from raft_faults import KILLS, SUSPENSIONS, Trial
from raft_network import RaftNetwork
from raft_processes import RaftProcesses


async def campaign(folder: Path, port_base: int, orderers: int, kills: int) -> None:
    """Kill the leader, a follower, a majority and all, in turns, so often in all."""
    processes = RaftProcesses(RaftNetwork(folder, port_base, orderers=orderers))
    trial = Trial(processes, random.Random())
    try:
        await processes.start(*processes.numbers)
        await processes.join()
        async with trial.reading(load=True):
            await trial.all_go_on()
            for name in itertools.cycle(SUSPENSIONS + KILLS):
                if sum(trial.done[kill] for kill in KILLS) == kills:
                    break
                await trial.suffer(getattr(trial, name), name)
        print(await trial.settle())
        await processes.terminate(*processes.numbers)
    finally:
        processes.end()


@pytest.mark.parametrize(("orderers", "kills"), [(3, 4), (5, 4)])
def test_nothing_is_lost_whoever_is_killed(tmp_path: Path, orderers: int, kills: int) -> None:
    asyncio.run(campaign(tmp_path, 7400, orderers, kills))


@pytest.mark.slow
@pytest.mark.parametrize("orderers", [3, 5])
def test_nothing_is_lost_in_150_kills(tmp_path: Path, orderers: int) -> None:
    asyncio.run(campaign(tmp_path, 7400, orderers, 150))


def test_leaders_that_are_stopped_lose_nothing_that_they_took(tmp_path: Path) -> None:
    """What others have handed on to them may still be on its way, and is as lost as in Fabric."""

    async def story() -> None:
        processes = RaftProcesses(RaftNetwork(tmp_path, 7440))
        trial = Trial(processes, random.Random())
        try:
            await processes.start(*processes.numbers)
            await processes.join()
            async with trial.reading(load=True):
                for _ in range(3):
                    await trial.suffer(trial.stop_leader, "orderly stops of the leader")
            print(await trial.settle())
            assert trial.senders.taken_by_stopping
            assert trial.senders.taken_by_stopping <= set(trial.chains.ordered)
            await processes.terminate(*processes.numbers)
        finally:
            processes.end()

    asyncio.run(story())
