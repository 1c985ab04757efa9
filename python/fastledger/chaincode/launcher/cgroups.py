# SPDX-License-Identifier: Apache-2.0
"""Memory and processes of one chaincode counted together, by the kernel: control groups.

Both hierarchies are served, version 2 (one tree) and version 1 (a tree for each controller). A peer
run by root, or by a user to whom systemd delegates a part of the tree, can make groups; elsewhere
`make` says that there are none.
"""

import contextlib
import itertools
import logging
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_logger = logging.getLogger(__name__)

_MOUNTS = Path("/proc/self/mounts")
_OWN = Path("/proc/self/cgroup")
_PROCESSES = "cgroup.procs"
_REMOVE_TRIES = 100
_REMOVE_PAUSE_S = 0.02
"""A killed process leaves its group a moment later; two seconds are more than enough."""

_TRIAL_TIMEOUT_S = 10
_count = itertools.count()


@dataclass(frozen=True, slots=True)
class Group:
    """The groups of one chaincode: one folder of version 2, or one for each controller."""

    folders: tuple[Path, ...]

    def joining(self) -> list[str]:
        """Return the beginning of a command line that runs the rest of it in the group."""
        # The shell puts itself there, and becomes the program.
        script = "".join(f'echo $$ > "${place}" || exit 125; ' for place in self._places())
        files = [str(folder / _PROCESSES) for folder in self.folders]
        return ["/bin/sh", "-c", f'{script}shift {len(files)}; exec "$@"', "join", *files]

    def _places(self) -> range:
        return range(1, len(self.folders) + 1)

    def ran_out_of_memory(self) -> bool:
        """Whether the kernel ended a process of the group because of its limit."""
        for folder in self.folders:
            for name in ("memory.events", "memory.oom_control"):
                with contextlib.suppress(OSError):
                    lines = (folder / name).read_text("ascii").splitlines()
                    if any(line.startswith("oom_kill ") and line != "oom_kill 0" for line in lines):
                        return True
        return False

    def remove(self) -> None:
        """End all processes of the group, and remove it; blocks until they have gone."""
        for _ in range(_REMOVE_TRIES):
            left = [folder for folder in self.folders if folder.exists()]
            if not left:
                return
            for folder in left:
                self._end(folder)
            time.sleep(_REMOVE_PAUSE_S)
        _logger.warning("processes of a chaincode do not end; their groups are left: %s", left)

    @staticmethod
    def _end(folder: Path) -> None:
        with contextlib.suppress(OSError):
            folder.rmdir()
            return
        with contextlib.suppress(OSError):
            for pid in (folder / _PROCESSES).read_text("ascii").split():
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(int(pid), signal.SIGKILL)


def make(memory_bytes: int, processes: int) -> Group | None:
    """Make a group with these limits, 0 for none; None where groups cannot be had."""
    return _make(memory_bytes, processes) if available() else None


@cache
def available() -> bool:
    """Try a group on a program that does nothing."""
    group = _make(64 << 20, 16)
    if group is None:
        return False
    try:
        done = subprocess.run(  # noqa: S603 (our own command line)
            [*group.joining(), "/bin/true"],
            capture_output=True,
            timeout=_TRIAL_TIMEOUT_S,
            check=False,
        )
        return done.returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
    finally:
        group.remove()


def _make(memory_bytes: int, processes: int) -> Group | None:
    name = f"fastledger-cc-{os.getpid()}-{next(_count)}"
    for parents in _places():
        made: list[Path] = []
        try:
            for parent in parents:
                folder = parent / name
                folder.mkdir()
                made.append(folder)
                _limit(folder, memory_bytes, processes)
        except OSError:
            for folder in made:
                with contextlib.suppress(OSError):
                    folder.rmdir()
            continue
        return Group(tuple(made))
    return None


def _limit(folder: Path, memory_bytes: int, processes: int) -> None:
    """Write the limits that a folder has files for; it must have those of version 1 or 2."""
    if memory_bytes:
        for name in ("memory.max", "memory.limit_in_bytes"):
            if (folder / name).exists():
                (folder / name).write_text(str(memory_bytes))
        # No swap beyond it; a kernel may be without.
        for name, value in (("memory.swap.max", 0), ("memory.memsw.limit_in_bytes", memory_bytes)):
            with contextlib.suppress(OSError):
                if (folder / name).exists():
                    (folder / name).write_text(str(value))
        # All of a chaincode ends, as a container does, or its parent would wait for a lost child.
        if (folder / "memory.oom.group").exists():
            (folder / "memory.oom.group").write_text("1")
    if processes and (folder / "pids.max").exists():
        (folder / "pids.max").write_text(str(processes))


def _places() -> Iterator[tuple[Path, ...]]:
    """Yield where groups may be made, the nearest to the peer's own first."""
    own = _own()
    unified, controllers = _mounts()
    if unified is not None:
        for folder in _upwards(unified, own.get("", "/")):
            with contextlib.suppress(OSError):
                enabled = (folder / "cgroup.subtree_control").read_text("ascii").split()
                if {"memory", "pids"} <= set(enabled):
                    yield (folder,)
    if {"memory", "pids"} <= controllers.keys():
        memory = _upwards(controllers["memory"], own.get("memory", "/"))
        pids = _upwards(controllers["pids"], own.get("pids", "/"))
        yield from itertools.product(memory, pids)


def _upwards(mount: Path, own: str) -> list[Path]:
    """The peer's own group and those above it, as far as they are seen here."""
    folder = mount / own.lstrip("/")
    above = [folder, *folder.parents]
    return [place for place in above if place.is_relative_to(mount) and place.is_dir()]


def _own() -> dict[str, str]:
    """The peer's own group by controller; the empty name is version 2's."""
    found: dict[str, str] = {}
    with contextlib.suppress(OSError):
        for line in _OWN.read_text("utf-8", "replace").splitlines():
            _, names, path = line.split(":", 2)
            found |= dict.fromkeys(names.split(","), path)
    return found


def _mounts() -> tuple[Path | None, dict[str, Path]]:
    """Where version 2 is mounted, and version 1 by controller."""
    unified: Path | None = None
    controllers: dict[str, Path] = {}
    with contextlib.suppress(OSError):
        for line in _MOUNTS.read_text("utf-8", "replace").splitlines():
            _, place, kind, options, *_ = line.split()
            if kind == "cgroup2":
                unified = Path(place)
            elif kind == "cgroup":
                controllers |= dict.fromkeys(options.split(","), Path(place))
    return unified, controllers
