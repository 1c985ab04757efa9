# SPDX-License-Identifier: Apache-2.0
"""Work that may take minutes says that it goes on."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

EVERY_S = 5.0
"""Between two signs of life: most work is done before the first."""

_T = TypeVar("_T")


async def while_told(
    work: Coroutine[Any, Any, _T], tell: Callable[[float], None], every_s: float = EVERY_S
) -> _T:
    """Wait for work, and tell again and again for how many seconds it has gone on."""
    began = time.monotonic()
    task = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait({task}, timeout=every_s))[0]:
            tell(time.monotonic() - began)
    finally:
        task.cancel()
    return await task
