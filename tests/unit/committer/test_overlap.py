# SPDX-License-Identifier: Apache-2.0
"""A block that comes is worked at while the outcome of the one before it is awaited."""

import asyncio
from pathlib import Path
from typing import Any

from corpora import OpenCorpus
from fastledger.committer.committer import Committer
from fastledger.ledger import kvledger
from fastledger.ledger.pvtdata import PrivateDataStore

PATIENCE_S = 60


class Slow:
    """A ledger whose first outcome comes once a second block is in work."""

    def __init__(self, ledger: kvledger.Ledger, loop: asyncio.AbstractEventLoop) -> None:
        self._ledger = ledger
        self._loop = loop
        self.submitted = 0
        self.looked = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def submit(self, block: bytes) -> None:
        self.submitted += 1
        self._ledger.submit(block)

    def ready(self, longest_s: float = 0.0) -> int:
        self._loop.call_soon_threadsafe(self.looked.set)
        return self._ledger.ready(longest_s) if self.submitted > 1 else 0

    def result(self) -> kvledger.Commit:
        assert self.submitted > 1, "the first outcome was awaited alone"
        return self._ledger.result()


def test_blocks_overlap(open_corpus: OpenCorpus, tmp_path: Path) -> None:
    blocks = open_corpus("v14").blocks("orderer")
    told: list[int] = []

    async def story() -> None:
        with kvledger.open(tmp_path / "ledger", delivered=True) as ledger:
            slow: Any = Slow(ledger, asyncio.get_running_loop())
            store = PrivateDataStore(tmp_path / "private")
            committer = Committer(
                "c", slow, store, lambda _, commit: told.append(commit.number), lambda _: None
            )
            committer.start()
            committer.submit(blocks[0])
            await slow.looked.wait()
            committer.submit(blocks[1])
            await committer.idle()
            await committer.stop()
            assert committer.failure is None
            store.close()

    asyncio.run(asyncio.wait_for(story(), PATIENCE_S))
    assert told == [0, 1]
