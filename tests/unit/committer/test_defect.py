# SPDX-License-Identifier: Apache-2.0
"""A channel whose pipeline panics."""

import asyncio

import pytest

from corpora import OpenCorpus
from fastledger import _core
from fastledger.committer.committer import Committer
from fastledger.common.errors import Defect
from fastledger.ledger import kvledger
from fastledger.ledger.pvtdata import PrivateDataStore


def test_a_defect_stops_the_channel_and_refuses_no_block(
    open_corpus: OpenCorpus, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = open_corpus("v14").blocks("peer")[0]
    monkeypatch.setattr(kvledger.Ledger, "result", lambda _: _core.provoke_defect("tried out"))
    refused: list[Exception] = []

    async def story() -> None:
        with kvledger.open(tmp_path / "ledger") as ledger:
            store = PrivateDataStore(tmp_path / "private")
            committer = Committer("c", ledger, store, lambda *_: None, refused.append)
            committer.start()
            await committer.room(block)
            committer.submit(block)
            # Its thread has ended; nothing more is committed.
            await committer.stop()
            assert isinstance(committer.failure, Defect)
            assert "please report it: tried out" in str(committer.failure)
            store.close()

    asyncio.run(story())
    assert not refused
