# SPDX-License-Identifier: Apache-2.0
"""Private writes that wait for their transaction's commit (Fabric: ``core/transientstore``).

::

    transient    <transaction id>                   its private writes
    endorsed     <height><transaction id>           which of them wait since when
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

DATABASES = 2
"""Named databases that these tables need of their environment."""

MAX_ID_BYTES = 128
"""Of a transaction's id that can be waited for; it is 64 hexadecimal digits."""

_HEIGHT_BYTES = 8


class Transient:
    """The tables. What is read or dropped takes the LMDB transaction to work in."""

    def __init__(self, env: Any, height: Callable[[], int]) -> None:
        """Open or make the tables.

        Args:
            env: Where.
            height: Says at which block something begins to wait.
        """
        self._env = env
        self._height = height
        self._transient = env.open_db(b"transient")
        self._endorsed = env.open_db(b"endorsed")
        self._asked: deque[tuple[str, bytes, Future[None]]] = deque()
        self._writer = ThreadPoolExecutor(1, "private-data")
        self.count = 0
        """Transactions that are waited for."""
        with env.begin() as txn:
            self.note(txn)

    def close(self) -> None:
        """Write what was asked for."""
        self._writer.shutdown()

    def note(self, txn: Any) -> None:
        """Count again: the transaction changes something."""
        self.count = txn.stat(self._transient)["entries"]

    async def keep(self, tx_id: str, private: bytes) -> None:
        """Keep a transaction's private writes; what is asked for meanwhile is synced together."""
        done: Future[None] = Future()
        self._asked.append((tx_id, private, done))
        self._writer.submit(self._keep_asked)
        await asyncio.wrap_future(done)

    def _keep_asked(self) -> None:
        asked = [self._asked.popleft() for _ in range(len(self._asked))]
        try:
            self.put([(tx_id, private) for tx_id, private, _ in asked])
        except BaseException as error:  # noqa: BLE001 - told to all who asked
            for _, _, done in asked:
                done.set_exception(error)
        else:
            for _, _, done in asked:
                done.set_result(None)

    def put(self, transactions: Sequence[tuple[str, bytes]]) -> None:
        """Keep transactions' private writes, and wait until they are synced."""
        if not transactions:
            return
        since = self._height().to_bytes(_HEIGHT_BYTES, "big")
        with self._env.begin(write=True) as txn:
            for tx_id, private in transactions:
                txn.put(tx_id.encode(), private, db=self._transient)
                txn.put(since + tx_id.encode(), b"", db=self._endorsed)
            self.note(txn)

    def get(self, txn: Any, tx_id: str) -> bytes | None:
        """Read the private writes that wait for a transaction."""
        key = tx_id.encode()
        # Ids of invalid transactions can be anything; those of endorsed ones are short.
        found = txn.get(key, db=self._transient) if 0 < len(key) <= MAX_ID_BYTES else None
        return None if found is None else bytes(found)

    def drop(self, txn: Any, tx_id: str) -> None:
        """Wait for a transaction no longer."""
        if 0 < len(tx_id.encode()) <= MAX_ID_BYTES:
            txn.delete(tx_id.encode(), db=self._transient)

    def forget(self, txn: Any, height: int) -> None:
        """Drop what was endorsed before a height and never committed."""
        with txn.cursor(db=self._endorsed) as cursor:
            while cursor.first():
                key = bytes(cursor.key())
                if int.from_bytes(key[:_HEIGHT_BYTES], "big") >= height:
                    return
                txn.delete(key[_HEIGHT_BYTES:], db=self._transient)
                cursor.delete()
