# SPDX-License-Identifier: Apache-2.0
"""A limit on what goes on at a time that nobody can use up for all others."""

from collections import Counter

SMALL = 10
"""Whoever holds less than this part of a limit gets in although others have used it up."""


class FairLimit:
    """So many at a time, whoever they are for; and as many again for those who hold few.

    A limit alone lets one user keep everybody out. A share for each alone would refuse a busy
    user on an idle node. So the limit refuses nobody whom it would not refuse anyway, and once it
    is reached, those who hold less than a tenth of it are still let in, up to twice the limit.

    ::

        if not limit.enter(who):
            raise ...
        try:
            ...
        finally:
            limit.leave(who)
    """

    def __init__(self, most: int) -> None:
        """Begin with nobody inside; ``most`` is 0 where there is no limit."""
        self._most = most
        self._small = max(most // SMALL, 1)
        self._held: Counter[bytes] = Counter()
        self._total = 0

    def enter(self, who: bytes) -> bool:
        """Count one more for somebody; False, and nothing is counted, where there is no room."""
        is_full = 0 < self._most <= self._total
        if is_full and (self._total >= 2 * self._most or self._held[who] >= self._small):
            return False
        self._held[who] += 1
        self._total += 1
        return True

    def leave(self, who: bytes) -> None:
        """Count one less for somebody who was let in."""
        self._total -= 1
        self._held[who] -= 1
        if not self._held[who]:
            del self._held[who]
