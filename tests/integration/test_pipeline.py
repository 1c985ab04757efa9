# SPDX-License-Identifier: Apache-2.0
"""The pipeline when things go wrong or stop early, and two ledgers side by side."""

import json
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import fastledger
from corpora import Corpus
from fastledger import _core
from fastledger.protos.common.common_pb2 import Block


def broken(encoded: bytes) -> bytes:
    block = Block.FromString(encoded)
    block.header.data_hash = bytes(32)
    return block.SerializeToString()


def test_a_refused_block_leaves_a_ledger_that_takes_the_right_one(
    small: Corpus, tmp_path: Path
) -> None:
    blocks = small.blocks("orderer")
    wrong = [*blocks[:10], broken(blocks[10]), *blocks[11:]]
    with fastledger.open(tmp_path / "ledger") as ledger:
        commits = ledger.commit_all(wrong)
        assert [next(commits).number for _ in range(10)] == [*range(10)]
        with pytest.raises(fastledger.BlockRefused) as refused:
            next(commits)
        assert refused.value.number == 10
        assert "data hash" in refused.value.reason
        assert ledger.height == 10
        rest = list(ledger.commit_all(blocks[10:]))
        assert [commit.commit_hash for commit in rest] == [
            verdict.commit_hash for verdict in small.verdicts[10:]
        ]


def test_single_commits_and_checks_refuse_too(small: Corpus, tmp_path: Path) -> None:
    blocks = small.blocks("orderer")
    with fastledger.open(tmp_path / "ledger") as ledger:
        for attempt in (broken(blocks[0]), blocks[1], b"", b"\xff", blocks[0][:-1]):
            for take in (ledger.commit, ledger.validate):
                with pytest.raises((fastledger.BlockRefused, fastledger.InputError)):
                    take(attempt)
        assert ledger.height == 0
        assert ledger.commit(blocks[0]).number == 0
        with pytest.raises(fastledger.BlockRefused):
            ledger.commit(blocks[0])
        assert ledger.commit(blocks[1]).commit_hash == small.verdicts[1].commit_hash


def test_a_consumer_that_stops_early_leaves_a_sound_ledger(small: Corpus, tmp_path: Path) -> None:
    blocks = small.blocks("orderer")
    with fastledger.open(tmp_path / "ledger") as ledger:
        commits = ledger.commit_all(blocks)
        for _ in range(5):
            next(commits)
        commits.close()  # type: ignore[attr-defined]  # a generator
        height = ledger.height
        assert 5 <= height <= len(blocks)
        assert ledger.last_commit_hash == small.verdicts[height - 1].commit_hash
        list(ledger.commit_all(blocks[height:]))
        assert ledger.last_commit_hash == small.verdicts[-1].commit_hash


def test_a_source_that_fails_leaves_what_came_before(small: Corpus, tmp_path: Path) -> None:
    def failing() -> Iterator[bytes]:
        yield from small.blocks("orderer")[:12]
        raise OSError("the disk is gone")

    with fastledger.open(tmp_path / "ledger") as ledger:
        with pytest.raises(OSError, match="the disk is gone"):
            list(ledger.commit_all(failing()))
        assert ledger.height == 12


def test_only_so_many_bytes_are_taken_ahead(tmp_path: Path) -> None:
    workload = _core.Workload(json.dumps({"transactions": 8000}))
    blocks = [(block, measured) for _, block, _, measured in workload]
    sizes = [len(block) for block, measured in blocks if measured]
    # Some 16 MiB in the pipeline, the block that waits for room, and one at the door.
    ahead = (16 << 20) // min(sizes) + 2
    assert ahead < len(sizes), "the workload is too small to fill the pipeline"
    taken = 0

    def counting() -> Iterator[bytes]:
        nonlocal taken
        for block, measured in blocks:
            taken += measured
            yield block

    with fastledger.open(tmp_path / "ledger") as ledger:
        done = len(sizes) - len(blocks)
        for _ in ledger.commit_all(counting()):
            done += 1
            assert taken <= max(done, 0) + ahead


def test_reading_while_blocks_are_committed(small: Corpus, tmp_path: Path) -> None:
    with fastledger.open(tmp_path / "ledger") as ledger:
        for commit in ledger.commit_all(small.blocks("orderer")):
            assert ledger.height > commit.number
            assert ledger.block(commit.number).codes == commit.filter
            assert ledger.block_by_hash(commit.header_hash).number == commit.number


def test_two_threads_commit_two_ledgers(small: Corpus, tmp_path: Path) -> None:
    blocks = small.blocks("orderer")
    start = threading.Barrier(2)
    hashes: dict[int, list[bytes | None]] = {}

    def replay(which: int) -> None:
        with fastledger.open(tmp_path / str(which), workers=1) as ledger:
            start.wait()
            hashes[which] = [commit.commit_hash for commit in ledger.commit_all(blocks)]

    threads = [threading.Thread(target=replay, args=[which]) for which in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = [verdict.commit_hash for verdict in small.verdicts]
    assert hashes == {0: expected, 1: expected}


def test_other_python_threads_run_while_the_core_works(small: Corpus, tmp_path: Path) -> None:
    done = threading.Event()
    turns = 0

    def count() -> None:
        nonlocal turns
        while not done.is_set():
            turns += 1
            time.sleep(0)

    thread = threading.Thread(target=count)
    interval = sys.getswitchinterval()
    with fastledger.open(tmp_path / "ledger", workers=1) as ledger:
        thread.start()
        try:
            # From here on nobody is made to give up the GIL: who does, does it on purpose.
            sys.setswitchinterval(1000)
            before = turns
            for block in small.blocks("orderer"):
                ledger.commit(block)
            assert turns > before
        finally:
            sys.setswitchinterval(interval)
            done.set()
            thread.join()
