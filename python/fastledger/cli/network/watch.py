# SPDX-License-Identifier: Apache-2.0
"""``fastledger up --watch``: saved sources are live at once.

The peers are in dev mode: chaincode dials them. One process per peer runs the sources as they
are on disk; when a file changes, all of them are started anew. Sources with syntax errors are not
taken up: what ran goes on.
"""

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click

from fastledger.common.errors import NotFound
from fastledger.network import processes
from fastledger.network.deployment import entry_of
from fastledger.network.plan import HOST, Node, Plan
from fastledger.shim.__main__ import UNLOADABLE

POLL_S = 0.1
"""How often files are looked at: with a start of some 0.3 s, a change is live within a second."""

STOP_S = 2.0
RESTART_S = 1.0
"""A chaincode that ends by itself is started again after so long."""

MAX_FILES = 10_000


def run(plan: Plan) -> None:
    """Run the chaincode, in Python, beside the peers until somebody interrupts."""
    with (plan.state / "watch").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            click.echo("another fastledger up watches this network; end it to watch from here")
            return
        _watch(plan)


def _watch(plan: Plan) -> None:
    click.echo(f"watching {plan.source}; Ctrl-C ends the watching, not the network")
    runners = [_Runner(plan, peer) for peer in plan.all_peers]
    signal.signal(signal.SIGTERM, _interrupt)
    seen = _state(Path(plan.source))
    try:
        while True:
            time.sleep(POLL_S)
            now = _state(Path(plan.source))
            if now != seen:
                seen = now
                problem = _syntax_problem(list(now))
                if problem:
                    click.echo(f"changed, but not taken up: {problem}")
                    continue
                click.echo("changed, starting the chaincode again")
                for runner in runners:
                    runner.stop()
                for runner in runners:
                    runner.start()
            running = [runner.keep() for runner in runners]
            if not all(running) and not _is_wanted(plan):
                click.echo("the network is down, or runs without --watch; no longer watching")
                return
    except KeyboardInterrupt:
        click.echo("no longer watching")
    finally:
        for runner in runners:
            runner.stop()


def _is_wanted(plan: Plan) -> bool:
    """Say whether the network still runs, with chaincode beside its peers."""
    try:
        watched = Plan.load(plan.folder).watch
    except NotFound:
        return False
    return watched and any(processes.running(peer.folder) for peer in plan.all_peers)


def _syntax_problem(files: list[str]) -> str:
    for file in files:
        if not file.endswith(".py"):
            continue
        try:
            compile(Path(file).read_bytes(), file, "exec")
        except SyntaxError as error:
            return f"{file}:{error.lineno}: {type(error).__name__}: {error.msg}"
        except (OSError, ValueError) as error:
            return f"{file}: {error}"
    return ""


def _interrupt(number: int, frame: object) -> None:
    del number, frame
    raise KeyboardInterrupt


class _Runner:
    """The chaincode's process beside one peer."""

    def __init__(self, plan: Plan, peer: Node) -> None:
        self._plan = plan
        self._peer = peer
        self._ended: float | None = None
        self._process = self._spawn()

    def start(self) -> None:
        self._ended = None
        self._process = self._spawn()

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def keep(self) -> bool:
        """Start it again when it ended by itself; say whether it runs."""
        status = self._process.poll()
        now = time.monotonic()
        if status is None:
            if self._ended and now - self._ended > 2 * RESTART_S:
                self._ended = None
            return True
        if self._ended is None:
            self._ended = now
            again = "when it is saved" if status == UNLOADABLE else "until it runs"
            click.echo(f"the chaincode of {self._peer.name} ended; starting it again {again}")
        elif status != UNLOADABLE and now - self._ended > RESTART_S:
            self._ended = now
            self._process = self._spawn()
        return False

    def _spawn(self) -> "subprocess.Popen[bytes]":
        plan, peer = self._plan, self._peer
        source = Path(plan.source)
        folder = source if source.is_dir() else source.parent
        env = {
            **os.environ,
            "CORE_CHAINCODE_ID_NAME": f"{plan.chaincode}:{plan.version}",
            "CORE_PEER_ADDRESS": f"{HOST}:{peer.side_port}",
            "CORE_PEER_TLS_ENABLED": "false",
            "PYTHONPATH": str(folder),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return subprocess.Popen(  # noqa: S603 - our own shim
            [sys.executable, "-m", "fastledger.shim", "start", entry_of(source)],
            cwd=folder,
            env=env,
        )


def _state(source: Path) -> dict[str, int]:
    """Return when each file was changed, in nanoseconds."""
    files = [source] if source.is_file() else list(source.rglob("*"))[:MAX_FILES]
    state = {}
    for file in files:
        try:
            if file.suffix != ".pyc" and file.is_file():
                state[str(file)] = file.stat().st_mtime_ns
        except OSError:
            continue
    return state
