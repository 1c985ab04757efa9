# SPDX-License-Identifier: Apache-2.0
"""Work that takes long, in which the callers take turns."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from typing import Any, TypeVar

from fastledger.common.turns import Turns

_T = TypeVar("_T")
_Job = tuple[asyncio.Future[Any], Callable[[], Any]]


class FairWorkers:
    """So many pieces of work at a time, none of which waits for all that one caller asks for.

    With an executor the work is done in its threads. Without, it is done on the loop, with room
    between the pieces for whatever else the loop has to do.
    """

    def __init__(self, workers: int, executor: Executor | None = None) -> None:
        """Do nothing yet; used on a running loop only."""
        self._executor = executor
        self._turns: Turns[_Job] = Turns(workers)
        self._closed = False

    async def run(self, caller: bytes, work: Callable[[], _T]) -> _T:
        """Do something when it is the caller's turn, and return what it returns."""
        answer: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        self._turns.put(caller, (answer, work))
        self._begin()
        return await answer

    def close(self) -> None:
        """Begin nothing more."""
        self._closed = True
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)

    def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        while (turn := self._turns.take()) is not None:
            caller, (answer, work) = turn
            if self._closed or answer.done():
                # Nobody waits for it any more.
                self._turns.done(caller)
            elif self._executor is not None:
                working = loop.run_in_executor(self._executor, work)
                working.add_done_callback(partial(self._end, caller, answer))
            else:
                loop.call_soon(self._work_here, caller, answer, work)

    def _work_here(
        self, caller: bytes, answer: asyncio.Future[Any], work: Callable[[], Any]
    ) -> None:
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        try:
            done.set_result(work())
        except Exception as error:  # noqa: BLE001 (whoever waits for it gets it)
            done.set_exception(error)
        self._end(caller, answer, done)

    def _end(self, caller: bytes, answer: asyncio.Future[Any], done: asyncio.Future[Any]) -> None:
        self._turns.done(caller)
        error = None if done.cancelled() else done.exception()
        if answer.done():
            pass
        elif done.cancelled():
            answer.cancel()
        elif error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(done.result())
        self._begin()
