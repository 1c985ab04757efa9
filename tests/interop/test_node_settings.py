# SPDX-License-Identifier: Apache-2.0
"""The real orderer and ours refuse the same orderer.yaml, whatever is misspelled in it."""

import os
import subprocess
from pathlib import Path
from random import Random

import pytest

from fabric_tools import fabric_tool
from fastledger.common.config import load
from fastledger.common.errors import ConfigInvalid
from fastledger.node.orderer.config import read, remarks

VERSIONS = ("v2.5.15", "v3.1.5")
MISSPELLED = 12
"""Keys that are tried of each version's file; each takes the real orderer a part of a second."""

FREE = ("Consensus", "BCCSP", "Kafka")

WORDS = {
    "General.ListenPort": ("7050", "x", "-1x", "'0x10'", "true"),
    "General.TLS.Enabled": ("false", "T", "maybe", "[]"),
    "General.Keepalive.ServerTimeout": ("20s", "20", "'20'", "soon"),
    "General.MaxRecvMsgSize": ("1000", "1 MB", "1.5"),
    "ChannelParticipation.MaxRequestBodySize": ("1 MB", "1MB", "10 GB", "much"),
    "FileLedger.Location": ("/x", "[a]", "{}"),
}
"""Values, right and wrong ones."""


def real_takes(version: str, folder: Path, **environ: str) -> bool:
    """Let the real orderer read the folder's file; it has no identity to go on with."""
    command = [str(fabric_tool("orderer", version)), "start"]
    environ = {"PATH": os.defpath, "FABRIC_CFG_PATH": str(folder), **environ}
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)
    output = ended.stdout + ended.stderr
    went_on = "Failed to get local msp config" in output
    assert went_on != ("failed to parse config" in output), output
    return went_on


def ours_takes(folder: Path, **environ: str) -> bool:
    config = load("orderer", folder, environ)
    try:
        read(config)
        remarks(config)
    except ConfigInvalid:
        return False
    return True


def sample(version: str) -> str:
    file = fabric_tool("orderer", version).parent / "sampleconfig" / "orderer.yaml"
    return file.read_text("utf-8").replace("LocalMSPDir: msp", "LocalMSPDir: /nowhere")


def with_values(whole: str) -> list[int]:
    """Find the lines with values, but for sections in which Fabric or we take any key."""
    found, section = [], ""
    for number, line in enumerate(whole.splitlines()):
        key, _, value = line.strip().partition(":")
        if (line and not line.startswith((" ", "#"))) or key == "BCCSP":
            section = key
        if key == "Authentication":
            section = "General"
        if value.strip() and not key.startswith("#") and section not in FREE:
            found.append(number)
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_misspelled_keys(version: str, tmp_path: Path) -> None:
    whole, file = sample(version), tmp_path / "orderer.yaml"
    file.write_text(whole)
    assert real_takes(version, tmp_path)
    assert ours_takes(tmp_path)
    for number in Random(36).sample(with_values(whole), MISSPELLED):
        lines = whole.splitlines()
        indent, key = lines[number][: -len(lines[number].lstrip())], lines[number].lstrip()
        lines[number] = f"{indent}{key[0]}x{key[1:]}"
        file.write_text("\n".join(lines))
        takes = real_takes(version, tmp_path)
        assert takes is ours_takes(tmp_path), lines[number]


@pytest.mark.parametrize("version", VERSIONS)
def test_values_of_the_environment(version: str, tmp_path: Path) -> None:
    (tmp_path / "orderer.yaml").write_text(sample(version))
    for key, values in WORDS.items():
        for value in values:
            environ = {f"ORDERER_{key}".upper().replace(".", "_"): value}
            takes = real_takes(version, tmp_path, **environ)
            assert takes is ours_takes(tmp_path, **environ), environ
