# SPDX-License-Identifier: Apache-2.0
"""Time, as gossip takes it from outside: a test brings its own, and a run can be repeated."""

import time
from typing import Protocol


class Clock(Protocol):
    """What gossip asks about time."""

    def monotonic_s(self) -> float:
        """Seconds since some moment; they never go back. For waiting."""

    def unix_ns(self) -> int:
        """Nanoseconds since 1970. For what other peers, and certificates, tell."""


class SystemClock:
    """The machine's time."""

    def monotonic_s(self) -> float:
        """Read the clock that nobody sets."""
        return time.monotonic()

    def unix_ns(self) -> int:
        """Read the clock on the wall."""
        return time.time_ns()
