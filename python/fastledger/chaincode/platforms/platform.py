# SPDX-License-Identifier: Apache-2.0
"""What a platform does, and the tools that build with."""

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from fastledger.chaincode.package import ChaincodePackage
from fastledger.common.errors import ChaincodeError, told

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

    def program(self, package: ChaincodePackage, folder: Path, memory_bytes: int) -> Program:
        """Say how to run what was built.

        Args:
            package: The package.
            folder: Where it was built.
            memory_bytes: How much memory the process will have, which runtimes with a heap of
                their own do not see; 0 when there is no limit.

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
    """Run a build step; whatever it started ends with it.

    Raises:
        ChaincodeError: It failed; the text ends with its output, as Fabric's does.
    """
    process = await _started(argv, cwd, {**os.environ, **(env or {})})
    try:
        output = await _end_of(process.stdout) if process.stdout else b""
        await process.wait()
    except BaseException:
        await _ended(process)
        raise
    if process.returncode:
        # Where the peer keeps its builds is nobody else's affair.
        text = output.decode("utf-8", "replace").replace(f"{cwd}/", "").replace(str(cwd), ".")
        raise ChaincodeError(
            f"{Path(argv[0]).name} {_step(argv)} failed: Error returned from build: "
            f'{process.returncode} "{text}"'
        )


async def _started(
    argv: Sequence[str], cwd: Path, env: Mapping[str, str]
) -> asyncio.subprocess.Process:
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *argv,
            cwd=cwd,
            env=env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    )
    try:
        return await asyncio.shield(starting)
    except OSError as error:
        raise ChaincodeError(f"cannot run {Path(argv[0]).name}: {told(error)}") from error
    except asyncio.CancelledError:
        # It runs before asyncio says so, and may have started others already.
        with contextlib.suppress(OSError):
            await _ended(await starting)
        raise


async def _ended(process: asyncio.subprocess.Process) -> None:
    """End a process with all that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _step(argv: Sequence[str]) -> str:
    """The subcommand of a tool: ``build`` of ``go build -o …``, ``pip`` of ``python -m pip …``."""
    return next((word for word in argv[1:] if not word.startswith("-")), "")


async def _end_of(reader: asyncio.StreamReader) -> bytes:
    """Read to the end, and keep the end."""
    kept = b""
    while chunk := await reader.read(MAX_BUILD_OUTPUT):
        kept = (kept + chunk)[-MAX_BUILD_OUTPUT:]
    return kept
