# SPDX-License-Identifier: Apache-2.0
"""Says whether the Rust tools are there and new enough, and what to do if they are not.

    python tools/toolchain.py [TOOL ...]

The least version is `rust-version` in Cargo.toml. Without arguments it looks at rustc and cargo.
"""

import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
HINT = "install or update Rust by https://rustup.rs: rustup update stable"
# Name the tool's part of Rust, where it is not in every installation.
COMPONENTS = {"cargo-clippy": "clippy", "rustfmt": "rustfmt"}


def needed() -> str:
    """Return the least version of Rust, as Cargo.toml has it."""
    manifest = tomllib.loads((ROOT / "Cargo.toml").read_text("utf-8"))
    return str(manifest["workspace"]["package"]["rust-version"])


def problem(tool: str, least: str) -> str | None:
    """Say what is wrong with a tool, None if nothing."""
    try:
        said = subprocess.run(
            [tool, "--version"], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        if component := COMPONENTS.get(tool):
            return f"{tool} is missing: rustup component add {component}"
        return f"{tool} is missing: fastledger needs Rust {least} or later; {HINT}"
    if tool in COMPONENTS:
        # They have version numbers of their own, and come with rustc.
        return None
    found = re.search(r"\d+(?:\.\d+)+", said)
    if found is None or _numbers(found[0]) < _numbers(least):
        return f"{said.strip()} is too old: fastledger needs Rust {least} or later; {HINT}"
    return None


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def main(tools: Sequence[str]) -> int:
    """Print each problem; return 1 if there is one."""
    problems = [said for tool in tools or ("rustc", "cargo") if (said := problem(tool, needed()))]
    for said in problems:
        print(said, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
