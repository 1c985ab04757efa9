# SPDX-License-Identifier: Apache-2.0
"""When a process' threads wait for their turn."""

import os
import threading
import time

import pytest

from fastledger.shim.patience import BUSY, Patience

pytestmark = pytest.mark.skipif(not Patience.is_possible(), reason="needs Linux, and no policy set")


class Clocks:
    """Time that a test has passed, and how much of it the process has used."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._now = self._used = 0.0
        monkeypatch.setattr(time, "monotonic", lambda: self._now)
        monkeypatch.setattr(time, "process_time", lambda: self._used)

    def pass_by(self, share: float) -> None:
        self._now += 1
        self._used += share


@pytest.fixture
def another_thread():
    """Return the system's number of a thread beside this one, which ends with the test."""
    over, begun = threading.Event(), threading.Event()

    def live() -> None:
        begun.set()
        over.wait()

    thread = threading.Thread(target=live)
    thread.start()
    begun.wait()
    yield thread.native_id
    over.set()
    thread.join()


def test_all_threads_of_a_busy_process_are_patient(monkeypatch, another_thread: int) -> None:
    clocks = Clocks(monkeypatch)
    patience = Patience()
    for share, policy in (
        (BUSY / 2, os.SCHED_OTHER),
        (BUSY * 2, os.SCHED_BATCH),
        (BUSY * 2, os.SCHED_BATCH),
        (BUSY / 2, os.SCHED_OTHER),
    ):
        clocks.pass_by(share)
        patience.look()
        assert [os.sched_getscheduler(number) for number in (0, another_thread)] == [policy] * 2


def test_in_the_end_threads_are_as_they_were(monkeypatch, another_thread: int) -> None:
    clocks = Clocks(monkeypatch)
    patience = Patience()
    clocks.pass_by(1)
    patience.look()
    patience.end()
    assert os.sched_getscheduler(another_thread) == os.SCHED_OTHER


def test_only_those_it_is_about_are(monkeypatch, another_thread: int) -> None:
    clocks = Clocks(monkeypatch)
    patience = Patience(lambda name: name == "nobody")
    clocks.pass_by(1)
    patience.look()
    assert os.sched_getscheduler(another_thread) == os.SCHED_OTHER


def test_where_it_is_not_allowed_all_goes_on(monkeypatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    clocks = Clocks(monkeypatch)
    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    patience = Patience()
    clocks.pass_by(1)
    patience.look()
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
