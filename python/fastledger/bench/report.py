# SPDX-License-Identifier: Apache-2.0
"""The report of a workload's runs, as one page."""

import html
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from fastledger.bench import figures, page
from fastledger.bench.harness import Run, Sweep


def render(
    title: str, spec: Mapping[str, Any], runs: Sequence[Run], sweeps: Sequence[Sweep]
) -> str:
    """Make the page.

    Args:
        title: Its heading: what ran where.
        spec: The workload's specification.
        runs: Runs of the same workload.
        sweeps: Runs that show how the figures scale.
    """
    plots = [figures.throughput(runs), figures.stages(runs)]
    if (latency := figures.latency(runs)) is not None:
        plots.append(latency)
    parts = [
        f"<h1>{html.escape(title)}</h1><p>{html.escape(_summary(runs))}</p>",
        page.grid("run", plots),
        _runs_table(runs),
        "".join(_sweep(number, sweep) for number, sweep in enumerate(sweeps, 1)),
        f"<h2>Workload</h2>{page.table(('setting', 'value'), list(spec.items()))}",
    ]
    return page.document(title, parts)


def _summary(runs: Sequence[Run]) -> str:
    throughput = median(run.tx_per_s for run in runs)
    processor = median(run.cpu_us_per_tx for run in runs)
    durable = "durable" if runs[0].durable else "not durable"
    return (
        f"{throughput:,.0f} transactions a second ({durable}), {processor:.1f} µs of processor "
        f"time each: the median of {len(runs)} run{'s' if len(runs) > 1 else ''} on "
        f"{runs[0].cores} core{'s' if runs[0].cores > 1 else ''}."
    )


def _runs_table(runs: Sequence[Run]) -> str:
    head = [
        "run",
        "workers",
        "cores",
        "durable",
        "transactions",
        "tx/s",
        "CPU µs/tx",
        "p50 ms",
        "p99 ms",
        "peak MiB",
    ]
    rows = [
        (
            number,
            run.workers or "one per core",
            run.cores,
            "yes" if run.durable else "no",
            f"{run.transactions:,}",
            f"{run.tx_per_s:,.0f}",
            f"{run.cpu_us_per_tx:.1f}",
            f"{run.latency_ms.get('p50', float('nan')):.1f}",
            f"{run.latency_ms.get('p99', float('nan')):.1f}",
            f"{run.peak_memory_mb:,.0f}",
        )
        for number, run in enumerate(runs, 1)
    ]
    return page.table(head, rows)


def _sweep(number: int, sweep: Sweep) -> str:
    rows = [
        (figures.number(v), f"{r.tx_per_s:,.0f}", f"{r.cpu_us_per_tx:.1f}") for v, r in sweep.runs
    ]
    return (
        f"<h2>{html.escape(sweep.title)}</h2>"
        + page.grid(f"sweep-{number}", figures.scaling(sweep.label, sweep.runs))
        + page.table((sweep.label, "tx/s", "CPU µs/tx"), rows)
    )
