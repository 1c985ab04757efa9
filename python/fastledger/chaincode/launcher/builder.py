# SPDX-License-Identifier: Apache-2.0
"""External builders: programs that detect, build, release and run chaincode.

The contract is Fabric's: ``bin/detect SRC METADATA``, ``bin/build SRC METADATA OUT``,
``bin/release OUT RELEASE`` (optional) and ``bin/run OUT RUN_METADATA``; a release that has
``chaincode/server/connection.json`` is dialled instead of run.
"""

import asyncio
import contextlib
import functools
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fastledger.chaincode.launcher.builds import DEFAULT_TIMEOUT_S, Builds, Recipe
from fastledger.chaincode.launcher.connection import parse_connection
from fastledger.chaincode.launcher.external import dial
from fastledger.chaincode.launcher.instance import Instance, Serve, Start
from fastledger.chaincode.launcher.output import Output
from fastledger.chaincode.package import ChaincodePackage
from fastledger.common.errors import ChaincodeError, InputError, told

log = logging.getLogger(__name__)

DEFAULT_PROPAGATED = ("LD_LIBRARY_PATH", "LIBPATH", "PATH", "TMPDIR")
TERM_TIMEOUT_S = 5.0
SERVER_FILE = Path("chaincode", "server", "connection.json")


@dataclass(frozen=True, slots=True)
class Builder:
    """One entry of ``chaincode.externalBuilders``."""

    name: str
    path: Path
    propagate_environment: Sequence[str] = ()

    def program(self, name: str) -> Path:
        """Where one of its programs is."""
        return self.path / "bin" / name

    def environment(self) -> dict[str, str]:
        """The part of the peer's environment that its programs see."""
        names = (*self.propagate_environment, *DEFAULT_PROPAGATED)
        return {name: os.environ[name] for name in names if name in os.environ}


@dataclass(frozen=True, slots=True)
class PeerConnection:
    """How a chaincode that was run finds the peer."""

    address: str
    client_cert: str = ""
    client_key: str = ""
    root_cert: str = ""
    mspid: str = ""


class ExternalBuilders:
    """All configured builders."""

    def __init__(
        self,
        folder: Path,
        builders: Sequence[Builder],
        connection: PeerConnection,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> None:
        """Keep builds under ``folder``; each may take so long."""
        self._builds = Builds(folder, timeout_s, closed=False)
        self._builders = builders
        self._connection = connection

    async def build(self, ccid: str, package: ChaincodePackage) -> Start | None:
        """Detect, build and release; None when no builder detects the package.

        Raises:
            ChaincodeError: The code cannot be unpacked, or a builder took it and failed.
        """
        if not self._builders:
            return None
        with tempfile.TemporaryDirectory(prefix="fastledger-build-") as scratch:
            context = Path(scratch)
            known = await self._builds.sound(ccid, package.digest)
            builder = next((one for one in self._builders if one.name == known), None)
            if builder is None:
                await asyncio.to_thread(_unpack, package, context)
                builder = await self._detect(context / "src", context / "metadata")
            if builder is None:
                return None
            make = functools.partial(_build, builder, package, context)
            folder = await self._builds.get(ccid, Recipe(builder.name, package.digest, make))
        return functools.partial(_start_or_dial, builder, ccid, folder, self._connection)

    async def _detect(self, source: Path, metadata: Path) -> Builder | None:
        for builder in self._builders:
            try:
                await _run(builder, "detect", source, metadata)
            except ChaincodeError as error:
                log.debug("builder %s does not take it: %s", builder.name, error)
            else:
                return builder
        return None


def _unpack(package: ChaincodePackage, context: Path) -> None:
    source, metadata = context / "src", context / "metadata"
    source.mkdir()
    metadata.mkdir()
    try:
        package.unpack(source)
    except InputError as error:
        raise ChaincodeError(f"could not create build context: {error}") from error
    (metadata / "metadata.json").write_bytes(package.metadata)


async def _build(builder: Builder, package: ChaincodePackage, context: Path, folder: Path) -> None:
    source = context / "src"
    if not source.is_dir():
        await asyncio.to_thread(_unpack, package, context)
    built, release = folder / "bld", folder / "release"
    built.mkdir()
    release.mkdir()
    try:
        await _run(builder, "build", source, context / "metadata", built)
    except ChaincodeError as error:
        raise ChaincodeError(f"external builder failed to build: {error}") from error
    if builder.program("release").is_file():
        try:
            await _run(builder, "release", built, release)
        except ChaincodeError as error:
            raise ChaincodeError(f"external builder failed to release: {error}") from error


async def _start_or_dial(
    builder: Builder, ccid: str, folder: Path, connection: PeerConnection, serve: Serve
) -> Instance:
    server = folder / "release" / SERVER_FILE
    if server.is_file():
        return await dial(ccid, parse_connection(server.read_bytes(), SERVER_FILE.name), serve)
    return await _start(builder, ccid, folder / "bld", connection)


async def _run(builder: Builder, name: str, *arguments: Path) -> None:
    process = await _spawn(builder, name, arguments, builder.environment())
    output = Output(f"externalbuilder.{builder.name}")
    try:
        if process.stdout is not None:
            await output.follow(process.stdout)
        status = await process.wait()
    except asyncio.CancelledError:
        process.kill()
        raise
    if status:
        raise ChaincodeError(
            f"external builder '{builder.name}' failed: exit status {status}"
            + (f"; its {name} printed:\n{output.last}" if output.last else "")
        )


async def _spawn(
    builder: Builder, name: str, arguments: Sequence[Path], env: Mapping[str, str]
) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            builder.program(name),
            *arguments,
            env=dict(env),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise ChaincodeError(
            f"external builder '{builder.name}' failed: cannot run its {name}: {told(error)}"
        ) from error


async def _start(builder: Builder, ccid: str, folder: Path, connection: PeerConnection) -> Instance:
    launch = Path(tempfile.mkdtemp(prefix="fastledger-run-"))
    config = {
        "chaincode_id": ccid,
        "peer_address": connection.address,
        "client_cert": connection.client_cert,
        "client_key": connection.client_key,
        "root_cert": connection.root_cert,
        "mspid": connection.mspid,
    }
    file = launch / "chaincode.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(config), "utf-8")
    try:
        process = await _spawn(builder, "run", (folder, launch), builder.environment())
    except BaseException:
        shutil.rmtree(launch, ignore_errors=True)
        raise
    return _Session(builder.name, process, launch)


class _Session:
    """A builder's ``run`` program, which lives as long as the chaincode."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, launch: Path) -> None:
        self._process = process
        self._launch = launch
        self._output = Output(f"externalbuilder.{name}")
        self._following = (
            asyncio.create_task(self._output.follow(process.stdout)) if process.stdout else None
        )

    async def wait(self) -> str:
        status = await self._process.wait()
        return self._output.ending("the builder's run program", status)

    async def stop(self) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), TERM_TIMEOUT_S)
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, 9)
                await self._process.wait()
        if self._following is not None:
            self._following.cancel()
        shutil.rmtree(self._launch, ignore_errors=True)
