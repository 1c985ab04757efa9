# SPDX-License-Identifier: Apache-2.0
"""Work that is done once for everybody who wants it at the same time."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

_K = TypeVar("_K")
_T = TypeVar("_T")


async def shared(
    running: dict[_K, asyncio.Task[_T]], key: _K, begin: Callable[[], Coroutine[Any, Any, _T]]
) -> _T:
    """Wait for the work that goes on under a key, beginning it when nobody has.

    It goes on when whoever waits is cancelled; that nobody is left to hear how it failed is no
    defect.
    """
    task = running.get(key)
    if task is None:
        task = running[key] = asyncio.create_task(begin())

        def over(done: asyncio.Task[_T]) -> None:
            running.pop(key, None)
            if not done.cancelled():
                done.exception()

        task.add_done_callback(over)
    return await asyncio.shield(task)
