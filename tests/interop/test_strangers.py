# SPDX-License-Identifier: Apache-2.0
"""What strangers cost a peer of ours and one of Fabric, by the same attacks in one run."""

import re
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest

from attackers import ATTACKS, ENDORSER
from fastledger.network import processes
from fastledger.network.plan import Node
from real_nodes import Nodes, plan_of

ATTACK_S = 6.0
AFTER_S = 4.0
PROCESSES = 2
"""Attackers at a time: the machines that run this have few processors."""

PAUSE_S = 0.1
TIMEOUT_S = 15.0
MIB = 1 << 20

ALLOWANCE_MIB = 48
"""How much more than Fabric's peer ours may grow: allocators round differently."""

ALLOWANCE_CALLS = 1
"""How many more calls may fail: one that is under way when its connection is needed."""


@dataclass
class Honest:
    """A client that calls ten times a second, each second time on a new connection."""

    port: int
    roots: bytes
    answered: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def run(self, stop: threading.Event) -> None:
        lasting = self._channel()
        at = 0
        while not stop.wait(PAUSE_S):
            at += 1
            if at % 2:
                self._call(lasting)
                continue
            with self._channel() as fresh:
                self._call(fresh)
        lasting.close()

    def _channel(self) -> grpc.Channel:
        options = [("grpc.use_local_subchannel_pool", 1)]
        credentials = grpc.ssl_channel_credentials(self.roots)
        return grpc.secure_channel(f"localhost:{self.port}", credentials, options)

    def _call(self, channel: grpc.Channel) -> None:
        began = time.monotonic()
        try:
            channel.unary_unary(ENDORSER)(b"", timeout=TIMEOUT_S)
        except grpc.RpcError as error:
            # It asks nothing that could be answered well; what counts is that its call was read.
            if error.code() is not grpc.StatusCode.UNKNOWN or "limit" in (error.details() or ""):
                self.refused.append(f"{error.code().name}: {error.details()}")
                return
        self.answered.append(time.monotonic() - began)

    def median(self) -> float:
        ordered = sorted(self.answered)
        return ordered[len(ordered) // 2] if ordered else float("inf")


@dataclass
class Cost:
    """What an attack did to a peer; memory in MiB, times in seconds."""

    before: float
    peak: float
    after: float
    answered: int
    refused: list[str]
    median: float
    longest: float

    def __str__(self) -> str:
        memory = f"{self.before:5.0f}>{self.peak:5.0f}>{self.after:5.0f}"
        times = f"{self.median * 1e3:7.0f}/{self.longest * 1e3:6.0f}"
        return f"{memory} MiB {self.answered:4} ok {len(self.refused):3} refused {times} ms"


def memory_of(node: Node) -> float:
    """The memory that a node's process has now, in MiB."""
    process = processes.running(node.folder)
    assert process is not None, f"{node.name} does not run"
    status = Path(f"/proc/{process.pid}/status").read_text("ascii")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found, status
    return int(found[1]) / 1024


def cost(node: Node, attack: str) -> Cost:
    """Attack a node while an honest client uses it."""
    honest, stop = Honest(node.port, node.tls_root.read_bytes()), threading.Event()
    client = threading.Thread(target=honest.run, args=(stop,))
    before = peak = memory_of(node)
    script = Path(__file__).parents[1] / "attackers.py"
    command = [sys.executable, script, attack, str(node.port), str(node.tls_root), str(ATTACK_S)]
    attackers = [subprocess.Popen(command) for _ in range(PROCESSES)]
    client.start()
    try:
        until = time.monotonic() + ATTACK_S
        while time.monotonic() < until:
            peak = max(peak, memory_of(node))
            time.sleep(PAUSE_S)
    finally:
        stop.set()
        client.join()
        for attacker in attackers:
            attacker.kill()
            attacker.wait()
    time.sleep(AFTER_S)
    after = memory_of(node)
    longest = max(honest.answered, default=float("inf"))
    return Cost(before, peak, after, len(honest.answered), honest.refused, honest.median(), longest)


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_strangers_cost_no_more_than_they_cost_fabrics_peer(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    theirs, ours = (node for node in plan.nodes if node is not plan.orderer)
    nodes = Nodes(plan, {theirs.name})
    worse = []
    try:
        nodes.start(ours.name, theirs.name)
        # Either keeps some of what an attack cost it; growth is told from a fresh peer's memory.
        fresh = {node.name: memory_of(node) for node in (theirs, ours)}
        for attack in ATTACKS:
            costs = {node.name: cost(node, attack) for node in (theirs, ours)}
            print(f"{attack:26} Fabric {costs[theirs.name]}", flush=True)
            print(f"{'':26} ours   {costs[ours.name]}", flush=True)
            real, mine = costs[theirs.name], costs[ours.name]
            if mine.peak - fresh[ours.name] > real.peak - fresh[theirs.name] + ALLOWANCE_MIB:
                worse.append(f"{attack}: memory")
            if len(mine.refused) > len(real.refused) + ALLOWANCE_CALLS or not mine.answered:
                worse.append(f"{attack}: {mine.refused[:3]}")
    finally:
        nodes.stop()
    assert not worse
