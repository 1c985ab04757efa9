# SPDX-License-Identifier: Apache-2.0
"""A node's process: how it shares the processor, how many descriptors it has, when it ends."""

import asyncio
import contextlib
import faulthandler
import gc
import resource
import signal
from collections.abc import Callable
from typing import Protocol

import uvloop

from fastledger.comm import GRPC_THREAD
from fastledger.node import eventloop
from fastledger.shim.patience import PERIOD_S, Patience

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
    """While the node is busy, let its transport not interrupt what it transports for."""
    if Patience.is_possible():
        patience = Patience(lambda name: name == GRPC_THREAD)
        while True:
            await asyncio.sleep(PERIOD_S)
            patience.look()
