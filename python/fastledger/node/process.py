# SPDX-License-Identifier: Apache-2.0
"""A node's process: how it shares the processor, how many descriptors it has, when it ends."""

import asyncio
import contextlib
import faulthandler
import gc
import os
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import uvloop

from fastledger.comm import GRPC_THREAD
from fastledger.node import eventloop

BUSY = 1 / 3
"""Share of a processor from which on a node is busy."""

PERIOD_S = 0.5
"""How often a node looks whether it is."""


YOUNG_OBJECTS = 20_000
"""New objects at which Python looks for circles among them: a few megabytes. With Python's own 700,
the calls that a busy node has under way alone make it look again and again, and find nothing."""


class Node(Protocol):
    """What a process is for."""

    async def start(self) -> None:
        """Serve."""

    async def stop(self) -> None:
        """Serve no more."""


def serve(make: Callable[[], Node]) -> None:
    """Make a node and serve until it is told to stop.

    The loop is libuv's: what a call costs at a busy node is a quarter less than with Python's own,
    whose turns are taken in Python.
    """

    async def made() -> None:
        await run(make())

    uvloop.run(made())


async def run(node: Node) -> None:
    """Serve until SIGTERM or SIGINT; a crash of the process itself is told in the log."""
    faulthandler.enable()
    take_descriptors()
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    beside = [loop.create_task(_share()), loop.create_task(eventloop.watch())]
    with contextlib.suppress(asyncio.CancelledError):
        try:
            await node.start()
            collect_seldom()
            await stopping.wait()
        finally:
            for task in beside:
                task.cancel()
            await node.stop()


def collect_seldom() -> None:
    """Look for garbage in circles less often, and not at all among what is there from the start."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])


def take_descriptors() -> None:
    """Have as many descriptors as the system allows, as every program in Go has.

    The soft limit, usually 1,024, is for programs that use ``select``; each client takes one.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Some systems refuse what they say that they allow.
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _share() -> None:
    """While the node is busy, let its transport not interrupt what it transports for.

    Each message wakes the transport. On an idle processor it should run at once; on one that the
    node keeps busy it takes the place of the event loop, which has to come back afterwards.
    """
    if not hasattr(os, "SCHED_BATCH") or os.sched_getscheduler(0) != os.SCHED_OTHER:
        # Whoever starts the node differently means it.
        return
    patient = False
    while True:
        began, used = time.monotonic(), time.process_time()
        await asyncio.sleep(PERIOD_S)
        busy = time.process_time() - used > BUSY * (time.monotonic() - began)
        if busy is not patient:
            patient = busy
            _schedule(os.SCHED_BATCH if patient else os.SCHED_OTHER)


def _schedule(policy: int) -> None:
    # A thread may end meanwhile; where it is not allowed, it only costs time.
    with contextlib.suppress(OSError):
        for thread in Path("/proc/self/task").iterdir():
            if (thread / "comm").read_text().strip() == GRPC_THREAD:
                os.sched_setscheduler(int(thread.name), policy, os.sched_param(0))
