# SPDX-License-Identifier: Apache-2.0
"""Every real ledger, against what the real peers decided."""

import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path

import pytest

import corpora
import fastledger
from corpora import Corpus, OpenCorpus
from fastledger import Commit
from fastledger.ledger.state_dump import write_state

# Corpora that have the blocks as the orderer gave them, and those that have the peer's too.
NAMES = [*corpora.archives(), *corpora.missing()]
RUNS = [(name, feed) for name in NAMES for feed in corpora.FEEDS]


@dataclass
class Run:
    """A corpus, replayed from one of its feeds."""

    corpus: Corpus
    feed: str
    path: Path
    commits: list[Commit]


@pytest.fixture(scope="module", params=RUNS, ids=lambda run: "-".join(run))
def run(
    request: pytest.FixtureRequest,
    open_corpus: OpenCorpus,
    tmp_path_factory: pytest.TempPathFactory,
) -> Run:
    """Replay."""
    name, feed = request.param
    corpus = open_corpus(name)
    if feed not in corpus.feeds():
        pytest.skip(f"{name} has no blocks of a {feed}")
    path = tmp_path_factory.mktemp(name) / "ledger"
    with fastledger.open(path, allow_malformed=corpus.allow_malformed) as ledger:
        return Run(corpus, feed, path, list(ledger.commit_all(corpus.blocks(feed))))


def test_every_block_is_judged_as_the_real_peer_judged_it(run: Run) -> None:
    ours = {commit.number: [code.name for code in commit.codes] for commit in run.commits}
    theirs = {
        verdict.number: [fastledger.TxValidationCode(code).name for code in verdict.codes]
        for verdict in run.corpus.verdicts
    }
    assert {n: (ours.get(n), theirs[n]) for n in theirs if ours.get(n) != theirs[n]} == {}
    assert ours.keys() == theirs.keys()


@pytest.mark.parametrize("which", ["header_hash", "data_hash", "commit_hash"])
def test_every_hash_is_the_real_one(run: Run, which: str) -> None:
    ours = [getattr(commit, which) for commit in run.commits]
    if which == "commit_hash" and run.feed == "orderer" and not run.corpus.has_commit_hashes:
        # A peer that joins such a channel today computes them, but none was recorded.
        assert ours[0] is None
        assert None not in ours[1:]
        return
    assert ours == [getattr(verdict, which) for verdict in run.corpus.verdicts]


def test_what_a_block_carried_is_told(run: Run) -> None:
    stored = [(commit.stored_filter, commit.stored_commit_hash) for commit in run.commits]
    if run.feed == "orderer":
        assert set(stored) == {(None, None)}
    else:
        verdicts = run.corpus.verdicts
        assert stored == [(verdict.codes, verdict.commit_hash) for verdict in verdicts]


def test_the_final_state_is_the_real_peers(run: Run) -> None:
    if not run.corpus.has_state:
        pytest.skip("no state was recorded")
    with fastledger.open(run.path) as ledger:
        ours = {
            (entry.namespace, entry.collection, entry.key): {
                "value_sha256": hashlib.sha256(entry.state.value).hexdigest(),
                "version": str(entry.state.version),
                "metadata_hex": entry.state.metadata.hex() or None,
            }
            for entry in ledger.state()
        }
    theirs = run.corpus.state
    if run.corpus.is_fabric_1:
        ours = {key: value for key, value in ours.items() if key[0] != corpora.CONFIGURATION}
        theirs = {key: value for key, value in theirs.items() if key[0] != corpora.CONFIGURATION}
    differing = {
        key: (ours.get(key), theirs.get(key))
        for key in ours.keys() | theirs.keys()
        if ours.get(key) != theirs.get(key)
    }
    assert differing == {}


def test_the_state_file_is_the_recorded_one(run: Run) -> None:
    path = run.corpus.folder / "expected_state.jsonl"
    if run.corpus.is_fabric_1 or not path.exists():
        pytest.skip("no state of a 2.x or later peer was recorded")
    out = io.StringIO()
    with fastledger.open(run.path) as ledger:
        write_state(ledger, out)
    assert out.getvalue().splitlines() == path.read_text("utf-8").splitlines()


def test_the_snapshot_has_the_real_peers_sums(run: Run, tmp_path: Path) -> None:
    hashes = run.corpus.snapshot_hashes
    if hashes is None:
        pytest.skip("no snapshot was recorded")
    out = tmp_path / "snapshot"
    with fastledger.open(run.path) as ledger:
        ledger.snapshot(out)
    ours = {name: hashlib.sha256((out / name).read_bytes()).hexdigest() for name in hashes}
    assert ours == hashes
    for metadata in ("_snapshot_signable_metadata.json", "_snapshot_additional_metadata.json"):
        theirs = run.corpus.folder / "snapshot" / metadata
        if theirs.exists():
            assert json.loads((out / metadata).read_text("utf-8")) == json.loads(
                theirs.read_text("utf-8")
            )


def test_malformed_entries_refuse_the_block_unless_they_are_allowed(
    open_corpus: OpenCorpus, tmp_path: Path
) -> None:
    corpus = open_corpus("malformed")
    committed = 0
    with fastledger.open(tmp_path / "ledger") as ledger:
        with pytest.raises(fastledger.BlockRefused) as refused:
            for _ in ledger.commit_all(corpus.blocks("orderer")):
                committed += 1
        assert refused.value.number == committed == ledger.height
        assert 0 < committed < len(corpus.verdicts)
        assert ledger.last_commit_hash == corpus.verdicts[committed - 1].commit_hash


def test_the_history_is_what_the_real_peer_answered(
    open_corpus: OpenCorpus, tmp_path: Path
) -> None:
    corpus = open_corpus("pvt14")
    queries = json.loads((corpus.folder / "queries.json").read_text("utf-8"))
    with fastledger.open(tmp_path / "ledger") as ledger:
        list(ledger.commit_all(corpus.blocks()))
        for namespace, key in (("open", "h"), ("pvt", "a")):
            answer = json.loads(queries[f'peer1 {namespace} ["hist","{key}"]'])[0]
            ours = [
                f"{entry.tx_id[:8]}={entry.value.decode()}({str(entry.is_delete).lower()})"
                for entry in ledger.history(namespace, key)
            ]
            # A 1.4 peer answers the oldest first, later ones the newest.
            assert ours[::-1] == answer.rstrip(";").split(";")
