# SPDX-License-Identifier: Apache-2.0
"""How late an event loop is, by a clock of the test's own."""

import asyncio
import logging
from types import SimpleNamespace

import pytest

from fastledger.node import eventloop


class Clock:
    """Time that passes only while somebody sleeps, and then as much longer as it was told."""

    def __init__(self, late: list[float]) -> None:
        self.now = 100.0
        self.late = late

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        if not self.late:
            raise asyncio.CancelledError
        self.now += max(seconds, 0) + self.late.pop(0)


def observed(monkeypatch: pytest.MonkeyPatch, late: list[float]) -> list[float]:
    clock, found = Clock(late), []
    monkeypatch.setattr(eventloop, "time", clock)
    monkeypatch.setattr(eventloop, "asyncio", clock)
    histogram = SimpleNamespace(observe=found.append)
    monkeypatch.setattr(eventloop.metrics, "histogram", lambda *_, **__: histogram)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(eventloop.watch())
    return [round(lag, 6) for lag in found]


def test_each_period_has_its_lag(monkeypatch) -> None:
    late = [0.001, 0, eventloop.PERIOD_S / 2]
    assert observed(monkeypatch, list(late)) == late


def test_periods_that_passed_meanwhile_count_too(monkeypatch) -> None:
    period = eventloop.PERIOD_S
    expected = [2.5 * period, 1.5 * period, 0.5 * period, 0.0]
    assert observed(monkeypatch, [2.5 * period, 0.0]) == [round(lag, 6) for lag in expected]


def test_a_loop_that_was_held_up_for_long_is_told_of(monkeypatch, caplog) -> None:
    with caplog.at_level(logging.WARNING):
        lags = observed(monkeypatch, [eventloop.SLOW_S / 2, 60.0])
    assert [record.message for record in caplog.records] == [
        "the event loop was held up for 60.0 s"
    ]
    assert lags[0] == eventloop.SLOW_S / 2
    assert len([lag for lag in lags if lag > eventloop.SLOW_S]) == eventloop.MAX_MISSED + 1
