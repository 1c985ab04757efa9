# SPDX-License-Identifier: Apache-2.0
"""Prometheus metrics under Fabric's names, such as ``ledger_blockchain_height``.

A metric that is asked for twice is the same one, so that rooms need not share objects. What the
core counts is asked for when metrics are.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import TypeVar, cast

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.registry import Collector

from fastledger._core import counters

DURATION_BUCKETS_S = (0.005, 0.01, 0.015, 0.05, 0.1, 1.0, 10.0)
"""Fabric's buckets of commit and endorsement durations."""

_M = TypeVar("_M", bound=MetricWrapperBase)


class Durations(Histogram):
    """A histogram that observes many alike at once."""

    def observe_alike(self, amount: float, count: int) -> None:
        """Observe an amount so many times."""
        self._sum.inc(amount * count)
        self._buckets[bisect_left(self._upper_bounds, amount)].inc(count)


class _CoreCollector(Collector):
    """The core's counters."""

    def collect(self) -> Iterator[CounterMetricFamily]:
        families: dict[str, CounterMetricFamily] = {}
        for name, text, labels, value in counters():
            names = [label for label, _ in labels]
            family = families.setdefault(name, CounterMetricFamily(name, text, labels=names))
            family.add_metric([label for _, label in labels], value)
        yield from families.values()


_registry = CollectorRegistry()
ProcessCollector(registry=_registry)
PlatformCollector(registry=_registry)
GCCollector(registry=_registry)
_registry.register(_CoreCollector())
_metrics: dict[str, MetricWrapperBase] = {}


def counter(name: str, text: str, labels: Sequence[str] = ()) -> Counter:
    """Return the counter of that name."""
    return _metric(Counter, name, text, labels)


def gauge(name: str, text: str, labels: Sequence[str] = ()) -> Gauge:
    """Return the gauge of that name."""
    return _metric(Gauge, name, text, labels)


def histogram(
    name: str,
    text: str,
    labels: Sequence[str] = (),
    buckets: Sequence[float] = DURATION_BUCKETS_S,
) -> Durations:
    """Return the histogram of that name."""
    if name not in _metrics:
        _metrics[name] = Durations(name, text, labels, registry=_registry, buckets=buckets)
    return cast(Durations, _metrics[name])


def exposition() -> bytes:
    """Return all metrics in Prometheus' text format."""
    return generate_latest(_registry)


def _metric(kind: type[_M], name: str, text: str, labels: Sequence[str]) -> _M:
    if name not in _metrics:
        _metrics[name] = kind(name, text, labels, registry=_registry)
    return cast(_M, _metrics[name])
