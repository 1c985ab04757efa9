# SPDX-License-Identifier: Apache-2.0
"""A node's process: how it shares the processor, and when it ends."""

import asyncio
import contextlib
import os
import signal
from typing import Protocol


class Node(Protocol):
    """What a process is for."""

    async def start(self) -> None:
        """Serve."""

    async def stop(self) -> None:
        """Serve no more."""


async def run(node: Node) -> None:
    """Serve until SIGTERM or SIGINT."""
    _let_others_finish()
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    with contextlib.suppress(asyncio.CancelledError):
        try:
            await node.start()
            await stopping.wait()
        finally:
            await node.stop()


def _let_others_finish() -> None:
    """Have threads that wake up wait for a free processor instead of taking one away.

    A message passes through several threads and processes. When all processors are busy, each of
    them would interrupt another one for a few microseconds of work. Chaincodes inherit it.
    """
    if hasattr(os, "SCHED_BATCH"):
        # Where it is not allowed, it only costs time.
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
