# SPDX-License-Identifier: Apache-2.0
"""Chaincode in containers of a real Docker engine (`chaincode.runtime: docker`)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from containers import engine, import_python_image
from fastledger.chaincode.launcher.docker import LABEL
from fastledger.chaincode.launcher.docker_engine import Engine
from live_network import Network
from waiting import wait_until

CHAINCODE = Path(__file__).parent / "python"
IMAGE = "fastledger-interop-python"
MEMORY_BYTES = 300_000_000


class Containers:
    """What the engine has of our chaincode."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self._engine = Engine(endpoint)

    def _get(self, path: str) -> Any:
        return json.loads(self._engine.call("GET", path))

    def _labelled(self, path: str) -> list[dict[str, Any]]:
        filters = quote(json.dumps({"label": [f"{LABEL}.ccid"]}))
        return list(self._get(f"{path}filters={filters}"))

    def all(self) -> list[dict[str, Any]]:
        ids = [one["Id"] for one in self._labelled("/containers/json?all=1&")]
        return [self._get(f"/containers/{one}/json") for one in ids]

    def images(self) -> dict[str, dict[str, str]]:
        """Labels by id of the images that were built."""
        return {one["Id"]: one["Labels"] for one in self._labelled("/images/json?")}

    def kill(self) -> None:
        """End every container as the kernel would one that takes too much memory."""
        for one in self.all():
            self._engine.call("POST", f"/containers/{one['Id']}/kill")

    def remove(self) -> None:
        for one in self.all():
            self._engine.remove(one["Id"])
        for one in (*self.images(), IMAGE):
            self._engine.call("DELETE", f"/images/{one}?force=1")


@pytest.fixture
def containers() -> Iterator[Containers]:
    with engine() as endpoint:
        import_python_image(endpoint, IMAGE)
        found = Containers(endpoint)
        try:
            yield found
        finally:
            found.remove()


@pytest.fixture
def network(containers: Containers, tmp_path: Path) -> Iterator[Network]:
    network = Network(
        tmp_path,
        CORE_CHAINCODE_RUNTIME="docker",
        CORE_CHAINCODE_PYTHON_RUNTIME=IMAGE,
        CORE_VM_ENDPOINT=containers.endpoint,
        CORE_VM_DOCKER_HOSTCONFIG_NETWORKMODE="host",
        CORE_VM_DOCKER_HOSTCONFIG_MEMORY=str(MEMORY_BYTES),
    )
    network.up("--orgs", "1", "--chaincode", str(CHAINCODE), "--name", "interop")
    try:
        yield network
    finally:
        network.ok("down")


def test_a_container_from_its_image_to_its_end(network: Network, containers: Containers) -> None:
    network.ok("invoke", "put", "a", "1")
    assert network.ok("query", "get", "a").strip() == "1"

    (container,) = containers.all()
    (image,) = containers.images()
    assert container["Image"] == image
    ccid = container["Config"]["Labels"][f"{LABEL}.ccid"]
    assert container["Name"] == f"/dev-{network.plan.all_peers[0].name}-{ccid.replace(':', '-')}"
    labels = containers.images()[image]
    assert labels == {f"{LABEL}.ccid": ccid, f"{LABEL}.chaincode.type": "PYTHON"}
    assert container["HostConfig"]["Memory"] == MEMORY_BYTES
    assert container["HostConfig"]["NetworkMode"] == "host"

    # Whoever dies takes its own transaction along; the next one has a new container.
    died = network.run("invoke", "die")
    assert died.returncode == 1
    assert "chaincode stream terminated" in died.stderr
    assert network.ok("query", "get", "a").strip() == "1"
    (second,) = containers.all()
    assert second["Id"] != container["Id"]
    assert second["Image"] == image
    containers.kill()
    wait_until(lambda: not containers.all())
    network.ok("invoke", "put", "b", "2")

    # Containers go with their peer; images stay.
    network.ok("down")
    assert containers.all() == []
    network.up("--orgs", "1")
    assert network.ok("query", "get", "b").strip() == "2"
    (last,) = containers.all()
    assert last["Image"] == image
