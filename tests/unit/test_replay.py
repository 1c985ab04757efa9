# SPDX-License-Identifier: Apache-2.0
"""Stored verdicts and hashes that are not ours are found, wherever they stand."""

from pathlib import Path

import pytest

import fastledger
from corpora import Corpus
from fastledger.ledger import sources
from fastledger.ledger.replay import Replay, Summary
from fastledger.protos.common.common_pb2 import Block, Metadata

FILTER, COMMIT_HASH = 2, 4


def changed(encoded: bytes, slot: int, value: bytes) -> bytes:
    block = Block.FromString(encoded)
    block.metadata.metadata[slot] = value
    return block.SerializeToString()


def write(folder: Path, blocks: list[bytes]) -> Path:
    folder.mkdir()
    for number, block in enumerate(blocks):
        (folder / f"{number:06}.block").write_bytes(block)
    return folder


def replay(ledger_path: Path, folder: Path) -> Summary:
    with fastledger.open(ledger_path) as ledger, sources.open(folder) as source:
        return Replay(ledger, source).run()


def differences(summary: Summary) -> list[str]:
    return [str(difference) for difference in summary.differences]


@pytest.fixture
def tampered(small: Corpus, tmp_path: Path) -> Path:
    blocks = small.blocks("peer")
    codes = small.verdicts[5].codes
    blocks[5] = changed(blocks[5], FILTER, b"\x0b" + codes[1:])
    blocks[6] = changed(blocks[6], FILTER, small.verdicts[6].codes + b"\x00")
    wrong = Metadata(value=bytes(32)).SerializeToString()
    blocks[7] = changed(blocks[7], COMMIT_HASH, wrong)
    return write(tmp_path / "tampered", blocks)


@pytest.mark.parametrize("committed", [False, True], ids=["fresh", "already committed"])
def test_what_was_tampered_with_is_found(
    small: Corpus, small_ledger: Path, tampered: Path, tmp_path: Path, committed: bool
) -> None:
    summary = replay(small_ledger if committed else tmp_path / "ledger", tampered)
    theirs = fastledger.TxValidationCode(small.verdicts[5].codes[0]).name
    ours = small.verdicts[7].commit_hash
    count = len(small.verdicts[6].codes)
    assert ours is not None
    assert differences(summary) == [
        f"block 5, transaction 0: the stored verdict is MVCC_READ_CONFLICT, ours is {theirs}",
        f"block 6: {count + 1} verdicts are stored for {count} transactions",
        f"block 7: the stored commit hash is {bytes(32).hex()}, ours is {ours.hex()}",
    ]
    assert summary.compared == len(small.verdicts)
    assert summary.already_committed == (len(small.verdicts) if committed else 0)


def test_a_missing_commit_hash_does_not_hide_a_wrong_one(small: Corpus, tmp_path: Path) -> None:
    blocks = small.blocks("peer")
    blocks[6] = changed(blocks[6], COMMIT_HASH, b"")
    blocks[7] = changed(blocks[7], COMMIT_HASH, Metadata(value=bytes(32)).SerializeToString())
    summary = replay(tmp_path / "ledger", write(tmp_path / "blocks", blocks))
    ours = small.verdicts[7].commit_hash
    assert ours is not None
    assert differences(summary) == [
        f"block 7: the stored commit hash is {bytes(32).hex()}, ours is {ours.hex()}"
    ]
    assert (summary.without_commit_hash, summary.notes) == (1, [])


def test_commit_hashes_that_begin_in_the_middle_are_believed_from_there(
    small: Corpus, tmp_path: Path
) -> None:
    blocks = small.blocks("peer")
    blocks[:7] = [changed(block, COMMIT_HASH, b"") for block in blocks[:7]]
    summary = replay(tmp_path / "ledger", write(tmp_path / "blocks", blocks))
    assert summary.notes == [
        "block 7: its commit hash is believed: that of the block before is not known"
    ]
    assert (differences(summary), summary.without_commit_hash) == ([], 6)
    blocks[9] = changed(blocks[9], COMMIT_HASH, Metadata(value=bytes(32)).SerializeToString())
    summary = replay(tmp_path / "other", write(tmp_path / "wrong", blocks))
    assert differences(summary)[0].startswith("block 9: the stored commit hash is 0000")


def test_a_filter_that_an_orderer_made_up_is_no_verdict(small: Corpus, tmp_path: Path) -> None:
    blocks = small.blocks("orderer")
    blocks[9] = changed(blocks[9], FILTER, b"\x0b" * len(small.verdicts[9].codes))
    summary = replay(tmp_path / "ledger", write(tmp_path / "blocks", blocks))
    assert (differences(summary), summary.compared) == ([], 0)


def test_another_chain_with_the_same_numbers_is_found(
    small: Corpus, small_ledger: Path, tmp_path: Path
) -> None:
    blocks = small.blocks("orderer")
    block = Block.FromString(blocks[3])
    block.header.data_hash = bytes(32)
    blocks[3] = block.SerializeToString()
    summary = replay(small_ledger, write(tmp_path / "blocks", blocks))
    assert summary.difference_count == 1
    assert "block 3: the stored header hash is" in differences(summary)[0]


def test_a_ledger_is_continued(small: Corpus, tmp_path: Path) -> None:
    blocks = small.blocks("peer")
    first = replay(tmp_path / "ledger", write(tmp_path / "first", blocks[:30]))
    both = replay(tmp_path / "ledger", write(tmp_path / "all", blocks))
    assert (first.blocks, both.already_committed, both.blocks) == (30, 30, len(blocks) - 30)
    assert differences(both) == []
    with fastledger.open(tmp_path / "ledger") as ledger:
        assert ledger.last_commit_hash == small.verdicts[-1].commit_hash
