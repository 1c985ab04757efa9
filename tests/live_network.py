# SPDX-License-Identifier: Apache-2.0
"""A network in processes of its own, brought up by ``fastledger up``, and what goes on in it."""

import copy
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from fastledger.network import lifetime, processes
from fastledger.network.plan import Node, Plan
from waiting import wait_until

COMMAND_TIMEOUT_S = 120
DEADLINE_S = 60
PORTS = 16


class Network:
    """A folder with a network."""

    def __init__(self, folder: Path, **environ: str) -> None:
        """Prepare a network whose nodes see these variables, too."""
        self.folder = folder
        self._environ = environ
        self._base = free_port_base()

    def seeing(self, **environ: str) -> "Network":
        """The same network, for commands that see these variables, too."""
        other = copy.copy(self)
        other._environ = {**self._environ, **environ}
        return other

    @property
    def plan(self) -> Plan:
        return Plan.load(self.folder)

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "fastledger", *arguments],
            cwd=self.folder,
            env={**os.environ, **self._environ},
            check=False,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
        )

    def ok(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def up(self, *arguments: str) -> None:
        self.ok("up", "--port-base", str(self._base), *arguments)

    def restart(self) -> None:
        """Start the nodes that do not run, and wait until they serve."""
        for node in lifetime.start(self.plan):
            wait_until(lambda node=node: answers(node.port))

    def kill(self, node: Node) -> None:
        """End a node as a power switch would."""
        process = processes.running(node.folder)
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
        wait_until(lambda: not process.alive)

    def kill_chaincode(self, peer: Node) -> int:
        """End the processes of a peer's chaincodes; return how many there were."""
        process = processes.running(peer.folder)
        ended = 0
        for pid in _descendants(process.pid) if process else ():
            try:
                os.kill(pid, signal.SIGKILL)
                ended += 1
            except ProcessLookupError:
                continue
        return ended

    def resident_bytes(self) -> dict[str, int]:
        """Return how much memory each node has, without its chaincode."""
        found = {}
        for node in self.plan.nodes:
            process = processes.running(node.folder)
            assert process is not None, f"{node.name} has ended"
            pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
            found[node.name] = pages * os.sysconf("SC_PAGE_SIZE")
        return found

    def pids(self) -> dict[str, int]:
        """Return each node's process; it must run."""
        found = {}
        for node in self.plan.nodes:
            process = processes.running(node.folder)
            assert process is not None, f"{node.name} has ended"
            found[node.name] = process.pid
        return found


def _descendants(pid: int) -> list[int]:
    """Return the processes below one, children first."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text("utf-8", "replace").rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(status.parent.name)] = int(fields[1])
    found, level = [], [pid]
    while level:
        level = [child for child, parent in parents.items() if parent in level]
        found += level
    return found


def answers(port: int) -> bool:
    """Whether somebody listens."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port_base() -> int:
    """The first of some ports in a row that nobody has."""
    for base in range(20_000 + os.getpid() % 400 * 25, 32_000, PORTS):
        probes = [socket.socket() for _ in range(PORTS)]
        try:
            for place, probe in enumerate(probes):
                probe.bind(("127.0.0.1", base + place))
        except OSError:
            continue
        finally:
            for probe in probes:
                probe.close()
        return base
    raise AssertionError("no free ports")
