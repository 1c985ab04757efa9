# SPDX-License-Identifier: Apache-2.0
"""The same blocks give the same codes, hashes and snapshot, however they are processed."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

import fastledger
from corpora import Corpus, OpenCorpus
from fastledger import Commit, Ledger

CORPORA = ["small", "bypass", "pvt14"]
Way = Callable[[Path, list[bytes]], list[Commit]]


def one_at_a_time(path: Path, blocks: list[bytes]) -> list[Commit]:
    with fastledger.open(path) as ledger:
        return [ledger.commit(block) for block in blocks]


def validated_first(path: Path, blocks: list[bytes]) -> list[Commit]:
    commits = []
    with fastledger.open(path) as ledger:
        for block in blocks:
            judged = ledger.validate(block)
            committed = ledger.commit(block)
            assert (judged.filter, judged.commit_hash) == (committed.filter, committed.commit_hash)
            commits.append(judged)
    return commits


def pipelined(workers: int, engine: str = "auto") -> Way:
    def way(path: Path, blocks: list[bytes]) -> list[Commit]:
        with fastledger.open(path, workers=workers, engine=engine) as ledger:  # type: ignore[arg-type]
            return list(ledger.commit_all(blocks))

    return way


def reopened_often(path: Path, blocks: list[bytes]) -> list[Commit]:
    commits = []
    for start in range(0, len(blocks), 7):
        with fastledger.open(path) as ledger:
            assert ledger.height == start
            commits += ledger.commit_all(blocks[start : start + 7])
    return commits


def rebuilt(path: Path, blocks: list[bytes]) -> list[Commit]:
    commits = pipelined(0)(path, blocks)
    with fastledger.open(path) as ledger:
        assert ledger.rebuild() == len(blocks)
    return commits


def not_durable(path: Path, blocks: list[bytes]) -> list[Commit]:
    with fastledger.open(path, durable=False) as ledger:
        return list(ledger.commit_all(blocks))


WAYS: dict[str, Way] = {
    "one at a time": one_at_a_time,
    "validated first": validated_first,
    "one worker": pipelined(1),
    "many workers": pipelined(4 * (os.cpu_count() or 1)),
    "sequential conflicts": pipelined(0, "sequential"),
    "parallel conflicts": pipelined(0, "parallel"),
    "reopened often": reopened_often,
    "rebuilt": rebuilt,
    "not durable": not_durable,
}


def outcome(ledger: Ledger, commits: list[Commit], out: Path) -> object:
    ledger.snapshot(out)
    return (
        [(commit.number, commit.header_hash, commit.data_hash) for commit in commits],
        [(commit.filter, commit.commit_hash) for commit in commits],
        [ledger.block(number).codes for number in range(ledger.height)],
        list(ledger.state()),
        {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(out.iterdir())
        },
    )


@pytest.mark.parametrize("name", CORPORA)
@pytest.mark.parametrize("way", WAYS)
def test_every_way_gives_the_same(
    name: str, way: str, open_corpus: OpenCorpus, tmp_path: Path
) -> None:
    corpus = open_corpus(name)
    blocks = corpus.blocks("orderer")
    commits = WAYS[way](tmp_path / "ledger", blocks)
    with fastledger.open(tmp_path / "ledger") as ledger:
        found = outcome(ledger, commits, tmp_path / "snapshot")
    reference = pipelined(0)(tmp_path / "reference", blocks)
    with fastledger.open(tmp_path / "reference") as ledger:
        expected = outcome(ledger, reference, tmp_path / "reference snapshot")
    assert found == expected
    assert [commit.filter for commit in commits] == [v.codes for v in corpus.verdicts]


@pytest.mark.parametrize("start", [1, 20, 50])
def test_a_ledger_continued_from_a_snapshot(small: Corpus, tmp_path: Path, start: int) -> None:
    blocks = small.blocks("orderer")
    with fastledger.open(tmp_path / "whole") as whole:
        list(whole.commit_all(blocks[:start]))
        whole.snapshot(tmp_path / "middle")
        list(whole.commit_all(blocks[start:]))
        whole.snapshot(tmp_path / "whole end")
        state = list(whole.state())
    fastledger.restore(tmp_path / "middle", tmp_path / "part")
    with fastledger.open(tmp_path / "part") as part:
        assert part.height == start
        assert part.last_commit_hash == small.verdicts[start - 1].commit_hash
        commits = list(part.commit_all(blocks[start:]))
        assert [commit.filter for commit in commits] == [v.codes for v in small.verdicts[start:]]
        assert [commit.commit_hash for commit in commits] == [
            v.commit_hash for v in small.verdicts[start:]
        ]
        assert list(part.state()) == state
        part.snapshot(tmp_path / "part end")
    for path in (tmp_path / "whole end").iterdir():
        assert path.read_bytes() == (tmp_path / "part end" / path.name).read_bytes(), path.name


def test_a_ledger_begun_with_a_real_peers_snapshot(small: Corpus, tmp_path: Path) -> None:
    fastledger.restore(small.folder / "snapshot", tmp_path / "ledger")
    with fastledger.open(tmp_path / "ledger") as ledger:
        assert (ledger.channel_id, ledger.height) == ("small", len(small.verdicts))
        assert ledger.last_commit_hash == small.verdicts[-1].commit_hash
        assert ledger.last_header_hash == small.verdicts[-1].header_hash
        ledger.snapshot(tmp_path / "again")
        with pytest.raises(fastledger.NotFound):
            ledger.block(0)
    for path in (small.folder / "snapshot").iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes(), path.name


def test_a_snapshot_while_blocks_are_committed(small: Corpus, tmp_path: Path) -> None:
    blocks = small.blocks("orderer")
    with fastledger.open(tmp_path / "ledger") as ledger:
        commits = ledger.commit_all(blocks)
        for _ in range(30):
            next(commits)
        ledger.snapshot(tmp_path / "snapshot")
        assert [c.filter for c in commits] == [v.codes for v in small.verdicts[30:]]
    fastledger.restore(tmp_path / "snapshot", tmp_path / "copy")
    with fastledger.open(tmp_path / "copy") as copy:
        height = copy.height
        assert 30 <= height <= len(blocks)
        assert copy.last_commit_hash == small.verdicts[height - 1].commit_hash
        list(copy.commit_all(blocks[height:]))
        assert copy.last_commit_hash == small.verdicts[-1].commit_hash
