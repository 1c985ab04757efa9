# SPDX-License-Identifier: Apache-2.0
"""Fabric's own client libraries, fabric-gateway for Node, Go and Java, on a network of ours."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fabric_tools import CACHE
from fastledger.common.codes import TxValidationCode as Code
from live_network import Network

STORIES = Path(__file__).parent / "gateway"
CHAINCODE = Path(__file__).parent / "python"
BUILDS = CACHE / "gateway"
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
    _run(folder, "npm", "install", "--no-audit", "--no-fund", "--ignore-scripts")
    return ["node", str(folder / "story.js")]


def _golang(folder: Path) -> list[str]:
    _run(folder, "go", "build", "-o", "story")
    return [str(folder / "story")]


def _java(folder: Path) -> list[str]:
    goals = ("package", "dependency:copy-dependencies", "-DoutputDirectory=target/lib")
    _run(folder, "mvn", "-q", "-B", *goals)
    return ["java", "-cp", f"{folder}/target/classes:{folder}/target/lib/*", "Story"]


def _run(folder: Path, *command: str) -> None:
    nice = ["nice", *command]
    done = subprocess.run(nice, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S)
    if done.returncode:
        pytest.skip(f"{' '.join(command)}: {(done.stdout + done.stderr)[-500:]}")


LANGUAGES: dict[str, tuple[tuple[str, ...], Callable[[Path], list[str]]]] = {
    "node": (("node", "npm"), _node),
    "golang": (("go",), _golang),
    "java": (("java", "mvn"), _java),
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_clients_do(network: Network, language: str) -> None:
    tools, build = LANGUAGES[language]
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool}")
    folder = BUILDS / language
    shutil.copytree(STORIES / language, folder, dirs_exist_ok=True)
    command = [*build(folder), json.dumps(place(network)), f"key of {language}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)

    assert told["event"].pop("block") > 1
    assert told["event"] == {"name": "put", "payload": f"key of {language}"}
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


def place(network: Network) -> dict[str, str]:
    """Where a client finds everything."""
    org = network.plan.organization[0]
    peer = org.peers[0]
    msp = org.msp("User1")
    return {
        "address": peer.address,
        "host": peer.name,
        "tlsRoot": str(peer.tls_root),
        "mspId": org.mspid,
        "certificate": str(next((msp / "signcerts").iterdir())),
        "key": str(next((msp / "keystore").iterdir())),
        "channel": network.plan.channel,
        "chaincode": network.plan.chaincode,
    }
