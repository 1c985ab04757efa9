# SPDX-License-Identifier: Apache-2.0
"""What a platform does, and the tools that build with."""

import asyncio
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from fastledger.chaincode.package import ChaincodePackage
from fastledger.common.errors import ChaincodeError

MAX_BUILD_OUTPUT = 4096
"""Bytes of a failed build's output that are shown: its end."""


@dataclass(frozen=True, slots=True)
class Program:
    """How to run a chaincode that is built."""

    argv: Sequence[str]
    """``{address}`` stands for where the peer is."""

    env: Mapping[str, str] = field(default_factory=dict)
    readonly: Sequence[Path] = ()
    """What the program needs to see besides its own folder and the system's."""

    unix_socket: bool = False
    """Whether it can dial a Unix domain socket; otherwise a relay gives it TCP on loopback."""


class Platform(Protocol):
    """One language."""

    def detect(self, names: set[str]) -> bool:
        """Whether files of these paths are such a chaincode."""

    async def build(self, package: ChaincodePackage, folder: Path) -> None:
        """Build in a folder that has the package's code unpacked.

        Raises:
            ChaincodeError: A tool is missing or failed.
        """

    def program(self, package: ChaincodePackage, folder: Path) -> Program:
        """Say how to run what was built.

        Raises:
            ChaincodeError: It cannot be found.
        """


def find_tool(name: str, why: str) -> str:
    """Find a program on the path.

    Raises:
        ChaincodeError: It is not installed.
    """
    found = shutil.which(name)
    if found is None:
        raise ChaincodeError(
            f"{name} is not installed, and {why}; install it, or run the chaincode in Docker or as "
            "a service (ccaas)"
        )
    return found


async def run_tool(argv: Sequence[str], cwd: Path, env: Mapping[str, str] | None = None) -> None:
    """Run a build step.

    Raises:
        ChaincodeError: It failed; the text ends with its output.
    """
    process = await asyncio.create_subprocess_exec(
        *argv,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        text = output[-MAX_BUILD_OUTPUT:].decode("utf-8", "replace").strip()
        raise ChaincodeError(f"{' '.join(argv)} failed with {process.returncode}:\n{text}")
