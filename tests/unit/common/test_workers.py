# SPDX-License-Identifier: Apache-2.0
"""Long work in which the callers take turns."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from fastledger.common.workers import FairWorkers


def test_slow_work_of_one_caller_leaves_a_thread_to_others() -> None:
    async def run() -> None:
        workers = FairWorkers(4, ThreadPoolExecutor(4))
        release = threading.Event()
        slow = [asyncio.ensure_future(workers.run(b"A", release.wait)) for _ in range(20)]
        assert [await workers.run(b"B", lambda n=n: n) for n in range(3)] == [0, 1, 2]
        with pytest.raises(KeyError):
            await workers.run(b"B", lambda: dict[str, str]()["there is none"])
        slow[10].cancel()
        release.set()
        done = await asyncio.gather(*slow, return_exceptions=True)
        assert done.count(True) == 19
        workers.close()

    asyncio.run(run())


def test_work_on_the_loop_leaves_room_between_the_pieces() -> None:
    async def run() -> None:
        workers = FairWorkers(1)
        done: list[bytes] = []
        many = [
            asyncio.ensure_future(workers.run(b"A", lambda: done.append(b"A"))) for _ in range(50)
        ]
        await asyncio.sleep(0)
        await workers.run(b"B", lambda: done.append(b"B"))
        # After two or three of the first caller's, not after all.
        assert done.index(b"B") < 5
        before = len(done)
        await asyncio.sleep(0)
        assert len(done) <= before + 1
        await asyncio.gather(*many)
        with pytest.raises(ZeroDivisionError):
            await workers.run(b"A", lambda: 1 // 0)

    asyncio.run(run())
