# SPDX-License-Identifier: Apache-2.0
"""What a chaincode prints, line by line into the peer's log."""

import asyncio
import logging
import time
from collections import deque

from fastledger.chaincode.launcher.cause import Cause, ending

MAX_LINE_BYTES = 4096
"""Longer lines are cut."""

MAX_LINES_PER_S = 200
"""More are counted, not kept: a chaincode may not fill the peer's disk."""

LAST_LINES = 20
"""Lines that an error message shows."""

_CHUNK_BYTES = 64 * 1024


class Output:
    """Reads a pipe to its end."""

    def __init__(self, name: str) -> None:
        """Log to ``chaincode.<name>``."""
        self._log = logging.getLogger(f"chaincode.{name}")
        self._last: deque[str] = deque(maxlen=LAST_LINES)
        self._cause = Cause()
        self._second = 0
        self._lines = 0
        self._dropped = 0

    @property
    def last(self) -> str:
        """The end of what was printed."""
        return "\n".join(self._last)

    def ending(self, what: str, status: int, cause: str = "") -> str:
        """Say how the program that printed this ended, see :func:`ending`; a known cause wins."""
        return ending(what, status, cause or self._cause.text, self.last)

    async def follow(self, reader: asyncio.StreamReader) -> None:
        """Read until the process closes its end."""
        line = b""
        while chunk := await reader.read(_CHUNK_BYTES):
            *complete, rest = (line + chunk).split(b"\n")
            for whole in complete:
                self._print(whole)
            line = rest[:MAX_LINE_BYTES]
        if line:
            self._print(line)
        self._tell_dropped()

    def _print(self, line: bytes) -> None:
        text = line[:MAX_LINE_BYTES].decode("utf-8", "replace").rstrip()
        self._last.append(text)
        self._cause.look(text)
        second = int(time.monotonic())
        if second != self._second:
            self._tell_dropped()
            self._second, self._lines = second, 0
        self._lines += 1
        if self._lines > MAX_LINES_PER_S:
            self._dropped += 1
        else:
            self._log.info("%s", text)

    def _tell_dropped(self) -> None:
        if self._dropped:
            self._log.warning("%d lines of output were dropped", self._dropped)
            self._dropped = 0
