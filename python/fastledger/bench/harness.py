# SPDX-License-Identifier: Apache-2.0
"""Runs a workload through a ledger and keeps the figures.

Throughput is measured with the pipeline full, from the first measured block read from disk to the
last one durable; latency with one block in flight at a time, from hand-over to durable. CPU is
that of the whole process, Python included.
"""

import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from statistics import quantiles
from typing import Any

import fastledger
from fastledger.bench import memory
from fastledger.bench.workload import Workload
from fastledger.common.errors import FastledgerError
from fastledger.ledger import sources
from fastledger.ledger.kvledger import Ledger
from fastledger.ledger.records import Commit

LATENCY_BLOCKS = 40
"""Blocks at the end of a run that are committed one at a time."""


@dataclass(frozen=True, slots=True)
class Point:
    """How far a run had come at a moment."""

    seconds: float
    transactions: int


@dataclass(frozen=True, slots=True)
class Run:
    """The figures of one run."""

    workers: int
    """Threads that check signatures."""

    cores: int
    """Cores that the process may use."""

    durable: bool
    transactions: int
    seconds: float
    tx_per_s: float
    cpu_us_per_tx: float
    stage_ms: dict[str, float]
    """Milliseconds per stage on the wall's clock, summed over blocks and threads."""

    stage_cpu_ms: dict[str, float]
    """Milliseconds per stage in which the threads had a core."""

    latency_ms: dict[str, float]
    """p50, p90, p99 and max of single blocks; empty where there were none."""

    latency_block_transactions: int
    peak_memory_mb: float
    """Of the process so far."""

    series: list[Point]

    def first_and_last_tenth(self) -> tuple[float, float]:
        """Transactions a second over the first and the last tenth of the transactions.

        The first tenth begins where the pipeline is full: with the first outcome.
        """
        return self._rate(0.0, 0.1), self._rate(0.9, 1.0)

    def _rate(self, start: float, end: float) -> float:
        def moment(share: float) -> Point:
            wanted = share * self.series[-1].transactions
            return next(point for point in self.series[1:] if point.transactions >= wanted)

        first, last = moment(start), moment(end)
        seconds = last.seconds - first.seconds
        return (last.transactions - first.transactions) / seconds if seconds else 0.0

    def as_json(self) -> dict[str, Any]:
        """Everything, as JSON has it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Sweep:
    """Runs that differ in one thing."""

    title: str
    label: str
    """What differs, with its unit in parentheses."""

    runs: Sequence[tuple[float, Run]]
    """The value of what differs, and the run."""


class WrongVerdict(FastledgerError):
    """A transaction did not get the code that the workload predicts: a defect."""


def run(workload: Workload, folder: Path, *, workers: int = 0, durable: bool = True) -> Run:
    """Commit a whole workload to a new ledger in `folder`; its last blocks one at a time.

    Raises:
        WrongVerdict: A verdict is not the predicted one.
        BlockRefused: A block was refused.
    """
    singles = min(LATENCY_BLOCKS, (workload.blocks - workload.first_measured) // 5)
    piped = workload.blocks - workload.first_measured - singles
    with (
        sources.open(workload.path) as source,
        workload.predicted.open(encoding="ascii") as predicted,
        fastledger.open(folder, workers=workers, durable=durable) as ledger,
    ):
        blocks = iter(source)
        codes = (bytes.fromhex(line.strip()) for line in predicted)
        _set_up(ledger, islice(blocks, workload.first_measured), codes)
        stages: Counter[str] = Counter()
        stages_cpu: Counter[str] = Counter()
        series = [Point(0.0, 0)]
        cpu, start = time.process_time(), time.perf_counter()
        for commit in ledger.commit_all(islice(blocks, piped)):
            _check(commit, next(codes))
            stages.update(commit.stage_ms)
            stages_cpu.update(commit.stage_cpu_ms)
            done = series[-1].transactions + len(commit.filter)
            series.append(Point(time.perf_counter() - start, done))
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        latencies, block_transactions = _one_at_a_time(ledger, blocks, codes)
    transactions = series[-1].transactions
    return Run(
        workers=workers,
        cores=len(os.sched_getaffinity(0)),
        durable=durable,
        transactions=transactions,
        seconds=seconds,
        tx_per_s=transactions / seconds,
        cpu_us_per_tx=1e6 * cpu / max(transactions, 1),
        stage_ms=dict(stages),
        stage_cpu_ms=dict(stages_cpu),
        latency_ms=_percentiles(latencies),
        latency_block_transactions=block_transactions,
        peak_memory_mb=memory.peak_mb(),
        series=_thinned(series),
    )


def _set_up(ledger: Ledger, blocks: Iterator[bytes], codes: Iterator[bytes]) -> None:
    for commit in ledger.commit_all(blocks):
        _check(commit, next(codes))


def _one_at_a_time(
    ledger: Ledger, blocks: Iterator[bytes], codes: Iterator[bytes]
) -> tuple[list[float], int]:
    latencies = []
    transactions = 0
    for block in blocks:
        start = time.perf_counter()
        commit = ledger.commit(block)
        latencies.append(1e3 * (time.perf_counter() - start))
        _check(commit, next(codes))
        transactions = max(transactions, len(commit.filter))
    return latencies, transactions


def _check(commit: Commit, predicted: bytes) -> None:
    if commit.filter != predicted:
        wrong = next(
            index
            for index, (ours, theirs) in enumerate(zip(commit.filter, predicted, strict=True))
            if ours != theirs
        )
        raise WrongVerdict(
            f"transaction {commit.number}:{wrong} got code {commit.filter[wrong]}, "
            f"but {predicted[wrong]} was predicted"
        )


def _percentiles(values: list[float]) -> dict[str, float]:
    if len(values) < 2:
        return {}
    cuts = quantiles(values, n=100, method="inclusive")
    return {"p50": cuts[49], "p90": cuts[89], "p99": cuts[98], "max": max(values)}


def _thinned(series: list[Point], most: int = 500) -> list[Point]:
    """Keep a report's size independent of the run's length."""
    step = -(-len(series) // most)
    return [*series[:-1:step], series[-1]]
