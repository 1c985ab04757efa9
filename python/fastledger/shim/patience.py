# SPDX-License-Identifier: Apache-2.0
"""A busy process lets others finish: a thread of it that wakes up interrupts nobody.

Each message wakes a thread. On an idle processor it should run at once; on a busy one it takes the
place of another at work, which has to come back afterwards. Linux's ``SCHED_BATCH`` is for that.
"""

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

BUSY = 1 / 3
"""Share of a processor from which on a process is busy."""

PERIOD_S = 0.5
"""How often it is to look whether it is."""


class Patience:
    """Whether this process' threads interrupt others."""

    def __init__(self, threads: Callable[[str], bool] = lambda _: True) -> None:
        """Begin with threads that do.

        Args:
            threads: Which threads it is about, by name.
        """
        self._threads = threads
        self._is_patient = False
        self._began, self._used = time.monotonic(), time.process_time()

    @staticmethod
    def is_possible() -> bool:
        """Whether the system knows of it, and nobody who started the process means otherwise."""
        return hasattr(os, "SCHED_BATCH") and os.sched_getscheduler(0) == os.SCHED_OTHER

    def look(self) -> None:
        """Set the threads by how busy the process was since the last time."""
        began, used = self._began, self._used
        self._began, self._used = time.monotonic(), time.process_time()
        busy = self._used - used > BUSY * (self._began - began)
        if busy is not self._is_patient:
            self._is_patient = busy
            self._schedule(os.SCHED_BATCH if busy else os.SCHED_OTHER)

    def end(self) -> None:
        """Leave the threads as they were."""
        if self._is_patient:
            self._is_patient = False
            self._schedule(os.SCHED_OTHER)

    def _schedule(self, policy: int) -> None:
        # A thread may end meanwhile; where it is not allowed, it only costs time.
        with contextlib.suppress(OSError):
            for thread in Path("/proc/self/task").iterdir():
                if self._threads((thread / "comm").read_text().strip()):
                    os.sched_setscheduler(int(thread.name), policy, os.sched_param(0))
