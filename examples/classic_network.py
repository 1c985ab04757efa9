# SPDX-License-Identifier: Apache-2.0
"""A solo orderer and four peers, as the tutorials of Fabric 1.4 have them.

Everything is done with the commands that a user has: this file only names their arguments and
environment. The ports are those of the tutorials where they are free.
"""

import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fastledger.network import processes

CONFIG = Path(__file__).parent / "classic"
HOST = "127.0.0.1"
ORDERER_DOMAIN = "ordererOrganizations/example.com"
START_S = 60.0
PORT_RANGE = (12_000, 32_000)

ORDERER_PORT = 7050
PEER_PORTS = {
    "peer0.org1": 7051,
    "peer1.org1": 8051,
    "peer0.org2": 9051,
    "peer1.org2": 10051,
}


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """Ports that nobody has just now, none of those that outgoing connections get."""
    chosen: list[int] = []
    while len(chosen) < count:
        port = random.randrange(*PORT_RANGE)
        if port not in chosen and is_free(port):
            chosen.append(port)
    return chosen


@dataclass(frozen=True)
class Ports:
    """Where everything listens: gRPC and, for peers, chaincode."""

    orderer: int
    peers: dict[str, int]
    chaincode: dict[str, int]

    @staticmethod
    def choose(*, of_the_tutorials: bool = False) -> "Ports":
        """The tutorials' ports if they are wanted and free, others otherwise."""
        peers = dict(PEER_PORTS)
        chaincode = {name: port + 1 for name, port in peers.items()}
        wanted = [ORDERER_PORT, *peers.values(), *chaincode.values()]
        if of_the_tutorials and all(is_free(port) for port in wanted):
            return Ports(ORDERER_PORT, peers, chaincode)
        ports = free_ports(1 + 2 * len(peers))
        return Ports(
            ports[0],
            dict(zip(peers, ports[1:5], strict=True)),
            dict(zip(peers, ports[5:], strict=True)),
        )


class ClassicNetwork:
    """The network in a folder."""

    def __init__(self, folder: Path, ports: Ports) -> None:
        self.folder = folder
        self.ports = ports
        self._started: list[Path] = []

    @property
    def orderer(self) -> str:
        return f"{HOST}:{self.ports.orderer}"

    def peer(self, name: str) -> str:
        return f"{HOST}:{self.ports.peers[name]}"

    def data(self, name: str) -> Path:
        """Where a node keeps its own."""
        return self.folder / "production" / name

    def write_config(self) -> None:
        """Copy the configuration, with the ports that were chosen."""
        text = (CONFIG / "configtx.yaml").read_text("utf-8")
        text = text.replace(f"{HOST}:{ORDERER_PORT}", self.orderer)
        for name in ("peer0.org1", "peer0.org2"):
            text = text.replace(f"Port: {PEER_PORTS[name]}}}", f"Port: {self.ports.peers[name]}}}")
        (self.folder / "configtx.yaml").write_text(text, "utf-8")
        content = (CONFIG / "crypto-config.yaml").read_text("utf-8")
        (self.folder / "crypto-config.yaml").write_text(content, "utf-8")

    def identity(self, org: str, user: str = "Admin") -> dict[str, str]:
        """The environment of a user's commands."""
        domain = f"{org}.example.com"
        crypto = self.folder / "crypto-config" / "peerOrganizations" / domain
        return {
            "CORE_PEER_LOCALMSPID": f"{org.capitalize()}MSP",
            "CORE_PEER_MSPCONFIGPATH": str(crypto / "users" / f"{user}@{domain}" / "msp"),
        }

    def at(self, peer: str, user: str = "Admin") -> dict[str, str]:
        """The environment of commands for a peer, by a user of its organization."""
        return self.identity(peer.partition(".")[2], user) | {"CORE_PEER_ADDRESS": self.peer(peer)}

    def run(
        self, *arguments: str, env: dict[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command of ours and return what came of it."""
        return subprocess.run(
            [sys.executable, "-m", "fastledger", *arguments],
            cwd=self.folder,
            env=environment(self.folder, env or {}),
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def start_orderer(self, genesis_block: Path) -> None:
        crypto = self.folder / "crypto-config" / ORDERER_DOMAIN / "orderers/orderer.example.com"
        self._start(
            "orderer",
            ["orderer", "start"],
            {
                "ORDERER_GENERAL_LISTENADDRESS": HOST,
                "ORDERER_GENERAL_LISTENPORT": str(self.ports.orderer),
                "ORDERER_GENERAL_BOOTSTRAPMETHOD": "file",
                "ORDERER_GENERAL_BOOTSTRAPFILE": str(genesis_block),
                "ORDERER_GENERAL_LOCALMSPID": "OrdererMSP",
                "ORDERER_GENERAL_LOCALMSPDIR": str(crypto / "msp"),
                "ORDERER_FILELEDGER_LOCATION": str(self.data("orderer")),
                "ORDERER_OPERATIONS_LISTENADDRESS": f"{HOST}:0",
                "ORDERER_ADMIN_LISTENADDRESS": f"{HOST}:0",
            },
        )

    def start_peer(self, name: str, *, dev: bool = False) -> None:
        host = f"{name}.example.com"
        domain = f"{name.partition('.')[2]}.example.com"
        crypto = self.folder / "crypto-config" / "peerOrganizations" / domain / "peers" / host
        chaincode = f"{HOST}:{self.ports.chaincode[name]}"
        self._start(
            name,
            ["peer", "node", "start"],
            {
                "CORE_PEER_ID": host,
                "CORE_PEER_ADDRESS": self.peer(name),
                "CORE_PEER_LISTENADDRESS": self.peer(name),
                "CORE_PEER_CHAINCODELISTENADDRESS": chaincode,
                "CORE_PEER_CHAINCODEADDRESS": chaincode,
                "CORE_PEER_LOCALMSPID": f"{name.partition('.')[2].capitalize()}MSP",
                "CORE_PEER_MSPCONFIGPATH": str(crypto / "msp"),
                "CORE_PEER_FILESYSTEMPATH": str(self.data(name)),
                "CORE_OPERATIONS_LISTENADDRESS": f"{HOST}:0",
                "CORE_CHAINCODE_MODE": "dev" if dev else "net",
            },
        )

    def start(self, genesis_block: Path, *, dev: bool = False) -> None:
        """Start the orderer and all peers, and wait until they answer."""
        self.start_orderer(genesis_block)
        for name in self.ports.peers:
            self.start_peer(name, dev=dev)
        self.wait()

    def wait(self) -> None:
        """Wait until every node answers."""
        deadline = time.monotonic() + START_S
        for name, port in {"orderer": self.ports.orderer, **self.ports.peers}.items():
            while not answers(port):
                if processes.running(self.data(name)) is None:
                    log = (self.data(name) / "log").read_text("utf-8", "replace")
                    raise SystemExit(f"{name} ended: {log[-1000:]}")
                if time.monotonic() > deadline:
                    raise SystemExit(f"{name} does not answer at port {port}")
                time.sleep(0.05)

    def stop(self, *names: str) -> None:
        """Stop nodes, without names all of them."""
        folders = [self.data(name) for name in names] or self._started
        processes.stop(folders)

    def _start(self, name: str, arguments: list[str], env: dict[str, str]) -> None:
        folder = self.data(name)
        processes.start(folder, arguments, {"FABRIC_CFG_PATH": "", **env})
        if folder not in self._started:
            self._started.append(folder)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def environment(folder: Path, env: dict[str, str]) -> dict[str, str]:
    """The process's environment without what would lead a command elsewhere."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CORE_", "ORDERER_", "CONFIGTX_"))
    }
    return {**kept, "FABRIC_CFG_PATH": str(folder), **env}


@contextmanager
def running(network: ClassicNetwork) -> Iterator[ClassicNetwork]:
    """Stop the nodes at the end."""
    try:
        yield network
    finally:
        network.stop()
