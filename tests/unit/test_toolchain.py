# SPDX-License-Identifier: Apache-2.0
"""A Rust that is missing or too old is said at once, with what to do."""

import subprocess
import sys
from pathlib import Path

import pytest

from corpora import ROOT

SCRIPT = ROOT / "tools" / "toolchain.py"


def check(folder: Path, *tools: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *tools],
        env={"PATH": str(folder)},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stderr


def install(folder: Path, tool: str, says: str) -> None:
    path = folder / tool
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)


@pytest.mark.parametrize("version", ["1.89.0", "1.95.0 (59807616e 2026-04-14)", "2.0.0"])
def test_a_new_enough_rust_passes(tmp_path: Path, version: str) -> None:
    install(tmp_path, "rustc", f"rustc {version}")
    install(tmp_path, "cargo", f"cargo {version}")
    assert check(tmp_path) == (0, "")


def test_an_old_rust_is_named_with_the_version_that_is_needed(tmp_path: Path) -> None:
    install(tmp_path, "rustc", "rustc 1.88.0 (6b00bc388 2025-06-23)")
    install(tmp_path, "cargo", "cargo 1.89.0")
    code, said = check(tmp_path)
    assert code == 1
    assert said.startswith("rustc 1.88.0 (6b00bc388 2025-06-23) is too old: fastledger needs Rust ")
    assert "rustup update stable" in said


def test_without_rust_it_is_said_how_to_get_it(tmp_path: Path) -> None:
    code, said = check(tmp_path)
    assert code == 1
    assert "rustc is missing" in said
    assert "cargo is missing" in said
    assert "https://rustup.rs" in said


def test_a_missing_component_is_named(tmp_path: Path) -> None:
    assert check(tmp_path, "cargo-clippy") == (
        1,
        "cargo-clippy is missing: rustup component add clippy\n",
    )
