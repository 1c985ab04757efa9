# SPDX-License-Identifier: Apache-2.0
"""One self-contained HTML page of runs: it asks no server for anything, and follows the theme."""

import html
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from fastledger.bench import figures
from fastledger.bench.harness import Run, Sweep

# The browser itself refuses whatever the page does not carry.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
)
STYLE = """
:root { color-scheme: light dark; --line: light-dark(#d0d7de, #3d444d) }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums }
td, th { padding: .25rem .75rem; border-bottom: 1px solid var(--line); text-align: right }
td:first-child, th:first-child { text-align: left }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(30rem, 100%), 1fr)) }
.figures > div { min-width: 0 }
.main-svg :not(.hoverlayer *) > text { fill: currentColor !important }
"""


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
        _figures("run", plots),
        _runs_table(runs),
        "".join(_sweep(number, sweep) for number, sweep in enumerate(sweeps, 1)),
        f"<h2>Workload</h2>{_table(('setting', 'value'), list(spec.items()))}",
    ]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style>"
        f"<script>{figures.library()}</script><body>{''.join(parts)}</body></html>"
    )


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
    return _table(head, rows)


def _sweep(number: int, sweep: Sweep) -> str:
    rows = [
        (figures.number(v), f"{r.tx_per_s:,.0f}", f"{r.cpu_us_per_tx:.1f}") for v, r in sweep.runs
    ]
    return (
        f"<h2>{html.escape(sweep.title)}</h2>"
        + _figures(f"sweep-{number}", figures.scaling(sweep.label, sweep.runs))
        + _table((sweep.label, "tx/s", "CPU µs/tx"), rows)
    )


def _figures(name: str, plots: Sequence[Any]) -> str:
    drawn = "".join(figures.html(plot, f"{name}-{at}") for at, plot in enumerate(plots, 1))
    return f'<div class="figures">{drawn}</div>'


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    def row(tag: str, cells: Sequence[Any]) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(str(cell))}</{tag}>" for cell in cells)

    return "<table>" + row("th", head) + "".join(row("td", cells) for cells in rows) + "</table>"
