# SPDX-License-Identifier: Apache-2.0
"""Fabric's own commands, built once from its source.

They are kept in .venv-interop/fabric/VERSION. Where the Go module proxy has not got Fabric,
FABRIC_GIT names a clone of its repository, whose vendored dependencies then suffice.
"""

import io
import json
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
SAMPLES = "sampleconfig"
_METADATA = "github.com/hyperledger/fabric/common/metadata"


def fabric_tool(name: str, version: str = "v3.1.5") -> Path:
    """Return one of Fabric's commands, building it if need be; skip the test if it cannot be."""
    built = CACHE / version / name
    if not built.exists():
        reason = _make(name, version, built)
        if reason:
            pytest.skip(reason)
    return built


def sample_config(version: str = "v3.1.5") -> Path:
    """Return the folder of Fabric's core.yaml and orderer.yaml, which every real node needs."""
    folder = CACHE / version / SAMPLES
    if not folder.exists():
        reason = _make(SAMPLES, version, folder)
        if reason:
            pytest.skip(reason)
    return folder


def _make(name: str, version: str, place: Path) -> str:
    """Make one thing of Fabric's; return why it cannot be."""
    what = f"Fabric's {name} {version}"
    if shutil.which("go") is None:
        return f"needs Go to build {what}"
    place.parent.mkdir(parents=True, exist_ok=True)
    clone = os.environ.get("FABRIC_GIT")
    try:
        with tempfile.TemporaryDirectory() as folder:
            if clone:
                _from_clone(clone, name, version, place, Path(folder))
            else:
                _from_proxy(name, version, place)
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode("utf-8", "replace").strip().splitlines()
        why = lines[-1] if lines else f"exit code {error.returncode}"
        hint = "" if clone else " (FABRIC_GIT can name a clone of Fabric's repository)"
        return f"cannot build {what}: {why}{hint}"
    return ""


def _from_proxy(name: str, version: str, place: Path) -> None:
    module = f"github.com/hyperledger/fabric@{VERSIONS[version]}"
    if name == SAMPLES:
        found = json.loads(_go(["mod", "download", "-json", module], place.parent))
        shutil.copytree(Path(found["Dir"]) / SAMPLES, place, copy_function=shutil.copyfile)
        return
    command = module.replace("@", f"/cmd/{name}@")
    flags = ["-ldflags", _ldflags(version)]
    _go(["install", *flags, command], place.parent, GOBIN=str(place.parent))


def _from_clone(clone: str, name: str, version: str, place: Path, folder: Path) -> None:
    source = ["git", "-C", clone, "archive", VERSIONS[version]]
    archive = subprocess.run(source, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
    if name == SAMPLES:
        shutil.copytree(folder / SAMPLES, place)
        return
    flags = ["-mod=vendor", "-buildvcs=false", "-ldflags", _ldflags(version)]
    _go(["build", *flags, "-o", str(place), f"./cmd/{name}"], folder)


def _ldflags(version: str) -> str:
    """What Fabric's Makefile says: commands without a version refuse some of their work."""
    commit = VERSIONS[version][:9]
    said = {"Version": version, "CommitSHA": commit}
    return " ".join(["-s", "-w", *(f"-X {_METADATA}.{key}={said[key]}" for key in said)])


def _go(arguments: list[str], folder: Path, **environ: str) -> bytes:
    command = ["nice", "-n", "15", "go", *arguments]
    env = os.environ | {"GOFLAGS": "-p=1"} | environ
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, check=True).stdout


def run(name: str, *arguments: object, version: str = "v3.1.5", **options: object) -> bytes:
    """Run one of Fabric's commands; return what it printed."""
    command = [str(fabric_tool(name, version)), *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, **options)  # type: ignore[call-overload]
    assert result.returncode == 0, result.stderr.decode()
    return bytes(result.stdout)
