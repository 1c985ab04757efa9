# SPDX-License-Identifier: Apache-2.0
"""``fastledger up --orderers 3``: a Raft cluster, of which any one node may be gone."""

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastledger.network import processes
from fastledger.network.plan import Node
from live_network import Network
from waiting import wait_until

_LINE = re.compile(
    r"(?P<name>orderer\d*)\.\S+ +\S+ +running, pid \d+, (?P<part>leader|follows (?P<leader>\w+)), "
    r"term (?P<term>\d+), log (?P<log>\d+), (?P<height>\d+) blocks of mychannel"
)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """A network of three orderers and one organization."""
    found = Network(tmp_path_factory.mktemp("cluster"))
    try:
        found.up("--orderers", "3", "--orgs", "1")
        yield found
    finally:
        found.run("down", "--clean")


def orderers(network: Network) -> dict[str, dict[str, str]]:
    """What status shows of the orderers that run and have a leader."""
    shown = network.run("status").stdout.splitlines()
    matches = [match for line in shown if (match := _LINE.match(line))]
    return {match["name"]: match.groupdict() for match in matches}


def leader(network: Network) -> Node:
    """The orderer that leads, in everybody's eyes."""
    running = [one for one in network.plan.all_orderers if processes.running(one.folder)]

    def agreed() -> Node | None:
        found = orderers(network)
        names = {one["leader"] or one["name"] for one in found.values()}
        if len(found) < len(running) or len(names) != 1:
            return None
        return next(one for one in running if one.name.startswith(f"{names.copy().pop()}."))

    wait_until(agreed)
    node = agreed()
    assert node is not None
    return node


def write(network: Network, key: str) -> None:
    network.ok("invoke", "CreateAsset", key, "red", "1", "Ann", "2")
    assert json.loads(network.ok("query", "ReadAsset", key))["ID"] == key


def level(network: Network) -> bool:
    """Whether all orderers have the same blocks."""
    found = orderers(network)
    return len(found) == 3 and len({one["height"] for one in found.values()}) == 1


def test_all_orderers_have_all_blocks_and_agree_on_who_leads(network: Network) -> None:
    write(network, "first")
    leader(network)
    wait_until(lambda: level(network))
    found = orderers(network)
    assert [one["part"] for one in found.values()].count("leader") == 1
    assert len({one["term"] for one in found.values()}) == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_it_goes_on_without_its_leader(network: Network, number: signal.Signals) -> None:
    gone = leader(network)
    process = processes.running(gone.folder)
    assert process is not None
    os.kill(process.pid, number)
    began = time.monotonic()
    write(network, f"without-{number.name}")
    print(f"{number.name}: written after {time.monotonic() - began:.2f} s")
    if number is signal.SIGSTOP:
        os.kill(process.pid, signal.SIGCONT)
    else:
        wait_until(lambda: not process.alive)
        network.restart()
    write(network, f"after-{number.name}")
    wait_until(lambda: level(network))


def test_state_is_kept_from_down_to_up(network: Network, tmp_path: Path) -> None:
    write(network, "kept")
    before = {name: int(one["height"]) for name, one in orderers(network).items()}
    network.ok("down")
    network.up("--orderers", "3", "--orgs", "1")
    assert json.loads(network.ok("query", "ReadAsset", "kept"))["ID"] == "kept"
    write(network, "more")
    wait_until(lambda: level(network))
    assert all(int(one["height"]) > before[name] for name, one in orderers(network).items())


def test_another_number_of_orderers_is_refused(network: Network) -> None:
    done = network.run("up", "--orderers", "5")
    assert done.returncode == 2
    assert "was made with --orderers 3, not 5" in done.stderr
