# SPDX-License-Identifier: Apache-2.0
"""``fastledger bench``."""

import json
import os
import platform
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import click
from rich.console import Console
from rich.table import Table

import fastledger
from fastledger.bench import harness, report
from fastledger.bench.harness import Run
from fastledger.bench.report import Sweep
from fastledger.bench.workload import Workload, generate
from fastledger.cli.command import Command
from fastledger.common.errors import InputError

SWEEPS: dict[str, tuple[str, str, tuple[float, ...]]] = {
    "workers": ("Scaling over workers, each with a core", "workers", (1, 2, 4, 8, 16, 32)),
    "block": ("Scaling over block size", "transactions a block", (10, 100, 500, 2000, 10000)),
    "contention": ("Scaling over contention", "zipf exponent", (0, 0.5, 0.9, 1.2, 2, 8)),
    "state": ("Scaling over state size", "keys", (10_000, 100_000, 1_000_000)),
}


@click.command(cls=Command)
@click.option("--transactions", type=int, default=50_000, show_default=True)
@click.option("--block", type=int, default=500, show_default=True, help="Transactions a block.")
@click.option("--organizations", type=int, default=2, show_default=True)
@click.option("--endorsements", type=int, default=2, show_default=True, help="Each transaction's.")
@click.option("--endorsers", type=int, default=1, show_default=True, help="Peers of each org.")
@click.option("--clients", type=int, default=10, show_default=True, help="Clients of each org.")
@click.option("--keys", type=int, default=100_000, show_default=True)
@click.option("--zipf", type=float, default=0.0, show_default=True, help="0 is uniform.")
@click.option("--value-bytes", type=int, default=100, show_default=True)
@click.option("--reads", type=int, default=1, show_default=True)
@click.option("--writes", type=int, default=1, show_default=True)
@click.option("--range-queries", type=float, default=0.0, help="Share of transactions.")
@click.option("--key-policies", type=float, default=0.0, help="Share of keys.")
@click.option("--private-writes", type=float, default=0.0, help="Share of transactions.")
@click.option("--bad-signatures", type=float, default=0.0, help="Share of transactions.")
@click.option("--spec", "spec_json", default="{}", help="More of the specification, as JSON.")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--workers", type=int, default=0, help="0 takes one per core.")
@click.option("--runs", type=click.IntRange(1), default=3, show_default=True)
@click.option("--sweep", "sweeps", type=click.Choice(list(SWEEPS)), multiple=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="For the reports.")
@click.option("--no-fsync", is_flag=True, help="Do not wait for the disk.")
def bench(
    workers: int,
    runs: int,
    sweeps: tuple[str, ...],
    out: Path | None,
    no_fsync: bool,
    **options: Any,
) -> None:
    """Measure the engine on channels that it makes, from blocks on disk to durable commits.

    Prints a table; with --out it also writes bench.json and bench.html. Every verdict is held
    against the one that the workload predicts.
    """
    console = Console()
    spec = _spec(options)
    with _scratch(out) as folder:
        console.print(f"making {spec['transactions']:,} transactions …")
        workload = generate(spec, _new(folder, "workload"))
        measured = [_measure(workload, folder, workers, not no_fsync) for _ in range(runs)]
        _show(console, measured)
        swept = [
            _sweep(console, name, spec, folder, workers, not no_fsync, runs) for name in sweeps
        ]
    if out:
        _write(out, workload, measured, swept)
        console.print(f"reports: {out / 'bench.json'}, {out / 'bench.html'}")


def _spec(options: dict[str, Any]) -> dict[str, Any]:
    zipf = options["zipf"]
    spec = {
        "transactions": options["transactions"],
        "block_transactions": options["block"],
        "organizations": options["organizations"],
        "endorsement_policy": {
            "required": options["endorsements"],
            "organizations": options["organizations"],
        },
        "endorsers_per_organization": options["endorsers"],
        "clients_per_organization": options["clients"],
        "keys": options["keys"],
        "key_distribution": {"zipf": {"exponent": zipf}} if zipf else "uniform",
        "value_bytes": options["value_bytes"],
        "reads": options["reads"],
        "writes": options["writes"],
        "range_query_share": options["range_queries"],
        "key_policy_share": options["key_policies"],
        "private_write_share": options["private_writes"],
        "bad_creator_signature_share": options["bad_signatures"],
        "seed": options["seed"],
    }
    try:
        more = json.loads(options["spec_json"])
    except ValueError as error:
        raise InputError(f"--spec is not JSON: {error}") from error
    if not isinstance(more, dict):
        raise InputError("--spec must be a JSON object")
    return spec | more


@contextmanager
def _scratch(out: Path | None) -> Iterator[Path]:
    """Yield a folder on the disk that is to be measured: a temporary folder may be memory."""
    place = out or Path.cwd()
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=place) as folder:
        yield Path(folder)


def _new(folder: Path, name: str) -> Path:
    return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=folder))


def _measure(workload: Workload, folder: Path, workers: int, durable: bool) -> Run:
    with tempfile.TemporaryDirectory(prefix="ledger-", dir=folder) as ledger:
        return harness.run(workload, Path(ledger), workers=workers, durable=durable)


@contextmanager
def _on_cores(count: int) -> Iterator[None]:
    """Keep this process, and the threads that it starts, to some of its cores."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(cores)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def _sweep(
    console: Console,
    name: str,
    spec: dict[str, Any],
    folder: Path,
    workers: int,
    durable: bool,
    runs: int,
) -> Sweep:
    """Measure one value after the other, and again; of each value's runs the median one counts."""
    title, label, values = SWEEPS[name]
    cores = len(os.sched_getaffinity(0))
    if name == "workers":
        values = tuple(value for value in values if value <= cores)
    workloads = _workloads(name, values, spec, folder)
    measured: dict[float, list[Run]] = {value: [] for value in values}
    for _ in range(runs):
        for value in values:
            threads = int(value) if name == "workers" else workers
            with _on_cores(threads if name == "workers" else cores):
                measured[value].append(_measure(workloads[value], folder, threads, durable))
    medians = [(value, _median_run(measured[value])) for value in values]
    for value, run in medians:
        console.print(f"{label} {value:g}: {run.tx_per_s:,.0f} tx/s")
    return Sweep(title, label, medians)


def _workloads(
    name: str, values: tuple[float, ...], spec: dict[str, Any], folder: Path
) -> dict[float, Workload]:
    if name == "workers":
        workload = generate(spec, _new(folder, "workload"))
        return dict.fromkeys(values, workload)
    change: dict[str, Callable[[float], dict[str, Any]]] = {
        "block": lambda value: {
            "block_transactions": int(value),
            "transactions": max(spec["transactions"], int(20 * value)),
        },
        "contention": lambda value: {
            "key_distribution": {"zipf": {"exponent": value}} if value else "uniform"
        },
        "state": lambda value: {"keys": int(value)},
    }
    return {
        value: generate(spec | change[name](value), _new(folder, "workload")) for value in values
    }


def _median_run(runs: list[Run]) -> Run:
    return sorted(runs, key=lambda run: run.tx_per_s)[len(runs) // 2]


def _show(console: Console, runs: list[Run]) -> None:
    one = runs[0]
    table = Table(
        title=f"{one.transactions:,} transactions, {one.cores} cores, "
        f"{'durable' if one.durable else 'not durable'}, {len(runs)} runs: min / median / max"
    )
    table.add_column("figure")
    table.add_column("value", justify="right")

    def row(name: str, values: list[float], digits: int = 1) -> None:
        spread = (
            f"{min(values):,.{digits}f} / {median(values):,.{digits}f} / {max(values):,.{digits}f}"
        )
        table.add_row(name, spread)

    row("tx/s", [run.tx_per_s for run in runs], 0)
    row("CPU µs per transaction", [run.cpu_us_per_tx for run in runs])
    for stage in one.stage_ms:
        row(f"{stage}, µs", [1e3 * r.stage_ms[stage] / r.transactions for r in runs], 2)
        row(f"{stage}, µs of CPU", [1e3 * r.stage_cpu_ms[stage] / r.transactions for r in runs], 2)
    for name in one.latency_ms:
        row(
            f"latency {name} of a block of {one.latency_block_transactions}, ms",
            [run.latency_ms[name] for run in runs],
        )
    tenths = [run.first_and_last_tenth() for run in runs]
    row(
        "tx/s of the last tenth over the first",
        [last / first for first, last in tenths if first],
        2,
    )
    row("peak memory, MB", [run.peak_memory_mb for run in runs], 0)
    console.print(table)


def _write(out: Path, workload: Workload, runs: list[Run], sweeps: list[Sweep]) -> None:
    where = f"fastledger {fastledger.__version__} on {platform.machine()}, {runs[0].cores} cores"
    page = report.render(f"Benchmark of {where}", workload.spec, runs, sweeps)
    (out / "bench.html").write_text(page, encoding="utf-8")
    figures = {
        "where": where,
        "spec": dict(workload.spec),
        "runs": [run.as_json() for run in runs],
        "sweeps": [
            {
                "title": sweep.title,
                "label": sweep.label,
                "runs": [{"value": value} | run.as_json() for value, run in sweep.runs],
            }
            for sweep in sweeps
        ],
    }
    (out / "bench.json").write_text(json.dumps(figures, indent=1), encoding="utf-8")
