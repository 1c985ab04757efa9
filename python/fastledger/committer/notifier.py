# SPDX-License-Identifier: Apache-2.0
"""Who waits for blocks, or for the fate of transactions."""

import asyncio
from collections.abc import Iterable
from functools import partial

from fastledger.common.codes import TxValidationCode

Status = tuple[TxValidationCode, int]
"""A transaction's verdict and its block."""


class Notifier:
    """One channel's waiters; all of it happens on the loop."""

    def __init__(self, height: int) -> None:
        """Begin at a ledger's height."""
        self._height = height
        self._loop = asyncio.get_running_loop()
        self._growing: set[asyncio.Future[None]] = set()
        self._waiting: dict[str, set[asyncio.Future[Status]]] = {}
        self._reconfigured: asyncio.Future[None] | None = None

    @property
    def height(self) -> int:
        """Blocks that were told of."""
        return self._height

    @property
    def awaits(self) -> bool:
        """Whether any transaction is waited for."""
        return bool(self._waiting)

    async def wait(self, height: int) -> None:
        """Return when there are so many blocks."""
        while self._height < height:
            # Not an Event, which asks the system for the process's number with each wait.
            grown = self._loop.create_future()
            self._growing.add(grown)
            try:
                await grown
            finally:
                self._growing.discard(grown)

    def status(self, tx_id: str) -> "asyncio.Future[Status]":
        """Await a transaction that is not committed yet; whoever gives up cancels the future."""
        future: asyncio.Future[Status] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tx_id, set()).add(future)
        future.add_done_callback(partial(self._forget, tx_id))
        return future

    def _forget(self, tx_id: str, future: "asyncio.Future[Status]") -> None:
        waiting = self._waiting.get(tx_id, set())
        waiting.discard(future)
        if not waiting:
            self._waiting.pop(tx_id, None)

    def reconfiguration(self) -> "asyncio.Future[None]":
        """Await the next configuration; it is one future for all, which nobody cancels."""
        if self._reconfigured is None:
            self._reconfigured = asyncio.get_running_loop().create_future()
        return self._reconfigured

    def tell_configuration(self) -> None:
        """Another configuration is in force."""
        if self._reconfigured is not None:
            self._reconfigured.set_result(None)
            self._reconfigured = None

    def tell(self, number: int, verdicts: Iterable[tuple[str, TxValidationCode]]) -> None:
        """A block is committed.

        Args:
            number: The block.
            verdicts: Its transactions, asked for only when any is waited for.
        """
        self._height = number + 1
        growing, self._growing = self._growing, set()
        for grown in growing:
            if not grown.done():
                grown.set_result(None)
        if not self._waiting:
            return
        for tx_id, code in verdicts:
            for future in self._waiting.pop(tx_id, set()):
                if not future.done():
                    future.set_result((code, number))
