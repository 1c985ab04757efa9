# SPDX-License-Identifier: Apache-2.0
"""A small block that comes alone goes to the ledger at once, without waking the thread first."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from corpora import OpenCorpus
from fastledger.committer import committer as module
from fastledger.committer.committer import Committer
from fastledger.common.errors import LedgerIo
from fastledger.ledger import kvledger
from fastledger.ledger.pvtdata import PrivateDataStore

PATIENCE_S = 60


class Watched:
    """A ledger that knows who hands blocks in, and may refuse the loop's."""

    def __init__(self, ledger: kvledger.Ledger) -> None:
        self._ledger = ledger
        self.on_loop: list[bool] = []
        self.is_broken = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def submit(self, block: bytes) -> None:
        self.on_loop.append(threading.current_thread() is threading.main_thread())
        if self.is_broken:
            raise LedgerIo("broken")
        self._ledger.submit(block)


async def committed(
    folder: Path, blocks: list[bytes], *, break_after: int | None = None
) -> tuple[Watched, list[int], Committer]:
    """Hand in one block, wait until it is committed, hand in the others at once."""
    told: list[int] = []
    with kvledger.open(folder / "ledger", delivered=True) as ledger:
        watched: Any = Watched(ledger)
        store = PrivateDataStore(folder / "private")
        committer = Committer(
            "c", watched, store, lambda _, commit: told.append(commit.number), lambda _: None
        )
        committer.start()
        async with asyncio.timeout(PATIENCE_S):
            committer.submit(blocks[0])
            await committer.idle()
            watched.is_broken = break_after == 1
            for block in blocks[1:]:
                committer.submit(block)
            if not watched.is_broken:
                await committer.idle()
            await committer.stop()
        store.close()
    return watched, told, committer


def test_the_loop_hands_in_what_is_alone(open_corpus: OpenCorpus, tmp_path: Path) -> None:
    blocks = open_corpus("v14").blocks("orderer")[:4]
    watched, told, committer = asyncio.run(committed(tmp_path, blocks))
    assert told == [0, 1, 2, 3]
    # The first one may come before the thread does.
    assert watched.on_loop[1:] == [True, False, False]
    assert committer.failure is None


def test_a_large_block_is_the_threads(
    open_corpus: OpenCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = open_corpus("v14").blocks("orderer")[:2]
    monkeypatch.setattr(module, "SMALL_BYTES", len(blocks[1]) - 1)
    watched, told, _ = asyncio.run(committed(tmp_path, blocks))
    assert told == [0, 1]
    assert watched.on_loop[1:] == [False]


def test_what_fails_on_the_loop_ends_the_channel_as_it_does_on_the_thread(
    open_corpus: OpenCorpus, tmp_path: Path
) -> None:
    blocks = open_corpus("v14").blocks("orderer")[:2]
    watched, told, committer = asyncio.run(committed(tmp_path, blocks, break_after=1))
    assert told == [0]
    assert watched.on_loop[1:] == [True, False]
    assert isinstance(committer.failure, LedgerIo)
