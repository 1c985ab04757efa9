# SPDX-License-Identifier: Apache-2.0
"""What was recorded of a real network: its commands, their answers, and how its nodes were run."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NODES = ("orderer", "peer0.org1", "peer1.org1", "peer0.org2", "peer1.org2")
CHANNEL = "mychannel"


@dataclass(frozen=True)
class Step:
    """One command and what came of it.

    Attributes:
        number: From 1 on.
        title: What the recording calls it.
        argv: The command line.
        env: What the command had in its environment.
        code: Its exit code.
        stdout: All that it wrote there.
        stderr: All that it wrote there, log lines included.
    """

    number: int
    title: str
    argv: tuple[str, ...]
    env: dict[str, str]
    code: int
    stdout: str
    stderr: str

    @property
    def error(self) -> str:
        """The line with which the command says why it failed."""
        return error_line(self.stderr)

    @property
    def fetched_block(self) -> int | None:
        """The number of the block that it wrote to a file, the fifth word."""
        received = re.findall(r"Received block: (\d+)", self.stderr)
        fetches = self.argv[1:3] == ("channel", "fetch") and self.code == 0
        return int(received[-1]) if fetches and received else None

    @property
    def only_reads(self) -> bool:
        """Whether it may run beside others of its kind."""
        match self.argv[1:3]:
            case ("channel", "fetch" | "getinfo" | "list") | ("chaincode", "list" | "query"):
                return True
        return self.argv[0] == "discover" or self.argv[1].startswith("-inspect")

    @property
    def orders(self) -> bool:
        """Whether it had a message ordered that a peer's channel sees, in a block of its own."""
        match self.argv[1:3]:
            case ("channel", "update") | ("chaincode", "instantiate" | "invoke" | "upgrade"):
                return self.code == 0
        return False


@dataclass(frozen=True)
class Program:
    """One process of the network, as it was started."""

    name: str
    env: dict[str, str]
    argv: tuple[str, ...]


def steps(corpus: Path) -> list[Step]:
    """Read the transcript."""
    lines = (corpus / "transcript.jsonl").read_text("utf-8").splitlines()
    return [_step(number, json.loads(line)) for number, line in enumerate(lines, 1)]


def _step(number: int, line: dict[str, Any]) -> Step:
    title = line["title"].partition(" ")[2]
    recorded = line["argv"], line["env"], line["rc"], line["stdout"], line["stderr"]
    argv, env, code, stdout, stderr = recorded
    return Step(number, title, tuple(argv), env, code, stdout, stderr)


def programs(corpus: Path) -> dict[str, Program]:
    """Read how nodes and chaincodes were started."""
    found: dict[str, Program] = {}
    for line in (corpus / "config" / "commands.txt").read_text("utf-8").splitlines():
        name, words = line[1:].partition("]")[0], line.partition("]")[2].split()
        settings = [word for word in words if re.match(r"[A-Z_]+=", word)]
        env = {key: value for key, _, value in (word.partition("=") for word in settings)}
        argv = tuple(word for word in words if word not in settings)
        found.setdefault(name, Program(name, env, argv))
    return found


def error_line(stderr: str) -> str:
    """Return the line ``Error: …``, without the usage that may follow."""
    for line in stderr.splitlines():
        if line.startswith("Error:"):
            return line.rstrip()
    return ""
