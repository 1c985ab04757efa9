# SPDX-License-Identifier: Apache-2.0
"""A real Kafka broker, alone in its cluster, fetched from Maven's registry and run by Java."""

import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from registries import MAVEN, fetch, need
from waiting import wait_until

VERSION = "3.9.1"
CACHE = Path.home() / ".cache" / "fastledger" / "interop" / "kafka"
PATIENCE_S = 300
CLUSTER = "Zm9yIHRlc3RzIG9ubHkhIQ"
_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>tests</groupId><artifactId>broker</artifactId><version>1</version><dependencies><dependency>
<groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{version}</version>
</dependency></dependencies></project>"""
_PROPERTIES = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
log.dirs={folder}/data
offsets.topic.replication.factor=1
message.max.bytes=103809024
replica.fetch.max.bytes=103809024
log.retention.ms=-1
"""


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


class Broker:
    """One broker, whose folder outlives it."""

    def __init__(self, folder: Path, version: str = VERSION) -> None:
        """Prepare the folder; `start` starts it."""
        self._classes = f"{libraries(version)}/*"
        self._folder = folder
        self.port, controller = _free_ports(2)
        self._properties = folder / "server.properties"
        folder.mkdir(parents=True)
        self._properties.write_text(
            _PROPERTIES.format(port=self.port, controller=controller, folder=folder)
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
        """Where it serves."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._java("kafka.Kafka"), str(self._properties)],
                stdout=log,
                stderr=log,
                cwd=self._folder,
            )
        wait_until(self._answers, PATIENCE_S)

    def kill(self) -> None:
        """End it as a power switch would."""
        if self._process is not None:
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _java(self, *command: str) -> list[str]:
        return ["java", "-Xmx384m", "-Xms64m", "-cp", self._classes, *command]

    def _answers(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            pytest.fail((self._folder / "log").read_text("utf-8", "replace")[-3000:])
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
