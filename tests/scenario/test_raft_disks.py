# SPDX-License-Identifier: Apache-2.0
"""Raft orderers whose disks fill up, or are lost."""

import asyncio
import random
from pathlib import Path

import aiohttp
import pytest

from fastledger.network.plan import HOST
from raft_faults import Trial
from raft_network import RaftNetwork
from raft_processes import RaftProcesses
from small_disks import enlarge, small_disk
from waiting import until

SMALL_MIB, LARGE_MIB = 22, 400
"""A raft log takes 16 MiB from the start."""

LARGE_MESSAGE, LARGE_MESSAGES = 1 << 20, 24


async def health(orderers: RaftProcesses, number: int) -> str:
    url = f"http://{HOST}:{orderers.network.node(number).operations_port}/healthz"
    async with aiohttp.ClientSession() as client, client.get(url) as response:
        return await response.text()


@pytest.mark.parametrize("leads", [False, True])
def test_one_whose_disk_is_full_goes_on_when_there_is_room(tmp_path: Path, leads: bool) -> None:
    """Neither its log nor its block files find room; the others go on meanwhile."""
    orderers = RaftProcesses(RaftNetwork(tmp_path / "network", 7420))
    trial = Trial(orderers, random.Random())

    async def story() -> None:
        await orderers.start(*orderers.numbers)
        await orderers.join()
        leader = await orderers.leader()
        victim = leader if leads else leader % 3 + 1
        await orderers.terminate(victim)
        folder = orderers.network.node(victim).folder / "data"
        with small_disk(folder, tmp_path, SMALL_MIB):
            await orderers.start(victim)
            while leads and await orderers.leader() != victim:
                other = await orderers.leader()
                await orderers.terminate(other)
                await orderers.start(other)
            async with trial.reading():
                for number in range(LARGE_MESSAGES):
                    await orderers.order(b"%d " % (number + 100) * (LARGE_MESSAGE // 4))

                async def is_full() -> bool:
                    return "o space left" in await health(orderers, victim)

                await until(is_full)
                await trial.all_go_on(*(set(orderers.numbers) - {victim}))
                enlarge(folder, LARGE_MIB)
                await trial.all_go_on()
                assert "o space left" not in await health(orderers, victim)
            print(await trial.settle())
            await orderers.terminate(*orderers.numbers)

    try:
        asyncio.run(story())
    finally:
        orderers.end()
