# SPDX-License-Identifier: Apache-2.0
"""Fabric's own commands, built once from its Go module.

They are kept in the user's cache folder, fastledger/interop/fabric/VERSION, for every checkout.
"""

import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fastledger" / "interop"

VERSIONS = {
    "v3.1.5": "86c1172bec37e6590c6b1ae6f847833df48d65fc",
    "v2.5.15": "83c7930b3ea738eb2012da8316cfa8e749eac365",
    "v1.4.12": "v1.4.12",
}
"""Mostly commits; Go refuses tags whose major version the module's path does not have."""

STAND_INS = {
    "v3.1.5": ("v3.1.1", "v1.4.0-rc1.0.20250510200036-435a7f1a780a"),
    "v2.5.15": ("v2.5.9", "v1.4.0-rc1.0.20240618194258-7c3876255bf0"),
    "v1.4.12": ("v1.4.12", "v1.4.12"),
}
"""For module proxies that cannot look into Fabric's repository, but have these already."""

_VENDORED = Path(__file__).with_name("orderer_1_4_modules.txt")
"""What the orderer of 1.4 is built with: the commits that its ``Gopkg.lock`` names."""

_MODULE = "github.com/hyperledger/fabric"


def fabric_tool(name: str, version: str = "v3.1.5") -> Path:
    """Return one of Fabric's commands, building it if need be; skip the test if it cannot be."""
    release, query = _release(version)
    built = CACHE / "fabric" / release / name
    if not built.exists():
        try:
            _build(name, release, query, built)
        except subprocess.CalledProcessError as error:
            pytest.skip(f"cannot build Fabric's {name} {release}: {_why(error)}")
    return built


def fabric_helper(source: Path, version: str = "v3.1.5") -> Path:
    """Return a program of ours that is built within Fabric's source, as if it were its own.

    So it can use what Fabric's module keeps to itself. Skip the test if it cannot be built.

    Args:
        source: Its only file.
        version: Fabric's.
    """
    release, query = _release(version)
    content = source.read_bytes()
    name = f"{source.stem}-{hashlib.sha256(content).hexdigest()[:12]}"
    built = CACHE / "fabric" / release / name
    if not built.exists():
        try:
            _build_helper(source, query, built)
        except subprocess.CalledProcessError as error:
            pytest.skip(f"cannot build {source.name} within Fabric {release}: {_why(error)}")
    return built


def _build_helper(source: Path, query: str, built: Path) -> None:
    fabric = _source(query)
    # The module's folder cannot be written to; Go reads this file as if it were in it.
    overlay = built.with_suffix(".json")
    place = fabric / "cmd" / source.stem / "main.go"
    overlay.write_text(json.dumps({"Replace": {str(place): str(source)}}))
    command = ["build", "-mod=readonly", "-overlay", str(overlay), "-o", str(built)]
    try:
        _go([*command, f"./cmd/{source.stem}"], fabric)
    finally:
        overlay.unlink()


def sample_config(version: str = "v3.1.5") -> Path:
    """Return the folder of Fabric's core.yaml and orderer.yaml, which every real node needs."""
    release, _ = _release(version)
    return _samples(release)


def _samples(release: str) -> Path:
    return CACHE / "fabric" / release / "sampleconfig"


def _release(version: str) -> tuple[str, str]:
    """The release that can be had, and Go's name for it; skip the test if there is none."""
    if shutil.which("go") is None:
        pytest.skip(f"needs Go to build Fabric's commands, {version}")
    found, problem = _had(version)
    if found is None:
        pytest.skip(f"the Go module proxy does not give Fabric {version}: {problem}")
    return found


@functools.cache
def _had(version: str) -> tuple[tuple[str, str] | None, str]:
    """Find the first release that is here, or whose source can be fetched."""
    problem = ""
    for release, query in ((version, VERSIONS[version]), STAND_INS[version]):
        folder = _samples(release)
        if not folder.exists():
            try:
                source = _source(query)
            except subprocess.CalledProcessError as error:
                problem = problem or _why(error)
                continue
            _copy(source / folder.name, folder)
        return (release, query), ""
    return None, problem


def _source(query: str) -> Path:
    """The folder of Fabric's source in Go's cache of modules, which is read-only."""
    found = _go(["mod", "download", "-json", f"{_MODULE}@{query}"], Path("/"))
    return Path(json.loads(found)["Dir"])


def _copy(source: Path, folder: Path) -> None:
    """Copy what may not be written to into something that may."""
    shutil.copytree(source, folder, copy_function=shutil.copyfile)
    for made in (folder, *folder.rglob("*")):
        made.chmod(0o755 if made.is_dir() else 0o644)


def _build(name: str, release: str, query: str, place: Path) -> None:
    # Commands that do not know their version refuse some of their work.
    said = {"Version": release, "CommitSHA": query.rpartition("-")[2][:9]}
    flags = " ".join(["-s", "-w", *(f"-X {_MODULE}/common/metadata.{k}={said[k]}" for k in said)])
    build, source = ["build", "-ldflags", flags, "-o", str(place)], _source(query)
    # A module in the cache is without its vendored dependencies.
    if (source / "cmd" / name).exists():
        _go([*build, "-mod=readonly", f"./cmd/{name}"], source)
    else:
        _build_in_gopath([*build, f"./{name}"], source)


def _build_in_gopath(build: list[str], source: Path) -> None:
    """Build what is older than Go's modules, with its dependencies where it had them."""
    with tempfile.TemporaryDirectory() as gopath:
        place = Path(gopath) / "src" / _MODULE
        _copy(source, place)
        modules = _VENDORED.read_text().split()
        found = _go(["mod", "download", "-json", *modules], Path("/")).decode()
        # One JSON object after the other, each of many lines.
        for told in found.replace("\n}\n{", "\n}\0{").split("\0"):
            module = json.loads(told)
            _copy(Path(module["Dir"]), place / "vendor" / module["Path"])
        _go(build, place, GO111MODULE="off", GOPATH=gopath, GOFLAGS="")


def _go(arguments: list[str], folder: Path, **env: str) -> bytes:
    command = ["nice", "-n", "15", "go", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=os.environ | env, capture_output=True, check=True
    )
    return done.stdout


def _why(error: "subprocess.CalledProcessError") -> str:
    """The last thing that Go said; with -json it says that on standard output."""
    if error.stdout.startswith(b"{"):
        told = re.search(r'^\t"Error": (".*")', error.stdout.decode(), re.MULTILINE)
        return str(json.loads(told[1])) if told else "an unknown error"
    lines = error.stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else f"exit code {error.returncode}"


def run(name: str, *arguments: object, version: str = "v3.1.5", **options: object) -> bytes:
    """Run one of Fabric's commands; return what it printed."""
    command = [str(fabric_tool(name, version)), *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, **options)  # type: ignore[call-overload]
    assert result.returncode == 0, result.stderr.decode()
    return bytes(result.stdout)


def examples() -> settings:
    """How many inputs a comparison makes up: FASTLEDGER_INTEROP_EXAMPLES, or else a few."""
    slow_or_shared = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
    return settings(
        max_examples=int(os.environ.get("FASTLEDGER_INTEROP_EXAMPLES", "100")),
        deadline=None,
        suppress_health_check=slow_or_shared,
    )
