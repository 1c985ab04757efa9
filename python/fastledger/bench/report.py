# SPDX-License-Identifier: Apache-2.0
"""One self-contained HTML page of runs, with plots as inline SVG."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastledger.bench.harness import Run

WIDTH, HEIGHT, MARGIN = 560, 240, 46
COLOURS = ("#1f6feb", "#d1242f", "#1a7f37", "#9a6700", "#8250df", "#bf3989")

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0 }
td, th { padding: .25rem .75rem; border-bottom: 1px solid #d0d7de; text-align: right }
td:first-child, th:first-child { text-align: left }
figure { display: inline-block; margin: 1rem 1rem 1rem 0; vertical-align: top }
figcaption { font-weight: 600 }
svg text { font: 11px system-ui, sans-serif; fill: #59636e }
"""


@dataclass(frozen=True, slots=True)
class Sweep:
    """Runs that differ in one thing."""

    title: str
    label: str
    """What differs, with its unit."""

    runs: Sequence[tuple[float, Run]]
    """The value of what differs, and the run."""


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
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        _runs_table(runs),
        "".join(_run_figures(number, run) for number, run in enumerate(runs, 1)),
        "".join(_sweep(sweep) for sweep in sweeps),
        f"<h2>Workload</h2>{_table(('setting', 'value'), list(spec.items()))}",
    ]
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        f"<title>{html.escape(title)}</title><style>{STYLE}</style><body>{''.join(parts)}</body></html>"
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
        "peak MB",
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


def _run_figures(number: int, run: Run) -> str:
    rates = [
        (late.seconds, (late.transactions - early.transactions) / (late.seconds - early.seconds))
        for early, late in zip(run.series, run.series[1:], strict=False)
        if late.seconds > early.seconds
    ]
    total = max(run.transactions, 1)
    stages = [(name, 1e3 * ms / total) for name, ms in run.stage_ms.items()]
    latency = list(run.latency_ms.items())
    caption = f"one block of {run.latency_block_transactions:,} at a time, ms"
    return (
        f"<h2>Run {number}</h2>"
        + _figure("tx/s over time (s)", _lines([("", rates)]))
        + _figure("µs per transaction and stage, summed over threads", _bars(stages))
        + (_figure(caption, _bars(latency)) if latency else "")
    )


def _sweep(sweep: Sweep) -> str:
    points = [(value, run.tx_per_s) for value, run in sweep.runs]
    cpu = [(value, run.cpu_us_per_tx) for value, run in sweep.runs]
    rows = [(f"{v:g}", f"{r.tx_per_s:,.0f}", f"{r.cpu_us_per_tx:.1f}") for v, r in sweep.runs]
    return (
        f"<h2>{html.escape(sweep.title)}</h2>"
        + _table((sweep.label, "tx/s", "CPU µs/tx"), rows)
        + _figure(f"tx/s over {sweep.label}", _lines([("", points)]))
        + _figure(f"CPU µs per transaction over {sweep.label}", _lines([("", cpu)]))
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    def row(tag: str, cells: Sequence[Any]) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(str(cell))}</{tag}>" for cell in cells)

    return "<table>" + row("th", head) + "".join(row("td", cells) for cells in rows) + "</table>"


def _figure(caption: str, svg: str) -> str:
    return f"<figure><figcaption>{html.escape(caption)}</figcaption>{svg}</figure>"


def _lines(series: Sequence[tuple[str, Sequence[tuple[float, float]]]]) -> str:
    points = [point for _, line in series for point in line]
    if not points:
        return _svg("")
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    top = max(y for _, y in points) or 1.0

    def place(x: float, y: float) -> str:
        across = (x - left) / ((right - left) or 1.0)
        return f"{MARGIN + across * (WIDTH - 2 * MARGIN):.1f},{_height(y / top):.1f}"

    drawn = "".join(
        f"<polyline fill=none stroke='{colour}' stroke-width=1.5 "
        f"points='{' '.join(place(x, y) for x, y in line)}'/>"
        for (_, line), colour in zip(series, COLOURS, strict=False)
    )
    return _svg(
        drawn
        + _scale(top)
        + _text(MARGIN, HEIGHT - 24, f"{left:g}")
        + _text(WIDTH - MARGIN, HEIGHT - 24, f"{right:.4g}", "end")
    )


def _bars(values: Sequence[tuple[str, float]]) -> str:
    top = max((value for _, value in values), default=0.0) or 1.0
    slot = (WIDTH - 2 * MARGIN) / max(len(values), 1)
    drawn = []
    for index, (name, value) in enumerate(values):
        x, y = MARGIN + index * slot, _height(value / top)
        drawn.append(
            f"<rect x={x + slot * 0.15:.1f} y={y:.1f} width={slot * 0.7:.1f} "
            f"height={_height(0) - y:.1f} fill='{COLOURS[0]}'/>"
            + _text(x + slot / 2, y - 4, f"{value:.3g}", "middle")
            + _text(x + slot / 2, HEIGHT - 24, name, "middle")
        )
    return _svg("".join(drawn))


def _height(share: float) -> float:
    return HEIGHT - 40 - share * (HEIGHT - 70)


def _scale(top: float) -> str:
    return "".join(
        f"<line x1={MARGIN} x2={WIDTH - MARGIN} y1={_height(share):.1f} y2={_height(share):.1f} "
        "stroke='#d0d7de'/>" + _text(MARGIN - 4, _height(share) + 4, f"{share * top:,.3g}", "end")
        for share in (0.0, 0.5, 1.0)
    )


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f"<text x={x:.1f} y={y:.1f} text-anchor={anchor}>{html.escape(text)}</text>"


def _svg(content: str) -> str:
    return f"<svg width={WIDTH} height={HEIGHT} viewBox='0 0 {WIDTH} {HEIGHT}'>{content}</svg>"
