# SPDX-License-Identifier: Apache-2.0
"""Chaincode as a child process in a sandbox: the default.

Every process gets a Unix domain socket of its own, so that who registers there is known without
any certificate, and nothing else of the peer can be reached.
"""

import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from fastledger.chaincode.launcher import cgroups, memory, relay
from fastledger.chaincode.launcher.builds import DEFAULT_TIMEOUT_S, Builds, Recipe
from fastledger.chaincode.launcher.instance import Instance, Serve, Start
from fastledger.chaincode.launcher.output import Output
from fastledger.chaincode.launcher.sandbox import (
    SOCKET_NAME,
    Jail,
    Kind,
    ResourceLimits,
    choose,
    command,
    socket_path,
    user_of,
)
from fastledger.chaincode.listener import Listener
from fastledger.chaincode.package import ChaincodePackage
from fastledger.chaincode.platforms import Program, platform_of
from fastledger.shim.conversation import PATIENCE_VARIABLE

STOP_GRACE_S = 2.0
"""Between SIGTERM and SIGKILL."""

RELAY_PORT = 7052
"""Where the peer is found inside a sandbox by shims that dial TCP; Fabric's usual port."""


@dataclass(frozen=True, slots=True)
class ProcessConfig:
    """Settings of chaincode processes."""

    folder: Path
    """Where builds are kept."""

    mspid: str = ""
    sandbox: Kind = Kind.AUTO
    limits: ResourceLimits = field(default_factory=ResourceLimits)
    build_timeout_s: float = DEFAULT_TIMEOUT_S
    """``chaincode.installTimeout``."""

    execute_timeout_s: float = 30.0
    """``chaincode.executetimeout``: our shim does not begin what has waited for longer."""

    logging_level: str = "info"
    """``chaincode.logging.level``."""

    logging_shim: str = "warning"
    """``chaincode.logging.shim``: at info, Node's prints a line or two per transaction."""


class ProcessLauncher:
    """Builds with local tools and starts child processes."""

    def __init__(self, config: ProcessConfig) -> None:
        """Nothing is built or started yet."""
        self._config = config
        self._builds = Builds(config.folder, config.build_timeout_s)

    async def build(self, ccid: str, package: ChaincodePackage) -> Start:
        """Build if need be.

        Raises:
            ChaincodeError: No sandbox, a tool is missing, or the build failed.
        """
        kind = await asyncio.to_thread(choose, self._config.sandbox)
        platform = await asyncio.to_thread(platform_of, package)

        async def make(folder: Path) -> None:
            await asyncio.to_thread(package.unpack, folder)
            await platform.build(package, folder)

        recipe = Recipe(type(platform).__name__.lower(), package.digest, make)
        folder = await self._builds.get(ccid, recipe)
        program = platform.program(package, folder, self._config.limits.memory_bytes)

        async def start(serve: Serve) -> Instance:
            process = _Process(ccid, package.label)
            try:
                await process.listen(serve)
                await process.run(kind, self._config, folder, program)
            except BaseException:
                await process.stop()
                raise
            return process

        return start


class _Process:
    """One chaincode process with its socket."""

    def __init__(self, ccid: str, label: str) -> None:
        self._ccid = ccid
        # Short, as the path of a Unix domain socket has to be.
        self._folder = Path(tempfile.mkdtemp(prefix="fastledger-cc-"))
        self._listener: Listener | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._output = Output(label)
        self._following: asyncio.Task[None] | None = None
        self._group: cgroups.Group | None = None
        self._watching: asyncio.Task[None] | None = None

    async def listen(self, serve: Serve) -> None:
        self._listener = Listener(serve, expected_ccid=self._ccid)
        await self._listener.start(f"unix:{self._folder / SOCKET_NAME}")

    async def run(self, kind: Kind, config: ProcessConfig, folder: Path, program: Program) -> None:
        jail = _jail(self._ccid, config, folder, program, self._folder, kind)
        if jail.uid is not None:
            # Nobody else may connect: whoever does is this chaincode.
            for path in (self._folder, self._folder / SOCKET_NAME):
                os.chown(path, jail.uid, jail.uid)
        limits = config.limits
        self._group = await asyncio.to_thread(cgroups.make, limits.memory_bytes, limits.processes)
        joining = self._group.joining() if self._group else []
        self._process = await asyncio.create_subprocess_exec(
            *joining,
            *command(kind, jail),
            cwd=folder,
            env=dict(jail.env),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        if self._process.stdout is not None:
            self._following = asyncio.create_task(self._output.follow(self._process.stdout))
        if self._group is None and limits.memory_bytes:
            watching = memory.watch(self._process.pid, limits.memory_bytes)
            self._watching = asyncio.create_task(watching)

    async def wait(self) -> str:
        if self._process is None:
            return "it was never started"
        status = await self._process.wait()
        if self._following is not None:
            # A grandchild may hold the pipe open.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._following), STOP_GRACE_S)
        cause = "its memory was used up" if self._out_of_memory() else ""
        return self._output.ending("the process", status, cause)

    def _out_of_memory(self) -> bool:
        if self._group is not None:
            return self._group.ran_out_of_memory()
        return self._watching is not None and self._watching.done()

    async def stop(self) -> None:
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOP_GRACE_S)
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, 9)
                await process.wait()
        for task in (self._following, self._watching):
            if task is not None:
                task.cancel()
        if self._group is not None:
            await asyncio.to_thread(self._group.remove)
        if self._listener is not None:
            await self._listener.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


def _jail(
    ccid: str,
    config: ProcessConfig,
    folder: Path,
    program: Program,
    socket_folder: Path,
    kind: Kind,
) -> Jail:
    bare = Jail([], {}, folder, socket_folder)
    socket = socket_path(kind, bare)
    readonly = list(program.readonly)
    if program.unix_socket:
        address = f"unix:{socket}"
        argv = [argument.format(address=address) for argument in program.argv]
    else:
        address = f"127.0.0.1:{RELAY_PORT}"
        script = str(Path(relay.__file__))
        argv = [sys.executable, "-I", script, str(RELAY_PORT), socket]
        argv += [argument.format(address=address) for argument in program.argv]
        readonly += [Path(script), Path(sys.prefix), Path(sys.base_prefix)]
    env = {
        "PATH": os.defpath if not os.environ.get("PATH") else os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HOME": "/tmp",  # noqa: S108 (the sandbox's own)
        "CORE_CHAINCODE_ID_NAME": ccid,
        "CORE_PEER_ADDRESS": address,
        "CORE_PEER_TLS_ENABLED": "false",
        "CORE_PEER_LOCALMSPID": config.mspid,
        PATIENCE_VARIABLE: f"{config.execute_timeout_s:g}",
        "CORE_CHAINCODE_LOGGING_LEVEL": config.logging_level,
        "CORE_CHAINCODE_LOGGING_SHIM": config.logging_shim,
        **program.env,
    }
    return Jail(
        argv=argv,
        env=env,
        folder=folder,
        socket_folder=socket_folder,
        readonly=readonly,
        limits=config.limits,
        uid=user_of(ccid) if kind is not Kind.NONE else None,
    )
