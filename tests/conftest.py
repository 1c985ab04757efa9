# SPDX-License-Identifier: Apache-2.0
"""Fixtures that every kind of test uses."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import corpora
import fastledger
from corpora import Corpus, OpenCorpus

SLOW_S = 7_200

# How long an example takes says something of the machine alone.
_SLOW = [HealthCheck.too_slow]
settings.register_profile("any machine", deadline=None, suppress_health_check=_SLOW)
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def open_corpus(tmp_path_factory: pytest.TempPathFactory) -> OpenCorpus:
    """Unpack a corpus by name, once; skip the test if it is a further one and not at hand."""
    unpacked: dict[str, Corpus] = {}

    def unpack(name: str) -> Corpus:
        if name in corpora.missing():
            pytest.skip(f"needs {name}.tar.zst, which is not under {corpora.MORE}")
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
    """Leave out what takes minutes, unless it is asked for; then it may take them."""
    wanted = os.environ.get("FASTLEDGER_SLOW") == "1"
    for item in items:
        if "slow" not in item.keywords:
            continue
        if not wanted:
            item.add_marker(pytest.mark.skip(reason="slow; set FASTLEDGER_SLOW=1"))
        elif item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(SLOW_S))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail what is skipped for want of a ledger or a program, where everything is demanded.

    The reason of such a skip begins with "needs".
    """
    report = yield
    if os.environ.get("FASTLEDGER_NO_SKIPS") == "1" and report.skipped:
        assert isinstance(report.longrepr, tuple)
        place, line, reason = report.longrepr
        if reason.startswith("Skipped: needs "):
            report.outcome = "failed"
            report.longrepr = f"{place}:{line}: {reason}, and FASTLEDGER_NO_SKIPS=1 demands it"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which ledgers were not at hand, for the tests of the core too."""
    if missing := corpora.missing():
        terminalreporter.section("ledgers that are not here")
        terminalreporter.write_line(
            f"{', '.join(missing)}: not under {corpora.MORE}. The tests that read them were "
            "skipped, those of the core (cargo test) too; FASTLEDGER_CORPUS names another folder."
        )
