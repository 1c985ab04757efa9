# SPDX-License-Identifier: Apache-2.0
"""Threads that run transactions."""

import gc
import os
import threading
from collections.abc import Callable

from fastledger._core import ShimPeers, ShimTransaction
from fastledger.shim.patience import PERIOD_S, Patience

WORKERS_VARIABLE = "FASTLEDGER_SHIM_WORKERS"
DEFAULT_WORKERS = 64
"""Transactions that run side by side; more wait. A transaction that calls its own chaincode on
another channel needs two."""


def workers() -> int:
    """How many there may be, as the environment says.

    Raises:
        ValueError: It says no positive number.
    """
    text = os.environ.get(WORKERS_VARIABLE, str(DEFAULT_WORKERS))
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"{WORKERS_VARIABLE} is {text!r}, it must be a positive number")
    return int(text)


class Workers:
    """Threads that take the transactions of a chaincode's peers, as many as are needed."""

    def __init__(
        self, peers: ShimPeers, run: Callable[[ShimTransaction], None], limit: int
    ) -> None:
        """Start none yet; ``limit`` transactions may run at a time."""
        self._peers = peers
        self._run = run
        self._limit = limit
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._failure: BaseException | None = None

    def run(self) -> None:
        """Work until no peer can ask for anything any more.

        Raises:
            BaseException: A chaincode has raised what is no Exception, such as SystemExit.
        """
        # What is there by now stays: to look through it for garbage would stop all threads at once.
        gc.collect()
        gc.freeze()
        over = threading.Event()
        sharing = threading.Thread(target=_share, args=[over], daemon=True)
        sharing.start()
        self._add()
        for thread in self._threads:
            # The list grows meanwhile, and is walked to its end.
            thread.join()
        over.set()
        sharing.join()
        if self._failure:
            raise self._failure

    def _add(self) -> None:
        """Have a thread wait for the next transaction, unless one does."""
        with self._lock:
            if self._peers.has_idle() or len(self._threads) >= self._limit:
                return
            thread = threading.Thread(target=self._work, daemon=True)
            self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        while (transaction := self._peers.next()) is not None:
            if len(self._threads) < self._limit:
                self._add()
            try:
                self._run(transaction)
            except BaseException as failure:  # noqa: BLE001 (raised by run)
                self._failure = failure
                self._peers.close()
            finally:
                transaction.done()


def _share(over: threading.Event) -> None:
    """While the chaincode is busy, let its threads not interrupt its peers'."""
    if Patience.is_possible():
        patience = Patience()
        while not over.wait(PERIOD_S):
            patience.look()
        patience.end()
