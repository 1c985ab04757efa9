# SPDX-License-Identifier: Apache-2.0
"""Who waits for blocks, or for the fate of transactions."""

import asyncio
from collections.abc import Iterable

from fastledger.common.codes import TxValidationCode

Status = tuple[TxValidationCode, int]
"""A transaction's verdict and its block."""


class Notifier:
    """One channel's waiters; all of it happens on the loop."""

    def __init__(self, height: int) -> None:
        """Begin at a ledger's height."""
        self._height = height
        self._grown = asyncio.Event()
        self._waiting: dict[str, asyncio.Future[Status]] = {}

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
            await self._grown.wait()

    def status(self, tx_id: str) -> "asyncio.Future[Status]":
        """Await a transaction that is not committed yet; many may await the same one."""
        future = self._waiting.get(tx_id)
        if future is None or future.done():
            future = self._waiting[tx_id] = asyncio.get_running_loop().create_future()
        return future

    def forget(self, tx_id: str, future: "asyncio.Future[Status]") -> None:
        """Nobody waits for it any more."""
        if self._waiting.get(tx_id) is future:
            del self._waiting[tx_id]

    def tell(self, number: int, verdicts: Iterable[tuple[str, TxValidationCode]]) -> None:
        """A block is committed.

        Args:
            number: The block.
            verdicts: Its transactions, asked for only when any is waited for.
        """
        self._height = number + 1
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()
        if not self._waiting:
            return
        for tx_id, code in verdicts:
            future = self._waiting.pop(tx_id, None)
            if future is not None and not future.done():
                future.set_result((code, number))
