# SPDX-License-Identifier: Apache-2.0
"""Threads for rich queries and histories, which may read a whole ledger."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from fastledger.shim.turns import Turns

QUERY_WORKERS = 4
"""Rich queries and histories that are read side by side; more wait."""

_Job = tuple[asyncio.Future[Any], Callable[[], Any]]


class QueryWorkers:
    """Work in threads, in which the callers take turns; used on the loop only."""

    def __init__(self, workers: int = QUERY_WORKERS) -> None:
        """Start no thread yet."""
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="query")
        self._turns: Turns[_Job] = Turns(workers)
        self._closed = False

    async def run(self, caller: bytes, work: Callable[[], Any]) -> Any:
        """Do something in a thread when it is the caller's turn, and return what it returns."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._turns.put(caller, (answer, work))
        self._begin()
        return await answer

    def close(self) -> None:
        """Begin nothing more."""
        self._closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _begin(self) -> None:
        while (turn := self._turns.take()) is not None:
            caller, (answer, work) = turn
            if self._closed or answer.done():
                # Nobody waits for it any more.
                self._turns.done(caller)
                continue
            working = asyncio.get_running_loop().run_in_executor(self._pool, work)
            working.add_done_callback(partial(self._end, caller, answer))

    def _end(self, caller: bytes, answer: asyncio.Future[Any], done: asyncio.Future[Any]) -> None:
        self._turns.done(caller)
        if answer.done():
            pass
        elif done.cancelled():
            answer.cancel()
        elif (error := done.exception()) is not None:
            answer.set_exception(error)
        else:
            answer.set_result(done.result())
        self._begin()
