# SPDX-License-Identifier: Apache-2.0
"""Who leads, as one consenter sees it; and those who wait for somebody to."""

import asyncio

from fastledger.orderer.consensus.clock import Clock

_CANDIDATES = ("precandidate", "candidate")


class LeaderWatch:
    """The leader of one channel."""

    def __init__(self, clock: Clock) -> None:
        """Know of none."""
        self._clock = clock
        self._state = "follower"
        self._waiting: set[asyncio.Future[None]] = set()
        self.leader = 0
        """Its raft id; 0 while none is known, or this consenter stands for election."""
        self.leaderless_since = clock.time()
        self.errored = True
        """Whether who reads blocks should ask elsewhere (Fabric: ``errorC``)."""

    def observe(self, leader: int, state: str, consenters: int) -> None:
        """Learn what raft says.

        Args:
            leader: Whom it takes for the leader.
            state: What this consenter is: follower, precandidate, candidate or leader.
            consenters: How many there are. Two or fewer are not called broken without a leader: one
                that gets its first companion would be, until that has come.
        """
        before, was_candidate = self.leader, self._state in _CANDIDATES
        is_candidate = state in _CANDIDATES
        self.leader, self._state = 0 if is_candidate else leader, state
        if (self.leader and not before) or (was_candidate and not is_candidate):
            self.errored = False
        if not self.leader and consenters > 2:
            self.errored = True
        if self.leader != before:
            self.leaderless_since = self._clock.time()
            self.tell()

    def lost(self) -> None:
        """Know of no leader any more: nobody is asked."""
        self.leader, self.errored = 0, True
        self.tell()

    def tell(self) -> None:
        """Have those who wait look again."""
        for waiting in self._waiting:
            _set(waiting)

    async def wait(self, seconds: float) -> None:
        """Return when something is another, or the time is over."""
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(waiting)
        timer = self._clock.call_later(seconds, lambda: _set(waiting))
        try:
            await waiting
        finally:
            timer.cancel()
            self._waiting.discard(waiting)


def _set(waiting: "asyncio.Future[None]") -> None:
    if not waiting.done():
        waiting.set_result(None)
