# SPDX-License-Identifier: Apache-2.0
"""Whose work is next where there is more of it than workers.

A piece of work that runs cannot be taken back. So nobody gets as many workers as are free then: one
caller alone has half of them at most, two a third each, and there is always as much room for one
more. Of those who wait, whoever has the fewest workers is next; else they take turns. So whoever
has a thousand pieces waiting delays nobody else.
"""

import threading
from collections import Counter, OrderedDict, deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Turns(Generic[T]):
    """Work that waits, by caller; any thread may use it.

    Whoever has put something in, or has finished something, asks :meth:`take` once for what may be
    done next: then nothing waits that could be done.
    """

    def __init__(self, workers: int) -> None:
        """Begin with nothing; ``workers`` may work at a time."""
        self._free = workers
        self._lock = threading.Lock()
        self._waiting: OrderedDict[bytes, deque[T]] = OrderedDict()
        self._running: Counter[bytes] = Counter()

    def put(self, caller: bytes, work: T) -> None:
        """Add a caller's work, behind what the same caller has there."""
        with self._lock:
            self._waiting.setdefault(caller, deque()).append(work)

    def take(self) -> tuple[bytes, T] | None:
        """Return the next work and its caller; None when there is none, or no worker for it."""
        with self._lock:
            if not self._waiting:
                return None
            # The first of those with the fewest: whoever was served last is the last.
            caller = min(self._waiting, key=self._running.__getitem__)
            if self._running[caller] >= self._free:
                return None
            waiting = self._waiting.pop(caller)
            work = waiting.popleft()
            if waiting:
                self._waiting[caller] = waiting
            self._running[caller] += 1
            self._free -= 1
            return caller, work

    def done(self, caller: bytes) -> None:
        """Know that a caller's work is finished."""
        with self._lock:
            self._free += 1
            self._running[caller] -= 1
            if not self._running[caller]:
                del self._running[caller]
