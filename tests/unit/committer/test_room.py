# SPDX-License-Identifier: Apache-2.0
"""How much may be between a channel's orderer and its ledger, and on its disk."""

import asyncio
from pathlib import Path

import pytest

from corpora import OpenCorpus
from fastledger.committer import committer as room
from fastledger.committer.committer import Committer
from fastledger.committer.intake import Intake
from fastledger.ledger import kvledger
from fastledger.ledger import room as disk
from fastledger.ledger.pvtdata import PrivateDataStore
from small_disks import enlarge, small_disk
from waiting import settle


def test_blocks_wait_for_room_in_bytes_and_then_are_committed(
    open_corpus: OpenCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = open_corpus("v14").blocks("peer")[:6]
    # The first one is larger than all that may wait.
    monkeypatch.setattr(room, "MAX_BYTES", len(blocks[0]) - 1)
    told: list[int] = []

    async def story() -> None:
        with kvledger.open(tmp_path / "ledger") as ledger:
            store = PrivateDataStore(tmp_path / "private")
            committer = Committer(
                "c", ledger, store, lambda _, commit: told.append(commit.number), lambda _: None
            )
            intake = Intake(committer, lambda: ledger.height)
            await intake.put(blocks[0])
            second = asyncio.create_task(intake.put(blocks[1]))
            await settle()
            assert not second.done()
            committer.start()
            async with asyncio.timeout(20):
                await second
                for block in blocks[2:]:
                    await intake.put(block)
                await committer.idle()
            await committer.stop()
            assert committer.failure is None
            store.close()

    asyncio.run(story())
    assert told == list(range(6))


def test_a_disk_without_room_for_what_may_wait_is_full(tmp_path: Path) -> None:
    """A probe of 1 MiB alone would find room where a block or a flush found none."""
    folder = tmp_path / "disk"
    folder.mkdir()
    with small_disk(folder, tmp_path, 8):
        assert not disk.is_full(folder)
        assert disk.is_full(folder, room.MAX_BYTES)
        enlarge(folder, 64)
        assert not disk.is_full(folder, room.MAX_BYTES)
