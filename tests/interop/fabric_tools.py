# SPDX-License-Identifier: Apache-2.0
"""Fabric's own commands, built once from its source.

They are kept in .venv-interop/fabric/VERSION. Where the Go module proxy has not got Fabric,
FABRIC_GIT names a clone of its repository, whose vendored dependencies then suffice.
"""

import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import pytest

from corpora import ROOT

VERSIONS = {
    "v3.1.5": "86c1172bec37e6590c6b1ae6f847833df48d65fc",
    "v2.5.15": "83c7930b3ea738eb2012da8316cfa8e749eac365",
}
"""Commits; Go refuses the tags, whose major version the module's path does not have."""

CACHE = ROOT / ".venv-interop" / "fabric"


def fabric_tool(name: str, version: str = "v3.1.5") -> Path:
    """Return one of Fabric's commands, building it if need be; skip the test if it cannot be."""
    built = CACHE / version / name
    if built.exists():
        return built
    if shutil.which("go") is None:
        pytest.skip(f"needs Go to build Fabric's {name} {version}")
    built.parent.mkdir(parents=True, exist_ok=True)
    clone = os.environ.get("FABRIC_GIT")
    result = _build(clone, name, version, built) if clone else _install(name, version, built)
    if result.returncode:
        lines = result.stderr.strip().splitlines()
        pytest.skip(
            f"cannot build Fabric's {name} {version}: {lines[-1] if lines else 'no reason'}"
        )
    return built


def _install(name: str, version: str, built: Path) -> subprocess.CompletedProcess[str]:
    module = f"github.com/hyperledger/fabric/cmd/{name}@{VERSIONS[version]}"
    return _go(["install", module], built.parent, GOBIN=str(built.parent))


def _build(clone: str, name: str, version: str, built: Path) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(
            ["git", "-C", clone, "archive", VERSIONS[version]], capture_output=True, check=True
        )
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
            tar.extractall(folder, filter="data")
        command = ["build", "-mod=vendor", "-buildvcs=false", "-o", str(built), f"./cmd/{name}"]
        return _go(command, Path(folder))


def _go(arguments: list[str], folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["nice", "-n", "15", "go", *arguments],
        cwd=folder,
        env=os.environ | {"GOFLAGS": "-p=1"} | environ,
        capture_output=True,
        text=True,
    )


def run(name: str, *arguments: object, version: str = "v3.1.5", **options: object) -> bytes:
    """Run one of Fabric's commands; return what it printed."""
    command = [str(fabric_tool(name, version)), *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, **options)  # type: ignore[call-overload]
    assert result.returncode == 0, result.stderr.decode()
    return bytes(result.stdout)
