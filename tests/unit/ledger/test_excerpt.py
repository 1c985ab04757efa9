# SPDX-License-Identifier: Apache-2.0
"""Ledgers that began with a snapshot: judged with it, examined as far as possible without it."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import fastledger
from corpora import Corpus, OpenCorpus
from fastledger import _core
from fastledger.cli.main import main
from fastledger.common.codes import code_name
from fastledger.ledger import sources
from fastledger.ledger.excerpt import ExcerptSummary, examine
from fastledger.protos.common import common_pb2 as common
from fastledger.protos.core.ledger.blkstorage_pb2 import bootstrappingSnapshotInfo
from old_channels import write_block_file

CORPORA = {"small": (20, 60), "pvt14": (12, 30)}
"""Snapshots to begin with: the last block of each, early and late."""

BEGINNINGS = [(name, number) for name, numbers in CORPORA.items() for number in numbers]


class Joined:
    """A peer's folder after it joined by a snapshot, and the snapshot."""

    def __init__(self, corpus: Corpus, number: int, path: Path) -> None:
        self.corpus, self.number = corpus, number
        self.snapshot, self.chain = path / "snapshot", path / "chains" / "mychannel"
        blocks = corpus.blocks("peer")
        with fastledger.open(path / "whole") as ledger:
            for block in blocks[: number + 1]:
                ledger.commit(block)
            ledger.snapshot(self.snapshot)
        self.blocks = blocks[number + 1 :]
        self.verdicts = corpus.verdicts[number + 1 :]
        self.write(self.blocks)

    def write(self, blocks: list[bytes]) -> None:
        write_block_file(self.chain / "blockfile_000000", blocks)
        info = bootstrappingSnapshotInfo(
            lastBlockNum=self.number, lastBlockHash=self.corpus.verdicts[self.number].header_hash
        )
        (self.chain / "bootstrappingSnapshot.info").write_bytes(info.SerializeToString())


@pytest.fixture(params=BEGINNINGS, ids=lambda one: f"{one[0]}-{one[1]}")
def joined(request: pytest.FixtureRequest, open_corpus: OpenCorpus, tmp_path: Path) -> Joined:
    name, number = request.param
    return Joined(open_corpus(name), number, tmp_path)


@pytest.fixture
def joined_small(small: Corpus, tmp_path: Path) -> Joined:
    return Joined(small, 20, tmp_path)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["validate", *map(str, arguments)])


def looked_at(chain: Path) -> ExcerptSummary:
    with sources.open(chain) as source:
        return examine(source)


def test_with_the_snapshot_every_verdict_is_the_true_one(joined: Joined, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    result = run(joined.chain, "--snapshot", joined.snapshot, "--json", report)
    assert result.exit_code == 0, result.stderr
    told = json.loads(report.read_text("utf-8"))["blocks"]
    assert [(one["number"], bytes(one["codes"]), one["commit_hash"]) for one in told] == [
        (verdict.number, verdict.codes, (verdict.commit_hash or b"").hex())
        for verdict in joined.verdicts
    ]
    assert f"all verdicts stored in the blocks are ours; blocks: {len(told)}" in result.stdout
    last = joined.verdicts[-1].commit_hash
    assert last is not None
    assert f"last commit hash {last.hex()}" in result.stdout


def test_the_library_judges_it_the_same_way(joined: Joined, tmp_path: Path) -> None:
    fastledger.restore(joined.snapshot, tmp_path / "ledger")
    with fastledger.open(tmp_path / "ledger") as ledger, sources.open(joined.chain) as source:
        assert source.origin is not None
        assert source.origin.number == joined.number == ledger.height - 1
        found = [(commit.filter, commit.commit_hash) for commit in ledger.commit_all(source)]
    assert found == [(verdict.codes, verdict.commit_hash) for verdict in joined.verdicts]


def test_without_the_snapshot_nothing_is_found_wrong_and_it_is_said_what_is_unknown(
    joined: Joined, tmp_path: Path
) -> None:
    summary = looked_at(joined.chain)
    assert summary.differences == []
    assert (summary.first, summary.blocks) == (joined.number + 1, len(joined.verdicts))
    assert sum(summary.codes.values()) == summary.transactions
    result = run(joined.chain, "--json", tmp_path / "report.json")
    assert result.exit_code == 0, result.stderr
    assert f"the ledger began with a snapshot of block {joined.number}" in result.stdout
    assert f"NOT CHECKED: the verdicts of {summary.unknown} transactions" in result.stdout
    assert "--snapshot" in result.stdout
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert report["first_block"] == joined.number + 1
    assert report["stored_codes"] == {
        code_name(code): count for code, count in sorted(summary.codes.items())
    }


@pytest.mark.parametrize("name", ["small", "bypass", "pvt14", "v14", "v11", "upgraded13"])
def test_whole_ledgers_of_real_peers_contradict_nothing(
    open_corpus: OpenCorpus, tmp_path: Path, name: str
) -> None:
    corpus = open_corpus(name)
    write_block_file(tmp_path / "blockfile_000000", corpus.blocks("peer"))
    summary = looked_at(tmp_path)
    assert (summary.differences, summary.blocks) == ([], len(corpus.verdicts))
    assert summary.orderers_checked == summary.creators_checked == summary.blocks - 1
    assert bool(summary.commit_hashes) == corpus.has_commit_hashes


def changed(encoded: bytes, change: Callable[[common.Block], None]) -> bytes:
    block = common.Block.FromString(encoded)
    change(block)
    return block.SerializeToString()


def other_code(block: common.Block) -> None:
    codes = block.metadata.metadata[common.TRANSACTIONS_FILTER]
    block.metadata.metadata[common.TRANSACTIONS_FILTER] = bytes(
        [11 if codes[0] == 0 else 0, *codes[1:]]
    )


def other_commit_hash(block: common.Block) -> None:
    metadata = common.Metadata(value=bytes(32))
    block.metadata.metadata[common.COMMIT_HASH] = metadata.SerializeToString()


@pytest.mark.parametrize("change", [other_code, other_commit_hash])
def test_what_was_tampered_with_is_found_without_any_state(
    joined_small: Joined, change: Callable[[common.Block], None]
) -> None:
    blocks = list(joined_small.blocks)
    blocks[5] = changed(blocks[5], change)
    joined_small.write(blocks)
    summary = looked_at(joined_small.chain)
    number = joined_small.number + 6
    assert summary.differences[0].block == number
    assert "commit hash does not follow" in str(summary.differences[0])
    result = run(joined_small.chain)
    assert (result.exit_code, f"DIFFERS block {number}" in result.stdout) == (1, True)


def wrong_data(block: common.Block) -> None:
    block.data.data[0] = block.data.data[0][:-1] + b"?"


def wrong_chain(block: common.Block) -> None:
    block.header.previous_hash = bytes(32)


@pytest.mark.parametrize(
    ("change", "why"), [(wrong_data, "its data hashes to"), (wrong_chain, "its previous hash is")]
)
@pytest.mark.parametrize("place", [0, 5])
def test_a_broken_block_is_refused(
    joined_small: Joined, change: Callable[[common.Block], None], why: str, place: int
) -> None:
    blocks = list(joined_small.blocks)
    blocks[place] = changed(blocks[place], change)
    joined_small.write(blocks)
    result = run(joined_small.chain)
    assert result.exit_code == 1
    assert f"block {joined_small.number + 1 + place} is refused: " in result.stderr
    assert why in result.stderr


def test_whatever_a_block_holds_it_is_examined_or_refused(joined_small: Joined) -> None:
    chance = random.Random(7)
    blocks = joined_small.blocks
    for _ in range(400):
        place = chance.randrange(len(blocks))
        broken = bytearray(blocks[place])
        for _ in range(chance.randrange(1, 4)):
            broken[chance.randrange(len(broken))] ^= 1 << chance.randrange(8)
        excerpt = _core.Excerpt(allow_malformed=chance.random() < 0.5)
        try:
            for block in (*blocks[max(place - 3, 0) : place], bytes(broken)):
                excerpt.examine(block)
        except fastledger.BlockRefused:
            continue


def test_blocks_that_do_not_go_on_from_their_snapshot_are_told(joined_small: Joined) -> None:
    joined_small.write(joined_small.blocks[1:])
    result = run(joined_small.chain)
    assert result.exit_code == 2
    assert (
        "the first block is 22, but the snapshot that the ledger began with ends" in result.stderr
    )


def test_the_wrong_snapshot_is_told(joined_small: Joined, tmp_path: Path) -> None:
    earlier = Joined(joined_small.corpus, 10, tmp_path / "earlier")
    result = run(joined_small.chain, "--snapshot", earlier.snapshot)
    assert result.exit_code == 1
    assert "block 21 is refused: the ledger expects block 11" in result.stderr


def test_a_later_snapshot_leaves_blocks_that_are_not_judged(
    joined_small: Joined, tmp_path: Path
) -> None:
    later = Joined(joined_small.corpus, 30, tmp_path / "later")
    result = run(joined_small.chain, "--snapshot", later.snapshot)
    assert result.exit_code == 0, result.stderr
    assert "blocks older than the snapshot, not judged: 10" in result.stdout


def test_a_kept_ledger_begins_with_the_snapshot_once(joined_small: Joined, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    arguments = joined_small.chain, "--ledger", kept
    assert run(*arguments, "--snapshot", joined_small.snapshot).exit_code == 0
    again = run(*arguments, "--snapshot", joined_small.snapshot)
    assert again.exit_code == 2
    assert "leave --snapshot out to continue it" in again.stderr
    continued = run(*arguments)
    assert continued.exit_code == 0, continued.stderr
    assert f"blocks before them that the ledger had: {len(joined_small.blocks)}" in continued.stdout


def test_there_is_no_state_without_the_snapshot(joined_small: Joined, tmp_path: Path) -> None:
    result = run(joined_small.chain, "--state", tmp_path / "state.jsonl")
    assert result.exit_code == 2
    assert "--state takes the state before the first block" in result.stderr


def test_a_damaged_origin_is_told(joined_small: Joined) -> None:
    (joined_small.chain / "bootstrappingSnapshot.info").write_bytes(b"\xff")
    result = run(joined_small.chain)
    assert result.exit_code == 2
    assert "bootstrappingSnapshot.info: cannot be read" in result.stderr


def test_the_snapshot_of_a_channel_without_commit_hashes(
    open_corpus: OpenCorpus, tmp_path: Path
) -> None:
    joined = Joined(open_corpus("upgraded13"), 6, tmp_path)
    result = run(joined.chain, "--snapshot", joined.snapshot)
    assert result.exit_code == 0, result.stderr
    assert "blocks without a commit hash, which Fabric has since 1.4.1: 5" in result.stdout
    shutil.rmtree(joined.snapshot)
    assert run(joined.chain).exit_code == 0
