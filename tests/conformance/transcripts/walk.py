# SPDX-License-Identifier: Apache-2.0
"""Runs a recording's commands against a network of our own, and notes every difference."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import IntEnum
from pathlib import Path
from typing import Any

from fastledger.protoutil import block as blocks
from transcripts import answers, canonical, recording
from transcripts.conflict import invoke_together
from transcripts.difference import Difference, differences
from transcripts.network import DEADLINE_S, Network
from transcripts.places import Places
from transcripts.recording import CHANNEL, Step
from transcripts.sources import Sources
from waiting import pause

PEERS = recording.NODES[1:]
SIDE_BY_SIDE = 4
"""Commands that only read run at once."""

GOSSIP_S = 30
"""Peers know of each other's ledgers after so long."""

_ARTIFACTS = ("genesis.block", "channel.tx", "Org1MSPanchors.tx", "Org2MSPanchors.tx")
_CONFLICTING_BLOCK = 9
_WORKING_FOLDERS = {"cryptogen": "made", "configtxgen": "."}


class Before(IntEnum):
    """The steps before which something was done that the transcript does not hold."""

    NODES_START = 9
    CHAINCODE_STARTS = 47
    TWO_INVOKE = 71
    NEXT_CHAINCODE_STARTS = 75
    PEER_RESTARTS = 163


_APART = frozenset(Before)

Done = subprocess.CompletedProcess[str]


class Walk:
    """One corpus, walked through.

    Attributes:
        steps: How many there are.
        found: All differences.
    """

    def __init__(self, corpus: Path, folder: Path) -> None:
        """Prepare the folder that the recording calls NET."""
        self.found: list[Difference] = []
        self._corpus = corpus
        self._folder = folder
        configtx = (corpus / "config" / "configtx.yaml").read_text("utf-8")
        self._places = Places(folder, wide_anchors=re.search(r"Port: \d{5}", configtx) is not None)
        self._recorded = recording.steps(corpus)
        self._network = Network(self._places, recording.programs(corpus))
        self._height = 1
        self._told: list[tuple[str, str]] = []
        self._sources = Sources(self._recorded, folder / "gopath")
        self.steps = len(self._recorded)
        self._lay_out()

    @property
    def agreeing(self) -> int:
        """How many steps had no difference."""
        places = {difference.where for difference in self.found}
        return sum(_name(step) not in places for step in self._recorded)

    def run(self) -> "Walk":
        """Run all steps, then compare the chains."""
        with self._network, ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            for group in _groups(self._recorded):
                self._prepare(group[0])
                for step, done in zip(group, pool.map(self._execute, group), strict=True):
                    self._compare(step, done)
                self._settle(group[-1])
        self._compare_chains()
        return self

    def _lay_out(self) -> None:
        shutil.copytree(self._corpus / "crypto-config", self._folder / "crypto-config")
        for name in ("crypto-config.yaml", "configtx.yaml"):
            text = (self._corpus / "config" / name).read_text("utf-8")
            (self._folder / name).write_text(self._places.here(text), "utf-8")
        for name in ("made", "art", "corpus/mychannel", "corpus/syschannel"):
            (self._folder / name).mkdir(parents=True)

    def _prepare(self, step: Step) -> None:
        """Do what was done between the recorded commands."""
        match step.number:
            case Before.NODES_START:
                self._compare_artifacts()
                self._network.start(*recording.NODES)
            case Before.CHAINCODE_STARTS:
                self._network.start(*(f"cc-mycc-1.0-{peer}" for peer in PEERS if peer != PEERS[1]))
            case Before.TWO_INVOKE:
                self._invoke_twice()
            case Before.NEXT_CHAINCODE_STARTS:
                self._network.start(f"cc-mycc-2.0-{PEERS[0]}", f"cc-mycc-2.0-{PEERS[2]}")
            case Before.PEER_RESTARTS:
                self._network.restart(PEERS[0])

    def _settle(self, step: Step) -> None:
        """Wait until the peers have what was ordered."""
        if step.orders:
            self._await_block()

    def _execute(self, step: Step) -> Done:
        """Run a command; what peers tell each other of themselves may take its time."""
        deadline = time.monotonic() + GOSSIP_S
        done = self._run(step)
        while step.argv[0] == "discover" and time.monotonic() < deadline:
            here, there = (
                answers.comparable(step, self._places.there(text), bytes)
                for text in (done.stdout, step.stdout)
            )
            if here == there:
                break
            pause(1, "before discover is asked again: it learns of peers by and by")
            done = self._run(step)
        return done

    def _run(self, step: Step) -> Done:
        argv = [self._places.here(word) for word in self._sources.translated(step)]
        env = {key: value for key, value in os.environ.items() if not key.startswith("CORE_")}
        env |= {key: self._places.here(value) for key, value in step.env.items()}
        # No PATH, so no Go: it would look below GOPATH for 1.4's shim, which was there then.
        env |= {"GOPATH": str(self._folder / "gopath"), "PATH": ""}
        return subprocess.run(
            [sys.executable, "-m", "fastledger", *argv],
            cwd=self._folder / _WORKING_FOLDERS.get(argv[0], "art"),
            env=env,
            check=False,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
        )

    def _invoke_twice(self) -> None:
        """Have two invocations endorsed on the same state; the recording's winner goes first."""
        block = self._corpus / CHANNEL / f"peer_{_CONFLICTING_BLOCK:03}.block"
        first = canonical.block(block.read_bytes())["transactions"][0]["data"][0]["input"]
        model = next(step for step in self._recorded if step.title == "invoke a b 10")
        amounts = ("5", "6") if 'args: "5"' in first else ("6", "5")
        commands = [
            [self._places.here(word.replace('"10"', f'"{amount}"')) for word in model.argv]
            for amount in amounts
        ]
        env = {key: self._places.here(value) for key, value in model.env.items()}
        asyncio.run(invoke_together(commands, env))
        self._await_block()

    def _await_block(self) -> None:
        """Wait until all peers have one more block."""
        self._height += 1
        try:
            self._network.await_height(self._height, *PEERS)
        except AssertionError as error:
            raise AssertionError("\n".join([str(error), *map(str, self.found)])) from error

    def _compare(self, step: Step, done: Done) -> None:
        name, there = _name(step), self._places.there
        self._note(name, "exit code", step.code, done.returncode)
        for what, theirs, ours in (
            ("stdout", step.stdout, done.stdout),
            ("error", step.error, recording.error_line(done.stderr)),
        ):
            read = answers.comparable if what == "stdout" else answers.without_ids
            self._note(
                name,
                what,
                *(read(step, there(text), self._places.recorded) for text in (theirs, ours)),
            )
        self._told.append((name, done.stdout))
        if (number := step.fetched_block) is not None:
            file = self._folder / "art" / self._places.here(step.argv[4])
            found = blocks.parse(file.read_bytes()).number if file.exists() else None
            self._note(name, "fetched block", number, found)

    def _compare_artifacts(self) -> None:
        """Compare what configtxgen made."""
        for name in _ARTIFACTS:
            read = canonical.block if name.endswith(".block") else canonical.envelope
            paths = self._corpus / "artifacts" / name, self._folder / "art" / name
            self._note(name, "content", *map(self._reading(read), paths))

    def _compare_chains(self) -> None:
        """Compare all blocks, and what was said of them with what they are."""
        for theirs in sorted(self._corpus.glob("*channel/*.block")):
            place = f"{theirs.parent.name}/{theirs.name}"
            paths = theirs, self._folder / "corpus" / place
            self._note(place, "block", *map(self._reading(canonical.block), paths))
        ours = sorted((self._folder / "corpus" / CHANNEL).glob("peer_*.block"))
        hashes = [blocks.parse(path.read_bytes()).header_hash for path in ours]
        for name, stdout in self._told:
            if info := answers.hashes_of(stdout):
                height, *told = info
                self._note(name, "hashes", [hashes[height - 1], hashes[height - 2]], told)

    def _reading(self, read: Any) -> Any:
        """Read a file with the recorded ports in it; a missing one is None."""

        def of(path: Path) -> Any:
            return read(self._places.recorded(path.read_bytes())) if path.exists() else None

        return of

    def _note(self, where: str, what: str, theirs: Any, ours: Any) -> None:
        self.found.extend(differences(where, what, theirs, ours))


def _name(step: Step) -> str:
    return f"{step.number:03}"


def _groups(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """Put together what can run side by side."""
    group: list[Step] = []
    for step in steps:
        beside = step.only_reads and group and group[-1].only_reads
        if group and not (beside and step.number not in _APART):
            yield group
            group = []
        group.append(step)
    yield group
