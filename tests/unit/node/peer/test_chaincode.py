# SPDX-License-Identifier: Apache-2.0
"""What core.yaml says of running chaincode."""

from pathlib import Path

import pytest

from fastledger.chaincode.launcher.builder import PeerConnection
from fastledger.chaincode.launcher.docker import DockerLauncher
from fastledger.chaincode.launcher.process import ProcessLauncher
from fastledger.common.config import Config, load
from fastledger.common.errors import ConfigInvalid
from fastledger.node.peer import chaincode as peer_chaincode
from fastledger.node.peer.config import read

CONNECTION = PeerConnection("127.0.0.1:7052", mspid="Org1MSP")


def config(tmp_path: Path, text: str, **environ: str) -> Config:
    (tmp_path / "core.yaml").write_text(text)
    return load("core", environ={"FABRIC_CFG_PATH": str(tmp_path), **environ})


def test_the_runtime_is_chosen(tmp_path: Path) -> None:
    def runtime(text: str, **environ: str) -> object:
        made = config(tmp_path, text, CORE_PEER_ADDRESS="p:7051", **environ)
        return peer_chaincode._runtime(read(made), CONNECTION)

    processes = runtime("chaincode: {executetimeout: 7500ms}")
    assert isinstance(processes, ProcessLauncher)
    assert processes._config.execute_timeout_s == 7.5
    docker = runtime(
        "chaincode: {runtime: docker, builder: ccenv, python: {runtime: pyenv}}\n"
        "vm: {endpoint: 'unix:///run/docker.sock', docker: {hostConfig: {NetworkMode: host}}}\n"
        "peer: {id: p0, networkId: dev}\n"
    )
    assert isinstance(docker, DockerLauncher)
    assert docker._config.base_images == {"golang": "ccenv", "python": "pyenv"}
    assert docker._config.host_config == {"NetworkMode": "host"}
    with pytest.raises(ConfigInvalid, match="'podman', it must be process or docker"):
        runtime("chaincode: {}", CORE_CHAINCODE_RUNTIME="podman")
    with pytest.raises(ConfigInvalid, match="one of auto, bubblewrap, namespaces, none"):
        runtime("chaincode: {process: {sandbox: jail}}")


def test_builders_that_are_not_there_are_passed_over(tmp_path: Path) -> None:
    here = tmp_path / "here"
    (here / "bin").mkdir(parents=True)
    (here / "bin" / "detect").write_text("#!/bin/sh\n")
    text = (
        "chaincode:\n  externalBuilders:\n"
        f"    - {{name: here, path: {here}, propagateEnvironment: [HOME]}}\n"
        f"    - {{name: gone, path: {tmp_path / 'gone'}}}\n"
    )
    made = read(config(tmp_path, text, CORE_PEER_ADDRESS="p:7051"))
    [builder] = peer_chaincode._builders(made.chaincode.builders)
    assert (builder.name, builder.path, list(builder.propagate_environment)) == (
        "here",
        here,
        ["HOME"],
    )


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (
            "{name: x}",
            r"chaincode.externalBuilders\[0\]: an external builder needs a name and a pa",
        ),
        (
            "{path: /x}",
            r"chaincode.externalBuilders\[0\]: an external builder needs a name and a p",
        ),
        ("{name: x, path: /x, propagate: []}", r"externalBuilders\[0\]: unknown key propagate"),
    ],
)
def test_a_builder_that_is_none_is_named(entry: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match=problem):
        read(config(tmp_path, f"chaincode: {{externalBuilders: [{entry}]}}"))
