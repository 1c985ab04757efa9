# SPDX-License-Identifier: Apache-2.0
"""The sandbox of a chaincode process: what it can see, reach and use up.

====================== ========================== ============================================
what                   bubblewrap                 namespaces (util-linux ``unshare``)
====================== ========================== ============================================
files                  only what is listed here   the peer's user's, but for the hidden folders
network                none but its own loopback  none but its own loopback
other processes        invisible                  invisible
privileges             none, and none to gain     none, and none to gain
memory, files, threads limited                    limited
====================== ========================== ============================================

Without either there is no sandbox, and unless the configuration says ``none`` no chaincode.
"""

import enum
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from fastledger.common.errors import ChaincodeError

_SYSTEM = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/etc/ld.so.cache",
    "/etc/alternatives",
)
"""Programs and libraries of the system; no configuration, no homes, no devices."""

RUN_FOLDER = "/run/fastledger"
SOCKET_NAME = "peer.sock"


class Kind(enum.Enum):
    """``chaincode.process.sandbox``."""

    AUTO = "auto"
    """bubblewrap if it works here, else namespaces, else an error."""

    BUBBLEWRAP = "bubblewrap"
    NAMESPACES = "namespaces"
    NONE = "none"
    """Resource limits only: for trusted chaincode on a developer's machine."""


@dataclass(frozen=True, slots=True)
class ResourceLimits:
    """What one chaincode process may use; 0 lifts a limit."""

    memory_bytes: int = 2 * 1024**3
    """Writable memory (``RLIMIT_DATA``) of each of its processes."""

    file_bytes: int = 64 * 1024**2
    """Size of a file: it can write to its /tmp only."""

    open_files: int = 1024
    processes: int = 512
    """Processes and threads."""

    tmp_bytes: int = 64 * 1024**2
    """Size of its /tmp."""


@dataclass(frozen=True, slots=True)
class Jail:
    """One process to be confined."""

    argv: Sequence[str]
    env: Mapping[str, str]
    folder: Path
    """The chaincode's own folder: read-only, and its working directory."""

    socket_folder: Path
    """Holds the socket behind which the peer listens."""

    readonly: Sequence[Path] = ()
    hidden: Sequence[Path] = ()
    """The peer's folders with keys and ledgers: covered where they would be visible."""

    limits: ResourceLimits = field(default_factory=ResourceLimits)


def choose(kind: Kind) -> Kind:
    """Turn AUTO into what works here.

    Raises:
        ChaincodeError: What is asked for does not work here; the text says what to install.
    """
    wanted = (Kind.BUBBLEWRAP, Kind.NAMESPACES) if kind is Kind.AUTO else (kind,)
    problems = []
    for candidate in wanted:
        problem = _problem(candidate)
        if problem is None:
            return candidate
        problems.append(f"{candidate.value}: {problem}")
    raise ChaincodeError(
        f"chaincode cannot be confined here ({'; '.join(problems)}). Install bubblewrap, or run "
        "the chaincode in Docker or as a service (ccaas), or, for chaincode that you trust as "
        "yourself, set chaincode.process.sandbox to none"
    )


def socket_path(kind: Kind, jail: Jail) -> str:
    """Where the process finds the peer's socket."""
    folder = RUN_FOLDER if kind is Kind.BUBBLEWRAP else str(jail.socket_folder)
    return f"{folder}/{SOCKET_NAME}"


def command(kind: Kind, jail: Jail) -> list[str]:
    """The command line that runs a process confined; ``kind`` is not AUTO."""
    limits = _prlimit(jail.limits)
    if kind is Kind.BUBBLEWRAP:
        return [*limits, *_bubblewrap(jail), "--", *jail.argv]
    if kind is Kind.NAMESPACES:
        return [*limits, *_namespaces(jail), *jail.argv]
    return [*limits, *jail.argv]


@cache
def _problem(kind: Kind) -> str | None:
    """Try a sandbox on a program that does nothing; None when it works."""
    if kind is Kind.NONE:
        return None
    tools = {Kind.BUBBLEWRAP: ("bwrap",), Kind.NAMESPACES: ("unshare", "setpriv", "mount")}[kind]
    for tool in (*tools, "prlimit"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    jail = Jail(["/bin/true"], {}, Path("/usr"), Path("/usr"))
    try:
        done = subprocess.run(  # noqa: S603 (our own command line)
            command(kind, jail), env={}, capture_output=True, timeout=_TRIAL_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    text = done.stderr.decode("utf-8", "replace").strip()
    return None if done.returncode == 0 else text or f"ended with {done.returncode}"


_TRIAL_TIMEOUT_S = 30


def _tool(name: str) -> str:
    return shutil.which(name) or name


def _prlimit(limits: ResourceLimits) -> list[str]:
    options = {
        "data": limits.memory_bytes,
        "fsize": limits.file_bytes,
        "nofile": limits.open_files,
        "nproc": limits.processes,
    }
    given = [f"--{name}={value}" for name, value in options.items() if value]
    return [_tool("prlimit"), "--core=0", *given, "--"]


def _bubblewrap(jail: Jail) -> list[str]:
    argv = [
        *(_tool("bwrap"), "--unshare-all", "--unshare-user", "--new-session"),
        *("--die-with-parent", "--cap-drop", "ALL", "--hostname", "chaincode"),
        *("--proc", "/proc", "--dev", "/dev"),
    ]
    if jail.limits.tmp_bytes:
        argv += ["--size", str(jail.limits.tmp_bytes)]
    argv += ["--tmpfs", "/tmp"]  # noqa: S108 (the sandbox's own)
    for system in _SYSTEM:
        argv += _bind_system(Path(system))
    for path in _outermost([*jail.readonly, jail.folder]):
        if not path.is_relative_to("/usr"):
            argv += ["--ro-bind", str(path), str(path)]
    argv += ["--ro-bind", str(jail.socket_folder), RUN_FOLDER]
    argv += ["--remount-ro", "/", "--chdir", str(jail.folder), "--clearenv"]
    for name, value in jail.env.items():
        argv += ["--setenv", name, value]
    return argv


def _bind_system(path: Path) -> list[str]:
    if path.is_symlink():
        # /lib is usr/lib on a merged system.
        return ["--symlink", str(path.readlink()), str(path)]
    return ["--ro-bind", str(path), str(path)] if path.exists() else []


def _outermost(paths: Sequence[Path]) -> list[Path]:
    """Leave out what lies inside another of them."""
    unique = sorted(set(paths))
    return [p for p in unique if not any(p != q and p.is_relative_to(q) for q in unique)]


def _namespaces(jail: Jail) -> list[str]:
    hide = " ".join(
        f"mount -t tmpfs -o size=4k,mode=0500 tmpfs {_quoted(path)} &&"
        for path in jail.hidden
        if path.is_dir()
    )
    script = f'{hide} cd {_quoted(jail.folder)} && exec "$@"'
    return [
        *(_tool("unshare"), "--user", "--map-root-user", "--net", "--pid", "--fork", "--ipc"),
        *("--uts", "--mount", "--mount-proc", "--kill-child", "/bin/sh", "-c", script, "sandbox"),
        *(_tool("setpriv"), "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"),
        *(_tool("env"), "-i", *(f"{name}={value}" for name, value in jail.env.items())),
    ]


def _quoted(path: Path) -> str:
    return "'" + os.fspath(path).replace("'", "'\\''") + "'"
