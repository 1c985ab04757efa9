# SPDX-License-Identifier: Apache-2.0
"""Memory of one chaincode counted together where the kernel has no control groups for the peer.

The proportional set size of all its processes, shared memory included, is added up once a second. A
chaincode can take more for that long; limits of the single process hold at any time.
"""

import asyncio
import contextlib
import os
import signal
from pathlib import Path

INTERVAL_S = 1.0
_PROC = Path("/proc")
_KIB = 1024
_PARENT_FIELD = 1
"""Place of the parent's pid in ``/proc/PID/stat``, counted from behind the command's name."""


async def watch(pid: int, limit_bytes: int) -> None:
    """Return when a process and those below it use more than the limit; they are ended then."""
    while await asyncio.to_thread(used_bytes, pid) <= limit_bytes:
        await asyncio.sleep(INTERVAL_S)
    for process in reversed(_family(pid)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process, signal.SIGKILL)


def used_bytes(pid: int) -> int:
    """Add up the memory of a process and of those below it; 0 when they have gone."""
    return sum(_resident_bytes(process) for process in _family(pid))


def _family(pid: int) -> list[int]:
    """Return a process and those below it, parents first."""
    children: dict[int, list[int]] = {}
    for status in _PROC.glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = status.read_text("utf-8", "replace").rpartition(")")[2].split()
            children.setdefault(int(fields[_PARENT_FIELD]), []).append(int(status.parent.name))
    family = [pid]
    for process in family:
        family += children.get(process, [])
    return family


def _resident_bytes(pid: int) -> int:
    """Return a process's own pages and its part of those that it shares."""
    with contextlib.suppress(OSError):
        for line in (_PROC / str(pid) / "smaps_rollup").read_text("ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * _KIB
    return 0
