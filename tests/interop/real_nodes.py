# SPDX-License-Identifier: Apache-2.0
"""Fabric's own commands and nodes, run beside ours."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from fabric_tools import fabric_tool, sample_config
from fastledger.network import channel, identities, processes, settings
from fastledger.network.plan import Node, Org, Plan
from waiting import pause, wait_until

PATIENCE_S = 300
BUILDER = Path(__file__).parent / "ccaas_builder"


@dataclass(frozen=True)
class Commands:
    """Fabric's commands of one version, run in a folder."""

    folder: Path
    version: str
    env: dict[str, str] = field(default_factory=dict)

    def at(self, env: dict[str, str]) -> "Commands":
        """The same with more environment."""
        return Commands(self.folder, self.version, self.env | env)

    def run(self, name: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
        """Run a command and return whatever came of it."""
        command = [str(fabric_tool(name, self.version)), *map(str, arguments)]
        env = clean_environment() | {
            "FABRIC_CFG_PATH": str(sample_config(self.version)),
            **self.env,
        }
        return subprocess.run(
            command, cwd=self.folder, env=env, capture_output=True, text=True, timeout=PATIENCE_S
        )

    def __call__(self, name: str, *arguments: object, expected: int = 0) -> str:
        """Run a command that has to end with an exit code; return what it printed."""
        done = self.run(name, *arguments)
        told = f"{name} {' '.join(map(str, arguments))}\n{done.stdout}{done.stderr}"
        assert done.returncode == expected, told
        return done.stdout + done.stderr

    def answer(self, *arguments: object) -> str:
        """Run ``peer``; return its standard output alone."""
        done = self.run("peer", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


def clean_environment() -> dict[str, str]:
    """The process's environment without what configures nodes."""
    prefixes = ("CORE_", "ORDERER_", "CONFIGTX_", "FABRIC_")
    return {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}


def free_ports(count: int) -> int:
    """Return the first of so many ports in a row that nobody has just now."""
    places = range(21_000, 32_000, count)
    # Two runs at a time should not look for them at the same place.
    start = os.getpid() % len(places)
    for first in (*places[start:], *places[:start]):
        if all(_is_free(port) for port in range(first, first + count)):
            return first
    raise AssertionError(f"there are no {count} free ports in a row")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def answers(port: int) -> bool:
    """Whether somebody listens at a port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def plan_of(folder: Path, **choices: object) -> Plan:
    """Plan a network, with identities and configuration made; nothing runs yet."""
    plan = Plan(folder=folder, port_base=free_ports(3 * 10), **choices)  # type: ignore[arg-type]
    plan.save()
    identities.write(plan)
    channel.write(plan)
    settings.write(plan)
    return plan


def with_mutual_tls(plan: Plan) -> None:
    """Have every node ask for certificates, and show its own."""
    roots = [node.tls_root for node in plan.nodes]
    peer = {
        "CORE_PEER_TLS_CLIENTAUTHREQUIRED": "true",
        "CORE_PEER_TLS_CLIENTROOTCAS_FILES": " ".join(map(str, roots)),
    }
    orderer = {
        "ORDERER_GENERAL_TLS_CLIENTAUTHREQUIRED": "true",
        "ORDERER_GENERAL_TLS_CLIENTROOTCAS": f"[{','.join(map(str, roots))}]",
    }
    for node in plan.nodes:
        more = orderer if node in plan.all_orderers else peer
        with (node.folder / "env").open("a", encoding="utf-8") as file:
            file.writelines(f"{name}={value}\n" for name, value in more.items())


def client_certificate(org: Org, user: str = "User1") -> tuple[Path, Path]:
    """The TLS certificate and key of a user."""
    folder = org.folder / "users" / f"{user}@{org.domain}" / "tls"
    return folder / "client.crt", folder / "client.key"


class Nodes:
    """The nodes of a plan: ours, and Fabric's in the places that are named."""

    def __init__(
        self,
        plan: Plan,
        real: "frozenset[str] | set[str] | Mapping[str, str]" = frozenset(),
        version: str = "v3.1.5",
    ) -> None:
        """Plan them.

        Args:
            plan: The network.
            real: The nodes that are Fabric's, perhaps each with its version.
            version: Of the others that are.
        """
        self.plan = plan
        self._real = real if isinstance(real, Mapping) else dict.fromkeys(real, version)

    def start(self, *names: str) -> None:
        """Start nodes, without names all of them, and wait until they listen."""
        nodes = [node for node in self.plan.nodes if not names or node.name in names]
        for node in nodes:
            self._start(node)
        for node in nodes:
            self._until_up(node)

    def crash(self, *nodes: Node) -> None:
        """End nodes as a power switch would, without arguments ours, and start them again."""
        nodes = nodes or tuple(node for node in self.plan.nodes if node.name not in self._real)
        for node in nodes:
            self.kill(node)
        for node in nodes:
            self._start(node)
        for node in nodes:
            self._until_up(node)

    def is_real(self, node: Node) -> bool:
        return node.name in self._real

    def kill(self, node: Node) -> None:
        """End a node as a power switch would."""
        self.signal(node, signal.SIGKILL)
        # A process that is killed closes its sockets a moment after its state says so.
        wait_until(
            lambda: processes.running(node.folder) is None and not answers(node.port), PATIENCE_S
        )

    def signal(self, node: Node, number: signal.Signals) -> None:
        """Send a node a signal."""
        process = processes.running(node.folder)
        assert process is not None, self.log(node)[-3000:]
        os.kill(process.pid, number)

    def _start(self, node: Node) -> None:
        if node.name in self._real:
            self._start_real(node)
        else:
            command = "orderer start" if node in self.plan.all_orderers else "peer node start"
            processes.start(node.folder, command.split(), settings.read_env(node))

    def _ports(self, node: Node) -> list[int]:
        if node in self.plan.all_orderers and not self.is_of_1(node):
            return [node.port, node.side_port]
        return [node.port]

    def is_of_1(self, node: Node) -> bool:
        """Whether a node is Fabric's of a version that knows no channel participation."""
        return self._real.get(node.name, "").startswith("v1")

    def stop(self) -> None:
        """End all nodes."""
        processes.stop([node.folder for node in self.plan.nodes])

    def log(self, node: Node) -> str:
        """What a node said."""
        return (node.folder / "log").read_text("utf-8", "replace")

    def _start_real(self, node: Node) -> None:
        version = self._real[node.name]
        is_orderer = node in self.plan.all_orderers
        env = settings.read_env(node)
        if is_orderer:
            shutil.copy(sample_config(version) / "orderer.yaml", node.folder)
            env |= cluster_env(node)
            command = [str(fabric_tool("orderer", version))]
        else:
            write_core_yaml(node.folder, version)
            env["CORE_PEER_GOSSIP_BOOTSTRAP"] = ""
            command = [str(fabric_tool("peer", version)), "node", "start"]
        processes.launch(node.folder, command, {"FABRIC_CFG_PATH": str(node.folder)} | env)

    def _until_up(self, node: Node) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not all(answers(port) for port in self._ports(node)):
            ended = processes.running(node.folder) is None
            assert not ended, f"{node.name} ended:\n{self.log(node)[-3000:]}"
            assert time.monotonic() < deadline, f"{node.name}:\n{self.log(node)[-3000:]}"
            pause(0.05, "before the ports are tried again")


def cluster_env(node: Node) -> dict[str, str]:
    """Return what a real orderer needs beside an orderer of ours, which is alone."""
    tls, raft = node.identity / "tls", node.folder / "data" / "etcdraft"
    return {
        "ORDERER_GENERAL_TLS_ROOTCAS": f"[{tls / 'ca.crt'}]",
        "ORDERER_GENERAL_CLUSTER_CLIENTCERTIFICATE": str(tls / "server.crt"),
        "ORDERER_GENERAL_CLUSTER_CLIENTPRIVATEKEY": str(tls / "server.key"),
        # Those of 1.4 trust these while they begin with a later block of a system channel, and look
        # so often whether they have become consenters.
        "ORDERER_GENERAL_CLUSTER_ROOTCAS": f"[{tls / 'ca.crt'}]",
        "ORDERER_GENERAL_CLUSTER_REPLICATIONBACKGROUNDREFRESHINTERVAL": "3s",
        "ORDERER_ADMIN_TLS_ROOTCAS": f"[{tls / 'ca.crt'}]",
        "ORDERER_CONSENSUS_WALDIR": str(raft / "wal"),
        "ORDERER_CONSENSUS_SNAPDIR": str(raft / "snapshot"),
    }


def write_core_yaml(folder: Path, version: str = "v3.1.5", **peer: dict[str, object]) -> None:
    """Write Fabric's sample core.yaml for a peer without Docker, that runs chaincode services."""
    config = yaml.safe_load((sample_config(version) / "core.yaml").read_text("utf-8"))
    config["vm"]["endpoint"] = ""
    # Nobody has the private data of a transaction that names another one's id.
    private = config["peer"]["gossip"]["pvtData"]
    private |= {"pullRetryThreshold": "10ms", "skipPullingInvalidTransactionsDuringCommit": True}
    config["chaincode"]["externalBuilders"] = [{"name": "service", "path": str(BUILDER)}]
    for key, value in peer.items():
        config["peer"][key] |= value
    (folder / "core.yaml").write_text(yaml.safe_dump(config), "utf-8")


def start(command: list[str], folder: Path, env: dict[str, str]) -> "subprocess.Popen[bytes]":
    """Start a node, its output in the folder's ``log``."""
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=folder,
            env=clean_environment() | {"FABRIC_CFG_PATH": str(folder)} | env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


def stop(process: "subprocess.Popen[bytes]") -> None:
    """End a node that was started here."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def running(
    plan: Plan, real: "frozenset[str] | set[str]" = frozenset(), version: str = "v3.1.5"
) -> Iterator[Nodes]:
    """Run a plan's nodes, and end them."""
    nodes = Nodes(plan, real, version)
    try:
        nodes.start()
        yield nodes
    finally:
        nodes.stop()
