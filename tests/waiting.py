# SPDX-License-Identifier: Apache-2.0
"""How tests wait: for what they are told of, and by the clock only where time itself is tested.

`until` and `wait_until` end as soon as something holds, however slow the machine is. `elapse` and
`pause` are for what must *not* happen in the meantime, and for clients that dawdle; they want to
be told why. A test of conventions holds that nothing else in the tests sleeps for a fixed time.
"""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable

DEADLINE_S = 60.0
"""Nothing that a test waits for takes as long, unless it has failed."""

_POLL_S = 0.01


async def until(
    holds: Callable[[], object] | Callable[[], Awaitable[object]], seconds: float = DEADLINE_S
) -> None:
    """Wait until it holds, and let other tasks run meanwhile.

    Raises:
        TimeoutError: It did not hold in time.
    """
    async with asyncio.timeout(seconds):
        while True:
            said = holds()
            if await said if inspect.isawaitable(said) else said:
                return
            await asyncio.sleep(_POLL_S)


def wait_until(holds: Callable[[], object], seconds: float = DEADLINE_S) -> None:
    """Wait until it holds.

    Raises:
        AssertionError: It did not hold in time.
    """
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not become so in time"
        time.sleep(_POLL_S)


async def settle(turns: int = 20) -> None:
    """Give other tasks of this loop so many turns: enough for those that need no I/O."""
    for _ in range(turns):
        await asyncio.sleep(0)


async def elapse(seconds: float, why: str) -> None:
    """Let time pass, for the reason given."""
    assert why
    await asyncio.sleep(seconds)


def pause(seconds: float, why: str) -> None:
    """Let time pass, for the reason given, where no loop runs."""
    assert why
    time.sleep(seconds)
