# SPDX-License-Identifier: Apache-2.0
"""Transactions per second, milliseconds per stage and CPU per transaction, end to end.

Every run is a process of its own that replays a whole ledger durably, the block file fsynced per
block. The parallel and the sequential way of finding conflicts alternate, so that both see the
same machine.

    python benches/replay.py [CORPUS.tar.zst or folder ...] [--runs N] [--workers N] [--scaling]

Without arguments it takes the ledgers whose names begin with perf-, from the folder
FASTLEDGER_CORPUS (../shared/corpus if it is not set); where there are none, a channel that it
makes, as `fastledger bench` does. It says which. With --scaling it holds one core and all of them
against each other instead, in alternating pairs.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "tests"))

import corpora
import fastledger
from corpora import ROOT
from fastledger.bench import memory
from fastledger.bench.workload import generate
from fastledger.ledger import sources

ENGINES = ("parallel", "sequential")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure replays.")
    parser.add_argument("corpora", nargs="*", type=Path)
    parser.add_argument("--runs", type=int, default=3, help="replays per engine (default 3)")
    parser.add_argument("--workers", type=int, default=0, help="0 takes one per core")
    parser.add_argument(
        "--transactions", type=int, default=50_000, help="of a generated channel (default 50000)"
    )
    parser.add_argument("--scaling", action="store_true", help="one core, and all of them, in turn")
    parser.add_argument("--one", choices=ENGINES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.corpora[0], arguments.one, arguments.workers)))
        return
    named = arguments.corpora or sorted(corpora.MORE.rglob("perf-*.tar.zst"))
    cores = len(os.sched_getaffinity(0))
    print(
        f"fastledger {fastledger.__version__}, {cores} cores, durable, {arguments.runs} runs each"
    )
    with scratch() as folder:
        for corpus in named or [generated(arguments.transactions, folder)]:
            if arguments.scaling:
                scale(corpus, arguments.runs)
            else:
                compare(corpus, arguments.runs, arguments.workers)


def scratch() -> tempfile.TemporaryDirectory[str]:
    """Make a folder beside the working tree: /tmp may be memory, whose fsync costs nothing."""
    return tempfile.TemporaryDirectory(prefix=".bench-", dir=ROOT)


def generated(transactions: int, folder: str) -> Path:
    """Make a channel, for want of real ledgers."""
    print(
        f"no perf-*.tar.zst under {corpora.MORE} (FASTLEDGER_CORPUS): "
        f"replaying {transactions:,} transactions of a generated channel"
    )
    workload = generate({"transactions": transactions}, Path(folder))
    return workload.path.rename(Path(folder) / "generated")


def compare(corpus: Path, runs: int, workers: int) -> None:
    found: dict[str, list[dict[str, Any]]] = {engine: [] for engine in ENGINES}
    for _ in range(runs):
        for engine in ENGINES:
            found[engine].append(in_a_process(corpus, engine, workers))
    outcomes = {run["commit_hash"] for each in found.values() for run in each}
    if len(outcomes) != 1:
        raise SystemExit(f"{corpus.name}: the runs differ: {outcomes}")
    print(f"\n{corpus.name}: {found[ENGINES[0]][0]['transactions']:,} transactions")
    for engine in ENGINES:
        show(engine, found[engine])


def scale(corpus: Path, pairs: int) -> None:
    """Replay on one core and on all of them, in turn."""
    every = os.sched_getaffinity(0)
    ratios = []
    for _ in range(pairs):
        rates = []
        for cores in ({min(every)}, every):
            # Whom this process starts inherits it.
            os.sched_setaffinity(0, cores)
            run = in_a_process(corpus, "parallel", 0)
            rates.append(run["transactions"] / run["seconds"])
        ratios.append(rates[1] / rates[0])
        print(
            f"  {corpus.name}: 1 core {rates[0]:,.0f} tx/s, "
            f"{len(every)} cores {rates[1]:,.0f} tx/s: {ratios[-1]:.2f} times",
            flush=True,
        )
    print(
        f"{corpus.name}: {len(every)} cores {median(ratios):.2f} times one, median of {pairs} pairs"
    )


def in_a_process(corpus: Path, engine: str, workers: int) -> dict[str, Any]:
    command = [sys.executable, __file__, str(corpus), "--one", engine, "--workers", str(workers)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def measure(corpus: Path, engine: Any, workers: int) -> dict[str, Any]:
    """Replay once; reading and decompressing the corpus is not measured."""
    with sources.open(corpus) as source:
        blocks = list(source)
    stages: Counter[str] = Counter()
    stages_cpu: Counter[str] = Counter()
    transactions = 0
    with (
        scratch() as folder,
        fastledger.open(Path(folder) / "ledger", workers=workers, engine=engine) as ledger,
    ):
        cpu, start = cpu_s(), time.perf_counter()
        for commit in ledger.commit_all(blocks):
            transactions += len(commit.filter)
            stages.update(commit.stage_ms)
            stages_cpu.update(commit.stage_cpu_ms)
        seconds, cpu = time.perf_counter() - start, cpu_s() - cpu
        commit_hash = ledger.last_commit_hash
    return {
        "transactions": transactions,
        "seconds": seconds,
        "cpu_s": cpu,
        "stage_ms": stages,
        "stage_cpu_ms": stages_cpu,
        "commit_hash": commit_hash.hex() if commit_hash else None,
        "peak_mb": memory.peak_mb(),
    }


def cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def show(engine: str, runs: list[dict[str, Any]]) -> None:
    transactions = runs[0]["transactions"]

    def figures(each: Callable[[dict[str, Any]], float]) -> tuple[float, float]:
        values = [each(run) for run in runs]
        return median(values), min(values)

    seconds, fastest = figures(lambda run: run["seconds"])
    cpu, _ = figures(lambda run: 1e6 * run["cpu_s"] / transactions)
    rest, _ = figures(
        lambda run: (1e6 * run["cpu_s"] - 1e3 * run["stage_cpu_ms"]["verify"]) / transactions
    )
    peak, _ = figures(lambda run: run["peak_mb"])
    print(
        f"  {engine:10}  {transactions / seconds:>9,.0f} tx/s median, "
        f"{transactions / fastest:,.0f} best; CPU per transaction {cpu:.1f} µs, "
        f"without signature verification {rest:.1f} µs; peak {peak:.0f} MB"
    )
    for name, what in (("stage_ms", "wall"), ("stage_cpu_ms", "CPU")):
        stages = {
            stage: figures(lambda run, s=stage, n=name: run[n][s])[0] for stage in runs[0][name]
        }
        shown = ", ".join(f"{stage} {ms:.1f}" for stage, ms in stages.items())
        print(f"  {'':10}  ms per stage, {what} time summed over threads: {shown}")


if __name__ == "__main__":
    main()
