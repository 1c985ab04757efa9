# SPDX-License-Identifier: Apache-2.0
"""The plots of a report, by Plotly, which the extra ``fastledger[report]`` brings along.

Every axis of numbers names its unit in parentheses. Colors stand out from light and from dark
pages alike, and text takes the color of the page's own.
"""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import ceil
from statistics import median

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from fastledger.bench.harness import Point, Run

COLORS = ("#3b82f6", "#f97316", "#10b981", "#a855f7", "#e11d48", "#ca8a04")
WINDOWS = 25
"""Parts into which a run is cut to plot its throughput: a single block is too short to tell."""

LABELS = {"textposition": "outside", "textangle": 0, "cliponaxis": False}
_LINE = "rgba(128, 128, 128, 0.3)"


def library() -> str:
    """Return Plotly's own program, for the page to carry."""
    return str(get_plotlyjs())


def html(figure: go.Figure, name: str) -> str:
    """Make a figure's part of the page; `name` becomes its element's id."""
    config = {"displayModeBar": False, "responsive": True}
    part = figure.to_html(full_html=False, include_plotlyjs=False, div_id=name, config=config)
    return str(part)


def throughput(runs: Sequence[Run]) -> go.Figure:
    """Plot each run's transactions a second over time."""
    figure = empty("Throughput over time", "Time (s)", "Throughput (tx/s)")
    for number, run in enumerate(runs, 1):
        points = rates(run.series)
        figure.add_scatter(
            name=f"run {number}", x=[x for x, _ in points], y=[y for _, y in points], mode="lines"
        )
    return figure


def rates(series: Sequence[Point]) -> list[tuple[float, float]]:
    """Return the middle of each part of a run, in seconds, and its transactions a second."""
    seconds = series[-1].seconds / WINDOWS
    done = [0] * (WINDOWS + 1)
    for point in series:
        done[min(ceil(point.seconds / seconds), WINDOWS)] = point.transactions
    reached = list(accumulate(done, max))
    return [
        ((part + 0.5) * seconds, (late - early) / seconds)
        for part, (early, late) in enumerate(pairwise(reached))
    ]


def stages(runs: Sequence[Run]) -> go.Figure:
    """Plot what each stage of the pipeline takes: the median of the runs."""
    figure = empty(
        "Time by stage, all threads together", "Time per transaction (µs)", "", numbers_across=True
    )
    names = list(runs[0].stage_ms)
    for name, times in (
        ("clock", [run.stage_ms for run in runs]),
        ("processor", [run.stage_cpu_ms for run in runs]),
    ):
        each = [
            median(
                1e3 * time[stage] / max(run.transactions, 1)
                for time, run in zip(times, runs, strict=True)
            )
            for stage in names
        ]
        figure.add_bar(
            name=name, x=each, y=names, orientation="h", texttemplate="%{x:.2f}", **LABELS
        )
    # The first stage on top.
    figure.update_yaxes(autorange="reversed")
    return figure


def latency(runs: Sequence[Run]) -> go.Figure | None:
    """Plot how long blocks took that came one at a time; None where none did."""
    if not any(run.latency_ms for run in runs):
        return None
    size = max(run.latency_block_transactions for run in runs)
    figure = empty(f"Latency of a block of {size:,} transactions", "", "Until it is durable (ms)")
    for number, run in enumerate(runs, 1):
        names, values = list(run.latency_ms), list(run.latency_ms.values())
        figure.add_bar(name=f"run {number}", x=names, y=values, texttemplate="%{y:.1f}", **LABELS)
    return figure


def scaling(label: str, values: Sequence[tuple[float, Run]]) -> list[go.Figure]:
    """Plot throughput and processor time over what was varied; `label` names it with its unit."""
    across = [value for value, _ in values]
    names = [number(value) for value in across]
    # Zero has no place on a logarithmic axis: then one step follows the other.
    axis = {"type": "log", "tickvals": across, "ticktext": names} if min(across) > 0 else {}
    made = []
    for title, unit, what in (
        ("Throughput", "Throughput (tx/s)", [run.tx_per_s for _, run in values]),
        ("Processor time", "Per transaction (µs)", [run.cpu_us_per_tx for _, run in values]),
    ):
        figure = empty(title, label, unit)
        figure.add_scatter(x=across if axis else names, y=what, mode="lines+markers")
        figure.update_xaxes(axis or {"type": "category"})
        made.append(figure)
    return made


def number(value: float) -> str:
    """Write a number as people do: with commas, and never as a power of ten."""
    return f"{value:,.12g}"


def empty(title: str, across: str, up: str, *, numbers_across: bool = False) -> go.Figure:
    """Make a figure with a title and its axes, to be filled."""
    figure = go.Figure()
    figure.update_layout(
        title={"text": title, "x": 0, "xref": "container", "font": {"size": 15}},
        colorway=COLORS,
        paper_bgcolor="rgba(0, 0, 0, 0)",
        plot_bgcolor="rgba(0, 0, 0, 0)",
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom"},
        margin={"l": 8, "r": 16, "t": 64, "b": 8},
        height=340,
    )
    axis = {
        "automargin": True,
        "tickformat": ",",
        "showexponent": "none",
        "gridcolor": _LINE,
        "linecolor": _LINE,
        "zerolinecolor": _LINE,
    }
    figure.update_xaxes(title=across, **axis)
    figure.update_yaxes(title=up, **axis)
    (figure.update_xaxes if numbers_across else figure.update_yaxes)(rangemode="tozero")
    return figure
