# SPDX-License-Identifier: Apache-2.0
"""Fabric's own client libraries on a network of ours: fabric-gateway for Node, Go and Java, and the
older fabric-network (Node) and fabric-sdk-go, which ask the discovery service where everybody is.
"""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fabric_tools import CACHE
from fastledger.common.codes import TxValidationCode as Code
from live_network import Network
from registries import build, build_with_maven, fetch, need

STORIES = Path(__file__).parent / "clients"
CHAINCODE = Path(__file__).parent / "python"
BUILDS = CACHE / "clients"
PATIENCE_S = 300

ABORTED, FAILED_PRECONDITION, UNAVAILABLE, UNKNOWN = 10, 9, 14, 2
"""gRPC's status codes."""


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    network = Network(tmp_path_factory.mktemp("network"))
    network.up("--chaincode", str(CHAINCODE), "--name", "interop")
    try:
        yield network
    finally:
        network.ok("down")


def _node(folder: Path) -> list[str]:
    need("node")
    fetch(folder, "npm", "install", "--no-audit", "--no-fund", "--ignore-scripts")
    return ["node", str(folder / "story.js")]


def _golang(folder: Path) -> list[str]:
    fetch(folder, "go", "mod", "download")
    build(folder, "go", "build", "-o", "story")
    return [str(folder / "story")]


def _java(folder: Path) -> list[str]:
    build_with_maven(
        folder, "package", "dependency:copy-dependencies", "-DoutputDirectory=target/lib"
    )
    return ["java", "-cp", f"{folder}/target/classes:{folder}/target/lib/*", "Story"]


CLIENTS: dict[str, Callable[[Path], list[str]]] = {
    "gateway-node": _node,
    "gateway-go": _golang,
    "gateway-java": _java,
    "network-node": _node,
    "sdk-go": _golang,
}
"""How each client is built; returns its command."""


@pytest.mark.parametrize("client", ["gateway-node", "gateway-go", "gateway-java"])
def test_the_gateway(network: Network, client: str) -> None:
    told = tell(network, client)
    assert told["event"].pop("block") > 1
    assert told["event"] == {"name": "put", "payload": f"key of {client}"}
    assert told["value"] == "one"
    assert told["replayed"]
    # The second counted what the first added, before it was there.
    assert told["statuses"] == [
        {"code": Code.VALID, "successful": True, "filtered": Code.VALID},
        {
            "code": Code.PHANTOM_READ_CONFLICT,
            "successful": False,
            "filtered": Code.PHANTOM_READ_CONFLICT,
        },
    ]
    assert told["block"] == 1
    refused = told["refused"]
    assert {name: one["code"] for name, one in refused.items()} == {
        "evaluate": UNKNOWN,
        "endorse": ABORTED,
        "chaincode": FAILED_PRECONDITION,
        "channel": UNAVAILABLE,
    }
    for name in ("evaluate", "endorse"):
        (detail,) = refused[name]["details"]
        assert detail["mspId"] in ("Org1MSP", "Org2MSP")
        assert detail["message"].endswith("as asked")


def test_fabric_network(network: Network) -> None:
    told = tell(network, "network-node")
    assert told["events"] == [{"name": "put", "payload": "key of network-node"}]
    assert told["value"] == "one"
    assert told["block"] == 1
    assert told["valid"] + len(told["codes"]) == 8
    assert told["valid"]
    assert set(told["codes"]) == {"PHANTOM_READ_CONFLICT"}
    assert told["refused"]["evaluate"] == "as asked"
    assert told["refused"]["endorse"].count("status=500, message=as asked") == 2


def test_fabric_sdk_go(network: Network) -> None:
    told = tell(network, "sdk-go")
    assert told["event"] == {"name": "put", "payload": "key of sdk-go"}
    assert told["value"] == "one"
    for asked in ("evaluate", "endorse"):
        assert told["refused"][asked].count("Description: as asked") == 2


def tell(network: Network, client: str) -> Any:
    """Build a client, and let it do everything."""
    folder = BUILDS / client
    shutil.copytree(STORIES / client, folder, dirs_exist_ok=True)
    command = [*CLIENTS[client](folder), json.dumps(place(network)), f"key of {client}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    # The older libraries log beside it.
    return json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))


def place(network: Network) -> dict[str, str]:
    """Where a client finds everything."""
    org = network.plan.organizations[0]
    peer = org.peers[0]
    msp = org.msp("User1")
    return {
        "profile": str(org.folder / f"connection-org{org.number}.json"),
        "address": peer.address,
        "host": peer.name,
        "tlsRoot": str(peer.tls_root),
        "mspId": org.mspid,
        "certificate": str(next((msp / "signcerts").iterdir())),
        "key": str(next((msp / "keystore").iterdir())),
        "channel": network.plan.channel,
        "chaincode": network.plan.chaincode,
    }
