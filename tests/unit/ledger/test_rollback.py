# SPDX-License-Identifier: Apache-2.0
"""A ledger taken back to a block is the ledger that had no more blocks."""

import shutil
from pathlib import Path

import pytest

import fastledger
from corpora import Corpus
from fastledger.common.errors import InputError, LedgerLocked
from fastledger.ledger.rollback import reset, rollback


@pytest.fixture
def ledger(small_ledger: Path, tmp_path: Path) -> Path:
    """A ledger of one's own."""
    return Path(shutil.copytree(small_ledger, tmp_path / "ledger"))


@pytest.mark.parametrize("number", [0, 41, 82])
def test_rolled_back_and_forward(ledger: Path, small: Corpus, number: int) -> None:
    with fastledger.open(ledger) as before:
        last = before.last_commit_hash
    rollback(ledger, number)
    with fastledger.open(ledger) as opened:
        assert opened.height == number + 1
        expected = small.verdicts[number].commit_hash
        assert opened.last_commit_hash == expected
        for _ in opened.commit_all(small.blocks()[number + 1 :]):
            pass
        assert opened.last_commit_hash == last


def test_reset(ledger: Path) -> None:
    reset(ledger)
    with fastledger.open(ledger) as opened:
        assert opened.height == 1
    reset(ledger)


@pytest.mark.parametrize("number", [-1, 83, 1000])
def test_only_to_an_earlier_block(ledger: Path, number: int) -> None:
    with pytest.raises(InputError, match="should be less than the biggest block number"):
        rollback(ledger, number)


def test_not_while_it_is_open(ledger: Path) -> None:
    with fastledger.open(ledger), pytest.raises(LedgerLocked):
        rollback(ledger, 3)


def test_not_before_a_snapshot(ledger: Path, tmp_path: Path, small: Corpus) -> None:
    rollback(ledger, 40)
    with fastledger.open(ledger) as opened:
        opened.snapshot(tmp_path / "snapshot")
    fastledger.restore(tmp_path / "snapshot", tmp_path / "copy")
    with fastledger.open(tmp_path / "copy") as copy:
        for _ in copy.commit_all(small.blocks()[41:45]):
            pass
    with pytest.raises(InputError, match="began with a snapshot"):
        rollback(tmp_path / "copy", 42)
