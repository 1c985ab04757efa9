# SPDX-License-Identifier: Apache-2.0
"""What a network consists of: names, ports and folders, all derived from a few choices."""

import json
import re
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from fastledger.common.errors import InputError, NotFound

STATE_FOLDER = ".fastledger"
MAX_ORGS = 20
MAX_PEERS_PER_ORG = 10
HOST = "127.0.0.1"

ORDERER_DOMAIN = "example.com"
ORDERER_MSP = "OrdererMSP"

_NAMES = {
    "--channel": re.compile(r"[a-z][a-z0-9.-]{0,248}"),
    "--name": re.compile(r"[a-zA-Z0-9]+([-_][a-zA-Z0-9]+)*"),
}
_BROKERS = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s:,\[\]]+):\d{1,5}")

ORDERERS = (1, 3, 5, 7)
"""An even number of them would bear no more failures than one less."""

CONSENSUS = ("etcdraft", "kafka")
"""Kinds of consensus that a network may have."""

_ORDERER_PORT, _ORDERER_PORT_STEP = 6050, 10
"""Where the orderers after the first are, out of the way of the peers' ports."""

_SAMPLE_PORTS = {"orderer": 7050, "admin": 7053, "operations": 9443, "peer": 7051}
_PORTS_PER_ORG = 2000
CA_PORT = 7054
CA_PORT_STEP = 1000
"""fabric-samples' certificate authorities: 7054 for Org1, 8054 for Org2."""

_MIN_PEER_STEP = 10
_PEERS_IN_SAMPLES = 2


@dataclass(frozen=True, slots=True)
class Node:
    """One process of the network.

    Attributes:
        name: Its host name, such as ``peer0.org1.example.com``.
        mspid: Its organization's MSP.
        folder: Configuration, log, pid and data.
        identity: The folder with its ``msp`` and ``tls``.
        port: Where it serves gRPC.
        operations_port: Where it serves /healthz and /metrics.
        side_port: An orderer's channel participation, a peer's chaincode listener.
    """

    name: str
    mspid: str
    folder: Path
    identity: Path
    port: int
    operations_port: int
    side_port: int

    @property
    def address(self) -> str:
        """``host:port`` of its gRPC services."""
        return f"{HOST}:{self.port}"

    @property
    def tls_root(self) -> Path:
        """The certificate authority of its TLS certificate."""
        return self.identity / "tls" / "ca.crt"


@dataclass(frozen=True, slots=True)
class Org:
    """An organization with peers.

    Attributes:
        number: From 1 on.
        peers: Its peers.
        folder: Its identities.
    """

    number: int
    peers: tuple[Node, ...]
    folder: Path

    @property
    def name(self) -> str:
        """``Org1``."""
        return f"Org{self.number}"

    @property
    def mspid(self) -> str:
        """``Org1MSP``."""
        return f"{self.name}MSP"

    @property
    def domain(self) -> str:
        """``org1.example.com``."""
        return org_domain(self.number)

    def msp(self, user: str) -> Path:
        """The MSP folder of a user, such as ``Admin`` or ``User1``."""
        return self.folder / "users" / f"{user}@{self.domain}" / "msp"


def orderer_host(index: int) -> str:
    """Return an orderer's host name: ``orderer``, ``orderer2``, as in fabric-samples."""
    return f"orderer{index + 1}" if index else "orderer"


def org_domain(number: int) -> str:
    """Return the domain of an organization."""
    return f"org{number}.example.com"


@dataclass(frozen=True)
class Plan:
    """The choices that make a network.

    Attributes:
        folder: Where ``organizations`` and ``.fastledger`` are.
        orgs: How many organizations have peers.
        peers: How many peers each of them has.
        channel: Name of the channel.
        chaincode: Name of the chaincode on it.
        version: Its version.
        sequence: How often its definition was committed.
        source: Folder or file of its sources.
        language: What they are written in.
        port_base: First of the ports, which then follow each other; 0 takes fabric-samples' ports.
        watch: Whether saved sources go live by themselves: chaincode runs beside the peers.
        policy: Base64 of the chaincode's ``ApplicationPolicy``; empty for the channel's default,
            None for what it has.
        collections: Base64 of its ``CollectionConfigPackage``, likewise.
        orderers: How many orderers there are; several with ``etcdraft`` are a Raft cluster.
        consensus: What orders: ``etcdraft`` or ``kafka``.
        kafka: Brokers of the Kafka cluster, ``host:port`` with commas in between; empty without.
    """

    folder: Path
    orgs: int = 2
    peers: int = 1
    channel: str = "mychannel"
    chaincode: str = "basic"
    version: str = "1.0"
    sequence: int = 1
    source: str = ""
    language: str = "python"
    port_base: int = 0
    watch: bool = False
    policy: str | None = None
    collections: str | None = None
    orderers: int = 1
    consensus: str = CONSENSUS[0]
    kafka: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        _named("--channel", self.channel)
        _named("--name", self.chaincode)
        _in_range("--orgs", self.orgs, 1, MAX_ORGS)
        _in_range("--peers", self.peers, 1, MAX_PEERS_PER_ORG)
        if self.orderers not in ORDERERS:
            allowed = ", ".join(map(str, ORDERERS))
            raise InputError(f"--orderers is {self.orderers}, it must be one of {allowed}")
        _check_consensus(self.consensus, self.brokers)
        if self.port_base:
            last = 65_535 - 3 * (self.orderers + self.orgs * self.peers)
            _in_range("--port-base", self.port_base, 1024, last)

    @property
    def brokers(self) -> list[str]:
        """Where the Kafka cluster is asked first."""
        return self.kafka.split(",") if self.kafka else []

    @property
    def state(self) -> Path:
        """Where the running network keeps its own."""
        return self.folder / STATE_FOLDER

    @property
    def identities(self) -> Path:
        """Where the identities are."""
        return self.folder / "organizations"

    @property
    def genesis_block(self) -> Path:
        """The channel's genesis block."""
        return self.state / f"{self.channel}.block"

    @cached_property
    def all_orderers(self) -> tuple[Node, ...]:
        """The ordering service."""
        return tuple(self._orderer(index) for index in range(self.orderers))

    @property
    def orderer(self) -> Node:
        """The first orderer."""
        return self.all_orderers[0]

    @property
    def orderer_org(self) -> Path:
        """The identities of the orderers' organization."""
        return self.identities / "ordererOrganizations" / ORDERER_DOMAIN

    @cached_property
    def organizations(self) -> tuple[Org, ...]:
        """All organizations with peers."""
        return tuple(self._org(number) for number in range(1, self.orgs + 1))

    @property
    def all_peers(self) -> tuple[Node, ...]:
        """All peers of all organizations."""
        return tuple(peer for org in self.organizations for peer in org.peers)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All processes."""
        return (*self.all_orderers, *self.all_peers)

    def _orderer(self, index: int) -> Node:
        name = f"{orderer_host(index)}.{ORDERER_DOMAIN}"
        ports = _SAMPLE_PORTS["orderer"], _SAMPLE_PORTS["admin"], _SAMPLE_PORTS["operations"]
        if self.port_base or index:
            first = _ORDERER_PORT + _ORDERER_PORT_STEP * index
            if self.port_base:
                first = self.port_base + 3 * index
            ports = first, first + 1, first + 2
        return Node(
            name=name,
            mspid=ORDERER_MSP,
            folder=self.state / "nodes" / name,
            identity=self.orderer_org / "orderers" / name,
            port=ports[0],
            side_port=ports[1],
            operations_port=ports[2],
        )

    def _org(self, number: int) -> Org:
        folder = self.identities / "peerOrganizations" / org_domain(number)
        peers = tuple(self._peer(number, index, folder) for index in range(self.peers))
        return Org(number, peers, folder)

    def _peer(self, org: int, index: int, folder: Path) -> Node:
        name = f"peer{index}.{org_domain(org)}"
        place = (org - 1) * self.peers + index
        if self.port_base:
            port = self.port_base + 3 * (self.orderers + place)
            side_port, operations_port = port + 1, port + 2
        else:
            step = _PORTS_PER_ORG // max(2, self.peers) // _MIN_PEER_STEP * _MIN_PEER_STEP
            port = _SAMPLE_PORTS["peer"] + _PORTS_PER_ORG * (org - 1) + step * index
            side_port = port + 1
            in_samples = place < _PEERS_IN_SAMPLES
            operations_port = _SAMPLE_PORTS["operations"] + 1 + place if in_samples else port + 3
        return Node(
            name=name,
            mspid=f"Org{org}MSP",
            folder=self.state / "nodes" / name,
            identity=folder / "peers" / name,
            port=port,
            side_port=side_port,
            operations_port=operations_port,
        )

    def changed(self, **values: Any) -> "Plan":
        """Return the plan with other choices."""
        return replace(self, **values)

    def save(self) -> None:
        """Keep the plan in ``network.json``."""
        self.state.mkdir(parents=True, exist_ok=True)
        # Nothing of the folder belongs into anybody's repository.
        (self.state / ".gitignore").write_text("*\n", "utf-8")
        values = {key: value for key, value in asdict(self).items() if key != "folder"}
        temporary = self.state / "network.json.new"
        temporary.write_text(json.dumps(values, indent=2) + "\n", "utf-8")
        temporary.replace(self.state / "network.json")

    @staticmethod
    def load(folder: Path) -> "Plan":
        """Read the plan that a folder keeps.

        Raises:
            NotFound: There is no network.
            InputError: The file is broken.
        """
        file = folder / STATE_FOLDER / "network.json"
        try:
            values = json.loads(file.read_text("utf-8"))
            return Plan(folder=folder, **values)
        except FileNotFoundError:
            raise NotFound(f"{folder}: no network there; make one with fastledger up") from None
        except (ValueError, TypeError) as error:
            raise InputError(f"{file}: {error}") from error


def find(start: Path) -> Plan:
    """Return the plan of a folder, or of the nearest one above it that has one.

    Raises:
        NotFound: None has.
    """
    for folder in (start, *start.parents):
        if (folder / STATE_FOLDER / "network.json").is_file():
            return Plan.load(folder)
    raise NotFound(
        f"{start}: no network there or above; make one with fastledger up, or name its folder "
        "with --dir"
    )


def _named(option: str, name: str) -> None:
    if not _NAMES[option].fullmatch(name):
        raise InputError(f"{option} {name!r}: a name must match {_NAMES[option].pattern}")


def _check_consensus(kind: str, brokers: list[str]) -> None:
    if kind not in CONSENSUS:
        raise InputError(f"--consensus is {kind!r}, it must be one of {', '.join(CONSENSUS)}")
    if kind == "kafka" and not brokers:
        raise InputError("--consensus kafka needs the address of a broker: --kafka HOST:PORT")
    if kind != "kafka" and brokers:
        raise InputError("--kafka names the brokers of --consensus kafka, which is not given")
    for broker in brokers:
        if not _BROKERS.fullmatch(broker):
            raise InputError(f"--kafka {broker!r}: it must be HOST:PORT, several with commas")


def _in_range(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise InputError(f"{name} is {value}, it must be from {least} to {most}")
