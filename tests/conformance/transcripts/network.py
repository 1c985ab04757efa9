# SPDX-License-Identifier: Apache-2.0
"""Our nodes and chaincodes in the place of the recorded ones."""

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from corpora import ROOT
from transcripts.places import Places
from transcripts.recording import CHANNEL, Program

DEADLINE_S = 120
_POLL_S = 0.05
_STOP_S = 30
_HEIGHT = re.compile(rf'^ledger_blockchain_height{{channel="{CHANNEL}"}} ([\d.]+)', re.MULTILINE)
_CHAINCODE = ROOT / "examples" / "chaincode" / "account"
_READY = {"peer": "Started peer with", "orderer": "Beginning to serve requests"}


class Network:
    """The processes of one network; leaving the context ends them."""

    def __init__(self, places: Places, programs: dict[str, Program]) -> None:
        """Start nothing yet."""
        self._places = places
        self._programs = programs
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> "Network":
        """Hand over the network."""
        return self

    def __exit__(self, *error: object) -> None:
        """End all processes."""
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def start(self, *names: str) -> None:
        """Start nodes or chaincodes, and wait until all of them are ready."""
        for name in names:
            program = self._programs[name]
            env = {key: self._places.here(value) for key, value in program.env.items()}
            self._running[name] = self._spawn(name, self._arguments(program), self._ours(env))
        for name in names:
            self._await_ready(name)

    def restart(self, name: str) -> None:
        """End a node as an operator does, and start it again."""
        self._running[name].terminate()
        self._running[name].wait(DEADLINE_S)
        self._log(name).rename(self._log(name).with_suffix(".before"))
        self.start(name)

    def await_height(self, height: int, *peers: str) -> None:
        """Wait until peers have so many blocks."""
        for peer in peers:
            self._until(lambda peer=peer: self.height(peer) >= height, f"{peer} at {height}")

    def height(self, peer: str) -> int:
        """Ask a peer's metrics for its height."""
        address = self._places.here(self._programs[peer].env["CORE_OPERATIONS_LISTENADDRESS"])
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=DEADLINE_S) as answer:
            found = _HEIGHT.search(answer.read().decode())
        return int(float(found[1])) if found else 0

    def _arguments(self, program: Program) -> list[str]:
        command = program.argv[0]
        if command == "chaincode_example02":
            address = self._places.here(program.argv[1].partition("=")[2])
            return ["fastledger.shim", "start", "chaincode:Account", "--peer.address", address]
        return ["fastledger", command.partition("-")[0], *program.argv[1:]]

    def _ours(self, env: dict[str, str]) -> dict[str, str]:
        ours = {key: value for key, value in os.environ.items() if not _of_fabric(key)}
        ports = {"CORE_METRICS_PROVIDER": "prometheus"}
        if port := env.get("ORDERER_GENERAL_LISTENPORT"):
            ports["ORDERER_GENERAL_LISTENPORT"] = str(self._places.port(int(port)))
            ports["ORDERER_ADMIN_LISTENADDRESS"] = "127.0.0.1:0"
        return ours | env | ports

    def _spawn(
        self, name: str, arguments: list[str], env: dict[str, str]
    ) -> "subprocess.Popen[bytes]":
        cwd = _CHAINCODE if name.startswith("cc-") else self._places.folder
        with self._log(name).open("ab") as log:
            argv = [sys.executable, "-m", *arguments]
            return subprocess.Popen(argv, cwd=cwd, env=env, stdout=log, stderr=log)

    def _await_ready(self, name: str) -> None:
        if name.startswith("cc-"):
            _, chaincode, version, peer = name.split("-")
            text, log = f"chaincode {chaincode}:{version} registered", self._log(peer)
        else:
            text, log = _READY[name.partition("0")[0].partition("1")[0]], self._log(name)
        self._until(lambda: text in log.read_text("utf-8"), f"{name} to be ready", name)

    def _until(self, done: Callable[[], bool], what: str, name: str = "") -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not done():
            ended = name and self._running[name].poll() is not None
            if ended or time.monotonic() > deadline:
                log = self._log(name).read_text("utf-8")[-2000:] if name else ""
                raise AssertionError(f"waited in vain for {what}\n{log}")
            time.sleep(_POLL_S)

    def _log(self, name: str) -> Path:
        return self._places.folder / f"{name}.log"


def _of_fabric(key: str) -> bool:
    return key.startswith(("CORE_", "ORDERER_", "FABRIC_"))
