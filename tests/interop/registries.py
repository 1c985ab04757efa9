# SPDX-License-Identifier: Apache-2.0
"""What tests fetch from the registries of other languages, which may be out of reach."""

import shutil
import subprocess
from pathlib import Path

import pytest

PATIENCE_S = 300
MAVEN = ("mvn", "-q", "-B", "-ntp")


def need(*tools: str) -> None:
    """Skip the test unless all of these are installed."""
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool}")


def fetch(folder: Path, *command: str) -> None:
    """Let a package manager fetch what it needs in a folder; skip the test if it cannot."""
    need(command[0])
    done = _run(folder, command)
    if done.returncode:
        lines = (done.stderr + done.stdout).strip().splitlines() or ["it does not say why"]
        pytest.skip(f"{' '.join(command)} fetches nothing here: {lines[0]}")


def build(folder: Path, *command: str) -> None:
    """Build from what was fetched."""
    done = _run(folder, command)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"


def build_with_maven(folder: Path, *goals: str) -> None:
    """Build, and fetch whatever the plugins turn out to need; skip the test without a registry."""
    need("mvn", "java")
    done = _run(folder, (*MAVEN, *goals))
    said = done.stdout + done.stderr
    if done.returncode and any(text in said for text in _OUT_OF_REACH):
        first = next(line for line in said.splitlines() if "[ERROR]" in line)
        pytest.skip(f"mvn fetches nothing here: {first}")
    assert done.returncode == 0, said


_OUT_OF_REACH = ("Could not transfer", "could not be resolved", "Could not resolve")


def _run(folder: Path, command: tuple[str, ...]) -> "subprocess.CompletedProcess[str]":
    nice = ["nice", *command]
    return subprocess.run(nice, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S)
