# SPDX-License-Identifier: Apache-2.0
"""Our cryptogen and configtxgen do with any file what Fabric's do: refuse it, or make the same."""

import subprocess
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fabric_tools import fabric_tool, run
from fastledger.cli.main import main
from fastledger.protos.common.common_pb2 import Block
from fastledger.tools.configtxlator import protolator
from generated_files import configtx, crypto_config, msp_config
from test_cryptogen import compare

# Each example starts a program of Fabric's, so a failure is shown as it was found.
several = settings(
    max_examples=40,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

CRYPTO = """
OrdererOrgs:
  - {Name: O, Domain: ord.test, EnableNodeOUs: true, Specs: [{Hostname: o1}]}
PeerOrgs:
  - {Name: A, Domain: a.test, EnableNodeOUs: true, Template: {Count: 1}}
"""

PRINTED = """
Organizations:
  - Name: A
    ID: AMSP
    MSPDir: crypto/peerOrganizations/a.test/msp
    Policies:
      Readers: &members {Type: Signature, Rule: "OR('AMSP.member')"}
      Writers: *members
      Admins: *members
"""


def real(name: str, *arguments: object) -> tuple[bool, bytes]:
    """Run Fabric's command; whether it went well, and what it printed."""
    command = [str(fabric_tool(name)), *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, check=False)
    return result.returncode == 0, result.stdout


def ours(name: str, *arguments: object) -> tuple[bool, bytes]:
    """Run our command in the same way."""
    result = CliRunner().invoke(main, [name, *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code == 0, result.stdout_bytes


def test_cryptogen(tmp_path: Path) -> None:
    numbers = count()
    fabric_tool("cryptogen")

    @several
    @given(st.randoms(use_true_random=False), st.floats(0, 0.1))
    def check(random: Random, odd: float) -> None:
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        (folder / "crypto-config.yaml").write_bytes(crypto_config(random, odd))
        flags = ("generate", f"--config={folder / 'crypto-config.yaml'}")
        taken, said = real("cryptogen", *flags, f"--output={folder / 'real'}")
        assert ours("cryptogen", *flags, f"--output={folder / 'ours'}")[0] == taken, said
        if taken:
            compare(folder / "ours", folder / "real")

    check()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with certificates."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "crypto-config.yaml").write_text(CRYPTO)
    flags = (f"--config={folder / 'crypto-config.yaml'}", f"--output={folder / 'crypto'}")
    run("cryptogen", "generate", *flags)
    return folder


def test_configtxgen(folder: Path) -> None:
    @several
    @given(st.randoms(use_true_random=False), st.sampled_from([0, 0.002, 0.01]))
    def check(random: Random, odd: float) -> None:
        (folder / "configtx.yaml").write_bytes(configtx(random, odd))
        flags = ("-configPath", folder, "-profile", "P", "-channelID", "ch", "-outputBlock")
        taken, _ = real("configtxgen", *flags, folder / "real")
        assert ours("configtxgen", *flags, folder / "ours")[0] == taken
        if taken:
            assert settled(folder / "ours") == settled(folder / "real")

    check()


def settled(file: Path) -> dict[str, Any]:
    """A genesis block without what differs between two runs."""
    tree = protolator.to_tree(Block.FromString(file.read_bytes()))
    header = tree["data"]["data"][0]["payload"]["header"]
    for key in ("timestamp", "tx_id"):
        header["channel_header"][key] = None
    header["signature_header"]["nonce"] = None
    tree["header"]["data_hash"] = None
    return tree


def test_msp_folders(folder: Path) -> None:
    (folder / "configtx.yaml").write_text(PRINTED)
    msp = folder / "crypto/peerOrganizations/a.test/msp"
    ca = next((msp / "cacerts").iterdir())
    (msp / "cacerts" / "ca.pem").write_bytes(ca.read_bytes())

    @several
    @given(st.randoms(use_true_random=False), st.floats(0, 0.3))
    def check(random: Random, odd: float) -> None:
        (msp / "config.yaml").write_bytes(msp_config(random, odd))
        flags = ("-configPath", folder, "-printOrg", "A")
        assert ours("configtxgen", *flags) == real("configtxgen", *flags)

    check()
