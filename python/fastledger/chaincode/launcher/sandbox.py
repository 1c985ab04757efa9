# SPDX-License-Identifier: Apache-2.0
"""The sandbox of a chaincode process: what it can see, reach and use up.

====================== ========================== ============================================
what                   bubblewrap                 namespaces (util-linux ``unshare``)
====================== ========================== ============================================
files                  only what is listed here   only what is listed here
network                none but its own loopback  none but its own loopback
other processes        invisible                  invisible
privileges             none, and none to gain     none, and none to gain
system calls           those of a container       those of a container
files, threads         limited                    limited
====================== ========================== ============================================

Memory and processes are limited for all of a chaincode's processes together by `cgroups`, or, where
those cannot be had, by `memory`, and for each process besides.

Where the peer is root, every chaincode gets a user id of its own, which owns nothing: for root the
kernel lifts the limit of processes, in whatever namespace. Where it is not, the sandbox is a user
namespace.

Without either there is no sandbox, and unless the configuration says ``none`` no chaincode.
"""

import enum
import os
import shutil
import subprocess
import sys
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from fastledger.chaincode.launcher import seccomp
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
    limits: ResourceLimits = field(default_factory=ResourceLimits)
    uid: int | None = None
    """User to become, where the peer is root."""


def user_of(ccid: str) -> int | None:
    """The user id of a chaincode, far from those of people; None where the peer is not root."""
    if os.geteuid() != 0:
        return None
    return _FIRST_UID + zlib.crc32(ccid.encode()) % _UIDS


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
    folder = str(jail.socket_folder) if kind is Kind.NONE else RUN_FOLDER
    return f"{folder}/{SOCKET_NAME}"


def command(kind: Kind, jail: Jail) -> list[str]:
    """The command line that runs a process confined; ``kind`` is not AUTO."""
    limits = _prlimit(jail.limits)
    if kind is Kind.NONE:
        return [*limits, *jail.argv]
    jail = replace(jail, readonly=[*jail.readonly, *_FILTER_NEEDS])
    confined = [*_drop(jail), *_FILTER, *jail.argv]
    if kind is Kind.BUBBLEWRAP:
        return [*limits, *_bubblewrap(jail), "--", *confined]
    return [*limits, *_namespaces(jail), *confined]


@cache
def _problem(kind: Kind) -> str | None:
    """Try a sandbox on a program that does nothing; None when it works."""
    if kind is Kind.NONE:
        return None
    tools = {Kind.BUBBLEWRAP: ("bwrap",), Kind.NAMESPACES: ("unshare", "mount", "chroot")}[kind]
    for tool in (*tools, "prlimit", "setpriv"):
        if _found(tool) is None:
            return f"{tool} is not installed"
    jail = Jail(["/bin/true"], {}, Path("/usr"), Path("/usr"), uid=user_of("trial"))
    try:
        done = subprocess.run(  # noqa: S603 (our own command line)
            command(kind, jail), env={}, capture_output=True, timeout=_TRIAL_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    text = done.stderr.decode("utf-8", "replace").strip()
    return None if done.returncode == 0 else text or f"ended with {done.returncode}"


_TRIAL_TIMEOUT_S = 30
_FIRST_UID = 1_900_000_000
_UIDS = 100_000_000


_ADMINISTRATORS = "/usr/sbin:/sbin"
"""Where Debian keeps some of the tools, off the path of people."""

_PYTHON = Path(sys.executable).resolve()
_FILTER = [str(_PYTHON), "-I", "-S", str(Path(seccomp.__file__))]
_FILTER_NEEDS = [_PYTHON, Path(sys.base_prefix), Path(seccomp.__file__)]


def _found(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{_ADMINISTRATORS}")


def _tool(name: str) -> str:
    return _found(name) or name


def _prlimit(limits: ResourceLimits) -> list[str]:
    options = {
        "data": limits.memory_bytes,
        "fsize": limits.file_bytes,
        "nofile": limits.open_files,
        "nproc": limits.processes,
    }
    given = [f"--{name}={value}" for name, value in options.items() if value]
    return [_tool("prlimit"), "--core=0", *given, "--"]


def _drop(jail: Jail) -> list[str]:
    """Give up every privilege, for good; become the chaincode's own user where there is one."""
    argv = [_tool("setpriv"), "--no-new-privs", "--inh-caps=-all"]
    if jail.uid is None:
        return argv
    user = [f"--reuid={jail.uid}", f"--regid={jail.uid}", "--clear-groups"]
    return [*argv, "--bounding-set=-all", *user]


def _bubblewrap(jail: Jail) -> list[str]:
    argv = [
        *(_tool("bwrap"), "--unshare-ipc", "--unshare-net", "--unshare-pid", "--unshare-uts"),
        *("--unshare-cgroup-try", "--new-session", "--die-with-parent", "--hostname", "chaincode"),
        *("--proc", "/proc", "--dev", "/dev"),
    ]
    if jail.uid is None:
        argv += ["--unshare-user", "--cap-drop", "ALL"]
    if jail.limits.tmp_bytes:
        argv += ["--size", str(jail.limits.tmp_bytes)]
    argv += ["--perms", "1777", "--tmpfs", "/tmp"]  # noqa: S108 (the sandbox's own)
    for system in _SYSTEM:
        argv += _bind_system(Path(system))
    binds = {path: path for path in _outermost([*jail.readonly, jail.folder])}
    binds[Path(RUN_FOLDER)] = jail.socket_folder
    for inside, outside in binds.items():
        if not inside.is_relative_to("/usr"):
            argv += [*_parents(inside), "--ro-bind", str(outside), str(inside)]
    argv += ["--remount-ro", "/", "--chdir", str(jail.folder), "--clearenv"]
    for name, value in jail.env.items():
        argv += ["--setenv", name, value]
    return argv


def _bind_system(path: Path) -> list[str]:
    if path.is_symlink():
        # /lib is usr/lib on a merged system.
        return ["--symlink", str(path.readlink()), str(path)]
    return [*_parents(path), "--ro-bind", str(path), str(path)] if path.exists() else []


def _parents(path: Path) -> list[str]:
    """Make what leads to a path, open to the chaincode's user: bubblewrap makes it for its own."""
    argv = []
    for parent in reversed(path.parents[:-1]):
        argv += ["--perms", "0755", "--dir", str(parent)]
    return argv


def _outermost(paths: Sequence[Path]) -> list[Path]:
    """Leave out what lies inside another of them."""
    unique = sorted(set(paths))
    return [p for p in unique if not any(p != q and p.is_relative_to(q) for q in unique)]


def _namespaces(jail: Jail) -> list[str]:
    """Put a tree together on a folder that only these processes see changed, and go there."""
    root = _mount_point(jail)
    user = ["--user", "--map-root-user"] if jail.uid is None else []
    return [
        *(_tool("unshare"), *user, "--net", "--pid", "--fork", "--ipc", "--uts", "--mount"),
        *("--mount-proc", "--kill-child", "/bin/sh", "-e", "-c", _tree(jail, root), "sandbox"),
        *(_tool("env"), "-i", *(f"{name}={value}" for name, value in jail.env.items())),
        *(_tool("chroot"), str(root), "/bin/sh", "-c"),
        *(f'cd {_quoted(jail.folder)} && exec "$@"', "chaincode"),
    ]


def _mount_point(jail: Jail) -> Path:
    """A folder that every system has, and nothing is needed from."""
    needed = [jail.folder, jail.socket_folder, *jail.readonly]
    for place in (Path("/mnt"), Path("/media"), Path("/srv"), Path("/opt")):
        if place.is_dir() and not any(path.is_relative_to(place) for path in needed):
            return place
    raise ChaincodeError("there is no folder to put a sandbox together on: make /mnt, or /media")


def _tree(jail: Jail, root: Path) -> str:
    """The shell commands that make the tree; what is bound cannot be written to."""
    lines = [f"PATH=$PATH:{_ADMINISTRATORS}", f"mount -t tmpfs -o mode=0755,size=1m tmpfs {root}"]
    if _found("ip"):
        # For runtimes that dial a relay of their own over TCP.
        lines.append("ip link set lo up")
    size = f",size={jail.limits.tmp_bytes}" if jail.limits.tmp_bytes else ""
    own = root / "tmp"
    lines += [f"mkdir {root}/proc {own}", f"mount --rbind /proc {root}/proc"]
    # Before what may lie inside of it.
    lines.append(f"mount -t tmpfs -o mode=1777{size} tmpfs {own}")
    for system in map(Path, _SYSTEM):
        if system.is_symlink():
            lines.append(f"ln -s {_quoted(system.readlink())} {_quoted(_under(root, system))}")
        elif system.exists():
            lines += _bind(system, _under(root, system), system.is_dir())
    for path in _outermost([*jail.readonly, jail.folder]):
        if not path.is_relative_to("/usr"):
            lines += _bind(path, _under(root, path), path.is_dir())
    for device in ("null", "zero", "full", "random", "urandom"):
        lines += _bind(Path("/dev", device), root / "dev" / device, is_folder=False)
    lines += _bind(jail.socket_folder, _under(root, Path(RUN_FOLDER)), is_folder=True)
    return "\n".join([*lines, f"mount -o remount,ro {root}", 'exec "$@"'])


def _under(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")


def _bind(outside: Path, inside: Path, is_folder: bool) -> list[str]:
    source, target = _quoted(outside), _quoted(inside)
    make = f"mkdir -p {target}"
    if not is_folder:
        make = f"mkdir -p {_quoted(inside.parent)} && : > {target}"
    # In a user namespace the options that a file system was mounted with must stay.
    readonly = f"mount -o remount,bind,ro,nosuid,nodev {target}"
    if outside.is_relative_to("/dev"):
        readonly = ":"
    return [make, f"mount --bind {source} {target}", readonly]


def _quoted(path: Path) -> str:
    return "'" + os.fspath(path).replace("'", "'\\''") + "'"
