# SPDX-License-Identifier: Apache-2.0
"""An orderer never forgets a channel, and never gives up a block that it stored."""

import shutil
from pathlib import Path

import pytest

from fastledger.common.errors import LedgerCorrupted, NotFound
from fastledger.ledger.blockstores import Ledgers
from fastledger.protoutil.blocks import new_block
from fastledger.protoutil.hashes import header_hash

CHANNEL = "channel"


def chain(count: int) -> list[bytes]:
    blocks, previous = [], b""
    for number in range(count):
        block = new_block(number, previous, [b"transaction %d" % number])
        previous = header_hash(block.header)
        blocks.append(block.SerializeToString())
    return blocks


def test_a_block_is_the_same_in_the_core(location: Path) -> None:
    store = Ledgers(location).open(CHANNEL)
    assert [bytes(store.block_in_core(number)) for number in range(3)] == chain(3)
    assert [store.block(number) for number in range(3)] == chain(3)
    with pytest.raises(NotFound):
        store.block_in_core(3)
    store.close()


@pytest.fixture
def location(tmp_path: Path) -> Path:
    ledgers = Ledgers(tmp_path)
    store = ledgers.open(CHANNEL)
    store.append(chain(3))
    ledgers.know(CHANNEL)
    store.close()
    return tmp_path


def test_a_channel_whose_folder_is_gone_is_missed(location: Path) -> None:
    shutil.rmtree(location / "chains" / CHANNEL)
    with pytest.raises(LedgerCorrupted, match="chains/channel: the blocks of channel channel are"):
        Ledgers(location).channel_ids()
    shutil.rmtree(location / "chains")
    with pytest.raises(LedgerCorrupted, match="copy them there from another orderer"):
        Ledgers(location).channel_ids()
    (location / "joined" / CHANNEL).unlink()
    assert Ledgers(location).channel_ids() == []


@pytest.mark.parametrize("keep_mark", [True, False])
def test_a_block_that_was_stored_is_missed(location: Path, keep_mark: bool) -> None:
    file = location / "chains" / CHANNEL / "blockfile_000000"
    file.write_bytes(file.read_bytes()[:-1])
    if not keep_mark:
        (file.parent / "synced").unlink()
    with pytest.raises(LedgerCorrupted, match=str(file)):
        Ledgers(location).open(CHANNEL)


def test_a_channel_that_was_removed_is_not_missed(location: Path) -> None:
    Ledgers(location).remove(CHANNEL)
    ledgers = Ledgers(location)
    assert ledgers.channel_ids() == []
    assert not ledgers.knows(CHANNEL)


def test_a_removal_that_was_cut_short_ends_at_the_next_start(location: Path) -> None:
    (location / "chains" / CHANNEL).rename(location / "pendingops" / "remove" / CHANNEL)
    ledgers = Ledgers(location)
    assert ledgers.channel_ids() == []
    assert not ledgers.knows(CHANNEL)


def test_a_changed_block_is_not_read(location: Path) -> None:
    file = location / "chains" / CHANNEL / "blockfile_000000"
    file.write_bytes(file.read_bytes().replace(b"transaction 1", b"transaction 7"))
    store = Ledgers(location).open(CHANNEL)
    assert store.height == 3
    assert store.block(2)
    with pytest.raises(LedgerCorrupted, match=f"{file} is damaged at offset"):
        store.block(1)
