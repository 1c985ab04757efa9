# SPDX-License-Identifier: Apache-2.0
"""The nodes' processes: started detached, known by pid files, ended by pid.

A pid file holds the pid and when that process began, in the kernel's ticks since boot. A pid that
was given to another process since then has another beginning, and is left alone. It also says where
in the log the process began to write: what stands before is none of its words.
"""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from fastledger.common.errors import NodeFailed
from fastledger.network.plan import Node

STOP_S = 10.0
"""A node gets so long to stop before it is killed; what it acknowledged is on disk anyway."""

_POLL_S = 0.02
_START_FIELD = 19
"""Place of ``starttime`` in ``/proc/PID/stat``, counted from behind the command's name."""

_THREADS_FIELD = 17
"""Place of ``num_threads``, counted likewise."""

LOG_TAIL_BYTES = 16384

_FATAL = "Fatal Python error"
"""How the words of a process begin that a signal ended; where it was stands behind them."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process that this network started."""

    pid: int
    began: str

    @property
    def alive(self) -> bool:
        """Whether it still runs, and is still the same."""
        return _beginning(self.pid) == self.began


def start(folder: Path, arguments: list[str], env: dict[str, str]) -> Process:
    """Start ``fastledger`` with arguments, detached, its output in the folder's ``log``."""
    return launch(folder, [sys.executable, "-m", "fastledger", *arguments], env)


def launch(folder: Path, command: list[str], env: dict[str, str]) -> Process:
    """Start any program so."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log").open("ab") as log:
        said = log.tell()
        child = subprocess.Popen(  # noqa: S603 - our own program
            command,
            cwd=folder,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    # Whoever waits for a detached child gets no warning that it still runs.
    child.returncode = 0
    process = Process(child.pid, _beginning(child.pid) or "")
    content = json.dumps({"pid": process.pid, "began": process.began, "log": said})
    (folder / "pid").write_text(content + "\n", "utf-8")
    return process


def running(folder: Path) -> Process | None:
    """Return the folder's process while it runs."""
    try:
        content = json.loads((folder / "pid").read_text("utf-8"))
        process = Process(int(content["pid"]), str(content["began"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return process if process.began and process.alive else None


def stop(folders: list[Path]) -> list[Path]:
    """End the processes of folders, all at once; return the folders whose process ran."""
    found = [(folder, running(folder)) for folder in folders]
    ended = [(folder, process) for folder, process in found if process]
    for _, process in ended:
        _signal(process, signal.SIGTERM)
    deadline = time.monotonic() + STOP_S
    while any(process.alive for _, process in ended) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    for _, process in ended:
        _signal(process, signal.SIGKILL)
    for folder in folders:
        (folder / "pid").unlink(missing_ok=True)
    return [folder for folder, _ in ended]


def check(node: Node) -> None:
    """Raise when a node's process has ended, with the last thing that it said."""
    if running(node.folder) is None:
        log = node.folder / "log"
        said = _last_line(node.folder)
        how = f"its log {log} ends with: {said}" if said else f"it wrote nothing to its log {log}"
        raise NodeFailed(f"{node.name} ended; {how}")


def _last_line(folder: Path) -> str:
    """The last line that the folder's process wrote, or what it died of, if that is there."""
    try:
        began = int(json.loads((folder / "pid").read_text("utf-8")).get("log", 0))
        with (folder / "log").open("rb") as file:
            file.seek(max(began, file.seek(0, os.SEEK_END) - LOG_TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except (OSError, ValueError):
        return ""
    fatal = [line for line in lines if line.startswith(_FATAL)]
    return (fatal or lines or [""])[-1]


def _signal(process: Process, number: signal.Signals) -> None:
    if process.alive:
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:
            return


def _beginning(pid: int) -> str | None:
    """Return when a process began; None when it does not run."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    fields = status.rpartition(")")[2].split()
    if fields[0] in "ZX" and int(fields[_THREADS_FIELD]) <= 1:
        return None
    # A killed process holds its ports and files until its last thread is gone.
    return fields[_START_FIELD]
