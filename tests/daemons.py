# SPDX-License-Identifier: Apache-2.0
"""A node in a process of its own, to be killed."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping

END_S = 120


class Daemon:
    """A command of ours that serves; it says where."""

    def __init__(self, *command: str, environ: Mapping[str, str], listens: re.Pattern[str]) -> None:
        """Start it, and wait for the line that `listens` matches: its group is the port."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "fastledger", *command],
            env={**os.environ, **environ},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self.port = self._read_port(listens)

    @property
    def pid(self) -> int:
        return self._process.pid

    def _read_port(self, listens: re.Pattern[str]) -> int:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.lines.append(line)
            if found := listens.search(line):
                return int(found[1])
        raise AssertionError("it did not start:\n" + "".join(self.lines))

    def kill(self) -> None:
        """End it as a power switch would."""
        self._process.kill()
        self._process.communicate()

    def terminate(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end, and return its exit code."""
        self._process.send_signal(number)
        self._process.communicate(timeout=END_S)
        return self._process.returncode
