# SPDX-License-Identifier: Apache-2.0
"""Fabric's own readers of texts, in a process that is asked one text after another."""

import base64
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from fabric_tools import fabric_helper

SOURCE = Path(__file__).parent / "readers" / "readers.go"


class Readers:
    """A running process."""

    def __init__(self, asked: IO[bytes], answers: IO[bytes]) -> None:
        """Take its standard input and output."""
        self._asked = asked
        self._answers = answers

    def read(self, reader: str, text: str | bytes) -> tuple[bool, Any]:
        """Return whether a reader took a text, and what it made of it or why it did not."""
        content = text.encode() if isinstance(text, str) else text
        asked = {"reader": reader, "text": base64.b64encode(content).decode()}
        self._asked.write(json.dumps(asked).encode() + b"\n")
        self._asked.flush()
        answer = json.loads(self._answers.readline())
        return ("value" in answer), answer.get("value", answer.get("error"))


@contextmanager
def fabric_readers() -> Iterator[Readers]:
    """Start the process; skip the test if it cannot be built."""
    command = [str(fabric_helper(SOURCE))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Readers(process.stdin, process.stdout)
        process.stdin.close()
