# SPDX-License-Identifier: Apache-2.0
"""``fastledger bench``."""

import json
import os
import platform
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import click
from rich.console import Console
from rich.table import Table

import fastledger
from fastledger.bench import harness
from fastledger.bench.harness import Run, Sweep
from fastledger.bench.workload import Workload, generate
from fastledger.cli.command import Command
from fastledger.common.errors import InputError

SWEEPS: dict[str, tuple[str, str, tuple[float, ...]]] = {
    "workers": (
        "Scaling over workers, each with a core",
        "Workers (threads)",
        (1, 2, 4, 8, 16, 32),
    ),
    "block": ("Scaling over block size", "Block size (transactions)", (10, 100, 500, 2000, 10000)),
    "contention": (
        "Scaling over contention",
        "Popularity of keys (zipf exponent)",
        (0, 0.5, 0.9, 1.2, 2, 8),
    ),
    "state": ("Scaling over state size", "State size (keys)", (10_000, 100_000, 1_000_000)),
}
NO_PLOTS = "bench.html is left out: it needs Plotly, pip install 'fastledger[report]'"

_SHARE = click.FloatRange(0, 1)


def _number(name: str, default: int, text: str, least: int = 1) -> Callable[[Any], Any]:
    kind = click.IntRange(least)
    return click.option(name, type=kind, default=default, show_default=True, help=text)


@click.command(cls=Command)
@_number("--transactions", 50_000, "How many.")
@_number("--block", 500, "Transactions a block.")
@_number("--organizations", 2, "How many.")
@_number("--endorsements", 2, "Each transaction's.")
@_number("--endorsers", 1, "Peers of each organization.")
@_number("--clients", 10, "Clients of each organization.")
@_number("--keys", 100_000, "How many the state has.")
@click.option(
    "--zipf",
    type=click.FloatRange(0),
    default=0.0,
    help="Exponent of the keys' popularity; 0 is uniform.",
)
@_number("--value-bytes", 100, "Length of a value.", least=0)
@_number("--reads", 1, "Keys that a transaction reads.", least=0)
@_number("--writes", 1, "Keys that a transaction writes.", least=0)
@click.option(
    "--range-queries", type=_SHARE, default=0.0, help="Share of transactions with one, 0 to 1."
)
@click.option("--key-policies", type=_SHARE, default=0.0, help="Share of keys with one, 0 to 1.")
@click.option(
    "--private-writes", type=_SHARE, default=0.0, help="Share of transactions with one, 0 to 1."
)
@click.option(
    "--bad-signatures", type=_SHARE, default=0.0, help="Share of transactions with one, 0 to 1."
)
@click.option("--spec", "spec_json", default="{}", help="More of the specification, as JSON.")
@_number("--seed", 1, "Another one makes another channel of the same kind.", least=0)
@_number("--workers", 0, "Threads that verify; 0 takes one per core.", least=0)
@_number("--runs", 3, "Of them, the median counts.")
@click.option(
    "--sweep",
    "sweeps",
    type=click.Choice(list(SWEEPS)),
    multiple=True,
    help="Measure over a range of this.",
)
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for the reports."
)
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

    Prints a table; with --out it also writes bench.json, and bench.html where Plotly is installed.
    Every verdict is held against the one that the workload predicts.
    """
    console = Console()
    if out and not _draws():
        console.print(NO_PLOTS, markup=False)
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
        console.print(f"reports: {', '.join(str(path) for path in sorted(out.glob('bench.*')))}")


def _draws() -> bool:
    return find_spec("plotly") is not None


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
        console.print(f"{label} {value:,.12g}: {run.tx_per_s:,.0f} tx/s")
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
    if _draws():
        from fastledger.bench import report

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
