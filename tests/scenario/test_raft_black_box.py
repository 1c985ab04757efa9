# SPDX-License-Identifier: Apache-2.0
"""Raft orderers whose links part, lag and break while orderers die: nothing that was seen is lost.

A seed chooses all faults; it is printed, and `FASTLEDGER_SEED` gives it again. What happens at
which moment depends on the machine as well.
"""

import asyncio
import os
import random
import time
from pathlib import Path

import pytest

from consenters import consenter_of, genesis_with, with_addresses, with_consenters
from fastledger.protos.common.configtx_pb2 import Config
from links import Links
from raft_faults import Trial, Weather
from raft_network import RaftNetwork
from raft_processes import RaftProcesses


async def black_box(folder: Path, port_base: int, orderers: int, seconds: float) -> None:
    """Have storms for so long."""
    seed = int(os.environ.get("FASTLEDGER_SEED") or random.getrandbits(32))
    print(f"FASTLEDGER_SEED={seed}")
    network = RaftNetwork(folder, port_base, orderers=orderers)
    processes = RaftProcesses(network)
    ports = {number: network.node(number).port for number in processes.numbers}
    links = Links(ports, processes.process_id)
    async with links.serving():
        network.plan.genesis_block.write_bytes(_genesis_with_links(network, links))
        trial = Trial(processes, random.Random(seed))
        try:
            await processes.start(*processes.numbers)
            await processes.join()
            async with trial.reading(load=True):
                await trial.all_go_on()
                weather = Weather(trial, links)
                end = time.monotonic() + seconds
                while time.monotonic() < end:
                    await weather.storm()
            print(await trial.settle())
            await processes.terminate(*processes.numbers)
        finally:
            processes.end()


def _genesis_with_links(network: RaftNetwork, links: Links) -> bytes:
    """Have the orderers know each other by the links' addresses."""

    def write(config: Config) -> None:
        consenters = [consenter_of(network.node(number)) for number in links.addresses]
        for consenter, port in zip(consenters, links.addresses.values(), strict=True):
            consenter.port = port
        with_consenters(config, consenters)
        with_addresses(config, [f"127.0.0.1:{port}" for port in links.addresses.values()])

    return genesis_with(network.plan, write)


def test_nothing_is_lost_in_storms(tmp_path: Path) -> None:
    asyncio.run(black_box(tmp_path, 7700, 3, 20))


@pytest.mark.slow
@pytest.mark.parametrize("orderers", [3, 5])
def test_nothing_is_lost_in_half_an_hour_of_storms(tmp_path: Path, orderers: int) -> None:
    asyncio.run(black_box(tmp_path, 7700, orderers, 1800))
