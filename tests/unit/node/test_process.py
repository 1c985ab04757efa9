# SPDX-License-Identifier: Apache-2.0
"""When a node's transport waits for its turn."""

import asyncio
import os
import resource
import time
from pathlib import Path

import pytest

from fastledger.comm import GrpcServer
from fastledger.node import process
from fastledger.shim import patience
from waiting import until

DEADLINE_S = 30


def policies(name: str) -> set[int]:
    """The scheduling policies of this process's threads of a name."""
    threads = Path("/proc/self/task").iterdir()
    named = [one for one in threads if (one / "comm").read_text().strip() == name]
    return {os.sched_getscheduler(int(one.name)) for one in named}


@pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="needs Linux")
def test_the_transport_of_a_busy_node_interrupts_nobody(monkeypatch) -> None:
    monkeypatch.setattr(process, "PERIOD_S", 0.05)
    # So much is to be had beside other tests, too.
    monkeypatch.setattr(patience, "BUSY", 0.1)

    class Node:
        async def start(self) -> None:
            self.server = GrpcServer("127.0.0.1:0")
            await self.server.start()

        async def stop(self) -> None:
            await self.server.stop()

    async def reached(policy: int, spend_s: float) -> None:
        def holds() -> bool:
            end = time.process_time() + spend_s
            while time.process_time() < end:
                pass
            return policies("grpc") == {policy}

        await until(holds, DEADLINE_S)

    async def run() -> None:
        running = asyncio.create_task(process.run(Node()))
        await reached(os.SCHED_OTHER, 0)
        before = policies("python")
        await reached(os.SCHED_BATCH, 0.1)
        assert policies("python") == before
        await reached(os.SCHED_OTHER, 0)
        running.cancel()
        await running

    asyncio.run(run())


def test_a_node_has_as_many_descriptors_as_the_system_allows() -> None:
    soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), most))
        process.take_descriptors()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (most, most)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, most))
