# SPDX-License-Identifier: Apache-2.0
"""A node in a process of its own, to be killed."""

import os
import re
import signal
import subprocess
import sys
import threading
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
        self.port = 0
        self._listens = listens
        self._is_read_so_far = threading.Event()
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()
        self._is_read_so_far.wait()
        if not self.port:
            self._process.wait()
            raise AssertionError("it did not start:\n" + "".join(self.lines))

    @property
    def pid(self) -> int:
        return self._process.pid

    def _read(self) -> None:
        """Read what it says to its end: a pipe that nobody reads would hold it up."""
        assert self._process.stderr is not None
        with self._process.stderr as said:
            for line in said:
                self.lines.append(line)
                if not self.port and (found := self._listens.search(line)):
                    self.port = int(found[1])
                    self._is_read_so_far.set()
        self._is_read_so_far.set()

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it as a power switch would."""
        self._process.kill()
        self._end()

    def terminate(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end, and return its exit code."""
        self.send(number)
        self._end()
        return self._process.returncode

    def _end(self) -> None:
        self._process.wait(timeout=END_S)
        self._reading.join()
