# SPDX-License-Identifier: Apache-2.0
"""What crossing between Python and the core costs. `make bench` runs it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import corpora
import fastledger
from corpora import Corpus
from fastledger import _core
from fastledger.ledger.records import Commit


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return Corpus(corpora.archives()["small"], tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def ledger(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Iterator[fastledger.Ledger]:
    path: Path = tmp_path_factory.mktemp("bench") / "ledger"
    with fastledger.open(path) as opened:
        list(opened.commit_all(corpus.blocks()[:-1]))
        yield opened


def test_a_property(benchmark: BenchmarkFixture, ledger: fastledger.Ledger) -> None:
    assert benchmark(lambda: ledger.height) == 83


def test_reading_a_key(benchmark: BenchmarkFixture, ledger: fastledger.Ledger) -> None:
    assert benchmark(ledger.get, "anyorg", "nv") is not None


def test_reading_a_block(benchmark: BenchmarkFixture, ledger: fastledger.Ledger) -> None:
    assert benchmark(ledger.block, 30).number == 30


def test_reading_the_state(benchmark: BenchmarkFixture, ledger: fastledger.Ledger) -> None:
    assert benchmark(lambda: sum(1 for _ in ledger.state())) > 300


def test_a_blocks_header(benchmark: BenchmarkFixture, corpus: Corpus) -> None:
    assert benchmark(_core.block_header, corpus.blocks()[30])[0] == 30


def test_judging_a_block(
    benchmark: BenchmarkFixture, ledger: fastledger.Ledger, corpus: Corpus
) -> None:
    verdict: Commit = benchmark(ledger.validate, corpus.blocks()[-1])
    assert verdict.number == 83
