# SPDX-License-Identifier: Apache-2.0
"""Fixtures that every kind of test uses."""

import os
from pathlib import Path

import pytest

import corpora
import fastledger
from corpora import Corpus, OpenCorpus


@pytest.fixture(scope="session")
def open_corpus(tmp_path_factory: pytest.TempPathFactory) -> OpenCorpus:
    """Unpack a corpus by name, once."""
    unpacked: dict[str, Corpus] = {}

    def unpack(name: str) -> Corpus:
        if name not in unpacked:
            folder = tmp_path_factory.mktemp("corpus")
            unpacked[name] = Corpus(corpora.archives()[name], folder)
        return unpacked[name]

    return unpack


@pytest.fixture(scope="session")
def small(open_corpus: OpenCorpus) -> Corpus:
    """84 blocks with a bit of everything."""
    return open_corpus("small")


@pytest.fixture(scope="session")
def small_ledger(small: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed ledger that holds the whole of `small`; leave it as it is."""
    path = tmp_path_factory.mktemp("small") / "ledger"
    with fastledger.open(path) as ledger:
        for _ in ledger.commit_all(small.blocks()):
            pass
    return path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what takes minutes, unless it is asked for."""
    if os.environ.get("FASTLEDGER_SLOW") == "1":
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="slow; set FASTLEDGER_SLOW=1"))
