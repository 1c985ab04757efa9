# SPDX-License-Identifier: Apache-2.0
"""Time as consensus sees it: handed in, so that a test can be its master."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """Something that will happen."""

    def cancel(self) -> None:
        """Let it not happen; once it has, this does nothing."""


class Clock(Protocol):
    """Tells the time and wakes."""

    def time(self) -> float:
        """Return seconds since some moment; they never go back."""

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        """Call back on the event loop after so many seconds."""


class LoopClock:
    """The clock of the event loop that runs."""

    def time(self) -> float:
        """Return the seconds of the system's monotonic clock."""
        return time.monotonic()

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        """Have the loop call."""
        return asyncio.get_running_loop().call_later(delay_s, callback)


LOOP = LoopClock()
"""The clock of everything but tests."""
