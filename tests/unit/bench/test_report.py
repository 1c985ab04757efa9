# SPDX-License-Identifier: Apache-2.0
"""The report is one file that stands alone, and its plots can be read."""

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from fastledger.bench import figures, report
from fastledger.bench.harness import Point, Run, Sweep

STAGES = {"parse": 20.0, "verify": 40.0, "state": 5.0}


def run(blocks: int = 200, latency_ms: dict[str, float] | None = None) -> Run:
    """Make up the figures of a run of one block each ten milliseconds."""
    return Run(
        workers=0,
        cores=2,
        durable=True,
        transactions=500 * blocks,
        seconds=0.01 * blocks,
        tx_per_s=50_000.0,
        cpu_us_per_tx=15.0,
        stage_ms=STAGES,
        stage_cpu_ms=STAGES,
        latency_ms={"p50": 4.9, "p99": 6.7} if latency_ms is None else latency_ms,
        latency_block_transactions=500,
        peak_memory_mb=200.0,
        series=[Point(0.01 * number, 500 * number) for number in range(blocks + 1)],
    )


SWEEPS = [
    Sweep("Scaling over state size", "State size (keys)", [(1e4, run()), (1e6, run())]),
    Sweep("Scaling over contention", "Popularity (zipf exponent)", [(0.0, run()), (8.0, run())]),
]


class Page(HTMLParser):
    """Collects what a page would load, its policy, and the descriptions of its plots."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.loads: list[tuple[str, str | None]] = []
        self.policy: str | None = None
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [
            (tag, value)
            for name, value in attributes
            if name in ("src", "href", "srcset", "data", "action", "background")
        ]
        if ("http-equiv", "Content-Security-Policy") in attributes:
            self.policy = dict(attributes)["content"]


def plots() -> list[dict[str, Any]]:
    """Describe every plot that a report can have."""
    made = [figures.throughput([run(), run()]), figures.stages([run()]), figures.latency([run()])]
    for sweep in SWEEPS:
        made += figures.scaling(sweep.label, sweep.runs)
    return [json.loads(figure.to_json()) for figure in made if figure is not None]


def test_a_report_is_one_file_that_loads_nothing() -> None:
    page = Page(report.render("A title", {"keys": 100}, [run()], SWEEPS))
    assert page.loads == []
    assert "link" not in page.tags
    assert page.policy is not None
    assert page.policy.startswith("default-src 'none'; ")
    assert "http" not in page.policy


def test_a_report_has_all_plots_and_follows_the_theme() -> None:
    page = report.render("A <title>", {"keys": 100}, [run(), run()], SWEEPS)
    assert page.count("Plotly.newPlot(") == 3 + 2 * len(SWEEPS)
    assert "color-scheme: light dark" in page
    assert "<h1>A &lt;title&gt;</h1>" in page


def test_every_axis_of_numbers_names_its_unit() -> None:
    for plot in plots():
        layout = plot["layout"]
        for axis, values in (("xaxis", "x"), ("yaxis", "y")):
            named = [trace[values] for trace in plot["data"]]
            if any(isinstance(value, str) for value in named[0]):
                continue
            assert re.search(r"\([^)]+\)$", layout[axis]["title"]["text"]), layout["title"]


def test_no_tick_is_a_power_of_ten() -> None:
    for plot in plots():
        for axis in ("xaxis", "yaxis"):
            assert plot["layout"][axis]["showexponent"] == "none"
            assert plot["layout"][axis]["tickformat"] == ","
            assert plot["layout"][axis]["automargin"]
    assert [figures.number(value) for value in (0.5, 2.0, 1e6)] == ["0.5", "2", "1,000,000"]


def test_several_runs_have_a_legend() -> None:
    runs, bars = plots()[0]["data"], plots()[1]["data"]
    assert [trace["name"] for trace in runs] == ["run 1", "run 2"]
    assert [trace["name"] for trace in bars] == ["clock", "processor"]


def test_throughput_is_that_of_parts_of_the_run() -> None:
    rates = figures.rates(run().series)
    assert len(rates) == figures.WINDOWS
    # A block at the edge of two parts may count for either.
    block = 500 / (2.0 / figures.WINDOWS)
    assert [rate for _, rate in rates] == pytest.approx([50_000.0] * figures.WINDOWS, abs=block + 1)
    assert rates[0][0] == pytest.approx(2.0 / figures.WINDOWS / 2)


def test_a_burst_at_the_end_of_a_wait_is_no_spike() -> None:
    series = [Point(0.0, 0), Point(0.99, 500), Point(0.9901, 1000), Point(1.0, 1500)]
    assert sum(rate / figures.WINDOWS for _, rate in figures.rates(series)) == pytest.approx(1500)
    assert max(rate for _, rate in figures.rates(series)) == pytest.approx(1500 * figures.WINDOWS)


def test_without_single_blocks_there_is_no_plot_of_latency() -> None:
    assert figures.latency([run(latency_ms={})]) is None
    assert "Latency of a block" not in report.render("t", {}, [run(latency_ms={})], [])
