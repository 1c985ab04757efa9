# SPDX-License-Identifier: Apache-2.0
"""What a comparison found, as text and as one page."""

import html
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from endtoend import Figures

from fastledger.bench import figures, page

FABRIC, OURS = "fabric", "fastledger"
COLORS = {FABRIC: "#f97316", OURS: "#3b82f6"}

Pick = Callable[[Figures], float]
Rows = list[list[str]]


@dataclass
class Taken:
    """What one way of taking a ledger's blocks came to, one entry for each round."""

    tx_per_s: list[float] = field(default_factory=list)
    cpu_us_per_tx: list[float] = field(default_factory=list)


@dataclass
class Ledger:
    """A ledger, and how fast its blocks were taken."""

    name: str
    transactions: int
    deliver: dict[str, Taken]
    """Catching up, by whose peer."""

    replay: Taken = field(default_factory=Taken)
    """Ours, of block files."""


@dataclass
class Comparison:
    """All that was measured."""

    machine: dict[str, str]
    without_fabric: str
    """Why Fabric was not measured; empty where it was."""

    rounds: int
    ledgers: list[Ledger] = field(default_factory=list)
    network: dict[str, list[list[Figures]]] = field(default_factory=dict)
    """By whose nodes: for each round, the figures of each load."""


def line(load: Figures) -> str:
    """Tell one load of one network."""
    cpu = ", ".join(f"{name} {ms:.2f}" for name, ms in load.cpu_ms.items())
    return (
        f"  {load.act:7} {load.clients:4} clients {load.per_second:9,.1f}/s   "
        f"p50 {load.p50_ms:7.1f} ms   p99 {load.p99_ms:7.1f} ms   failed {load.failed}   "
        f"CPU ms each: {cpu}"
    )


def text(found: Comparison) -> str:
    """Tell the medians, as tables."""
    parts = []
    for title, head, rows in _tables(found):
        widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
        lines = [
            "  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True))
            for row in (head, *rows)
        ]
        parts.append("\n".join((title, *lines)))
    return "\n\n".join(parts)


def document(found: Comparison) -> str:
    """Make the page."""
    title = "fastledger" if found.without_fabric else "fastledger beside Hyperledger Fabric 3.1.5"
    parts = [
        f"<h1>{title}</h1><p>{html.escape(_method(found))}</p>",
        page.grid("compare", list(_plots(found))),
    ]
    for heading, head, rows in _tables(found):
        parts.append(f"<h2>{html.escape(heading)}</h2>{page.table(head, rows)}")
    parts.append(f"<h2>Machine</h2>{page.table(('what', 'found'), list(found.machine.items()))}")
    return page.document(title, parts)


def _method(found: Comparison) -> str:
    if found.without_fabric:
        return f"Ours alone, medians of {found.rounds} rounds. Fabric was not measured: " + (
            found.without_fabric
        )
    return (
        f"Medians of {found.rounds} rounds on one machine. In each round Fabric's nodes and ours "
        "ran one after the other, from their start: the same blocks, channel configuration, TLS, "
        "client program and chaincode process. Ratios are the medians of the rounds' ratios. "
        "Commits are durable: each block is synced."
    )


def _tables(found: Comparison) -> "Iterator[tuple[str, Sequence[str], Rows]]":
    if found.ledgers:
        yield "Blocks, transactions per second", *_blocks(found.ledgers)
    if found.network:
        yield "Networks", *_networks(found.network)
        yield "Processor time for each success by process, ms", *_processes(found.network)


def _blocks(ledgers: list[Ledger]) -> tuple[Sequence[str], Rows]:
    head = (
        "ledger",
        "way",
        "tx/s",
        "lowest",
        "highest",
        "CPU µs/tx",
        "times Fabric's",
        "times less CPU",
    )
    rows = []
    for ledger in ledgers:
        ways = [(f"{kind}, Deliver", taken) for kind, taken in ledger.deliver.items()]
        theirs = ledger.deliver.get(FABRIC)
        for way, taken in (*ways, (f"{OURS}, replay", ledger.replay)):
            rates = taken.tx_per_s
            row = [ledger.name, way, *(f"{f(rates):,.0f}" for f in (median, min, max))]
            row.append(f"{median(taken.cpu_us_per_tx):,.1f}")
            if theirs is None or taken is theirs:
                row += ["", ""]
            else:
                row.append(f"{_ratio(taken.tx_per_s, theirs.tx_per_s):.1f}")
                row.append(f"{_ratio(theirs.cpu_us_per_tx, taken.cpu_us_per_tx):.1f}")
            rows.append(row)
    return head, rows


def _networks(network: dict[str, list[list[Figures]]]) -> tuple[Sequence[str], Rows]:
    head = ("load", "clients", "nodes", "per second", "p50 ms", "p99 ms", "nodes' CPU ms", "failed")
    head += ("times Fabric's", "of Fabric's CPU")
    rows = []
    for at, load in enumerate(network[OURS][0]):
        for kind in network:
            rate = _values(network[kind], at, lambda one: one.per_second)
            cpu = _values(network[kind], at, lambda one: one.servers_cpu_ms)
            row = [load.act, str(load.clients), kind, f"{median(rate):,.1f}"]
            row.append(f"{median(_values(network[kind], at, lambda one: one.p50_ms)):,.1f}")
            row.append(f"{median(_values(network[kind], at, lambda one: one.p99_ms)):,.1f}")
            row.append(f"{median(cpu):.2f}")
            row.append(f"{sum(_values(network[kind], at, lambda one: one.failed)):.0f}")
            if kind == OURS and FABRIC in network:
                theirs = network[FABRIC]
                row.append(f"{_ratio(rate, _values(theirs, at, lambda one: one.per_second)):.2f}")
                of_cpu = _ratio(cpu, _values(theirs, at, lambda one: one.servers_cpu_ms))
                row.append(f"{of_cpu:.2f}")
            else:
                row += ["", ""]
            rows.append(row)
    return head, rows


def _processes(network: dict[str, list[list[Figures]]]) -> tuple[Sequence[str], Rows]:
    names = list(network[OURS][0][0].cpu_ms)
    rows = [
        [load.act, str(load.clients), kind]
        + [f"{_cpu(network[kind], at, name):.2f}" for name in names]
        for at, load in enumerate(network[OURS][0])
        for kind in network
    ]
    return ("load", "clients", "nodes", *names), rows


def _plots(found: Comparison) -> Iterator[Any]:
    if found.ledgers:
        yield _rates_of_ledgers(found.ledgers)
    if not found.network:
        return
    for act, title in (("query", "Queries"), ("submit", "Submits, committed by both peers")):
        yield _loads(found.network, act, title, "Per second", lambda one: one.per_second)
    for act, title in (("query", "Queries"), ("submit", "Submits")):
        yield _loads(
            found.network, act, f"{title}: 99 of 100 took at most", "ms", lambda one: one.p99_ms
        )
    for act, title in (("query", "Queries"), ("submit", "Submits")):
        yield _loads(
            found.network,
            act,
            f"{title}: processor time of the nodes",
            "Each (ms)",
            lambda one: one.servers_cpu_ms,
        )


def _rates_of_ledgers(ledgers: list[Ledger]) -> Any:
    figure = figures.empty("Validating and committing blocks", "", "Throughput (tx/s)")
    names = [ledger.name for ledger in ledgers]
    kinds = list(ledgers[0].deliver)
    ways = [(f"{kind}, Deliver", kind) for kind in kinds]
    for name, kind in ways:
        taken = [ledger.deliver[kind].tx_per_s for ledger in ledgers]
        _bars(figure, name, names, taken, COLORS[kind])
    _bars(figure, f"{OURS}, replay", names, [x.replay.tx_per_s for x in ledgers], "#10b981")
    return figure


def _loads(
    network: dict[str, list[list[Figures]]], act: str, title: str, unit: str, pick: Pick
) -> Any:
    figure = figures.empty(title, "Clients", unit)
    loads = [(at, load) for at, load in enumerate(network[OURS][0]) if load.act == act]
    names = [str(load.clients) for _, load in loads]
    for kind, rounds in network.items():
        taken = [_values(rounds, at, pick) for at, _ in loads]
        _bars(figure, kind, names, taken, COLORS[kind])
    figure.update_xaxes(type="category")
    return figure


def _bars(figure: Any, name: str, names: list[str], taken: list[list[float]], color: str) -> None:
    """Add bars of medians, with lines from the lowest to the highest."""
    middle = [median(values) for values in taken]
    figure.add_bar(
        name=name,
        x=names,
        y=middle,
        marker={"color": color},
        text=[_short(value) for value in middle],
        error_y={
            "type": "data",
            "array": [max(values) - at for values, at in zip(taken, middle, strict=True)],
            "arrayminus": [at - min(values) for values, at in zip(taken, middle, strict=True)],
            "thickness": 1,
        },
        **figures.LABELS,
    )


def _short(value: float) -> str:
    """Write a value with three digits, or with all digits before its point if those are more."""
    return f"{value:,.{max(0, 3 - len(str(int(value))))}f}"


def _values(rounds: list[list[Figures]], at: int, pick: Pick) -> list[float]:
    return [pick(loads[at]) for loads in rounds]


def _cpu(rounds: list[list[Figures]], at: int, name: str) -> float:
    return median(loads[at].cpu_ms.get(name, 0.0) for loads in rounds)


def _ratio(ours: list[float], theirs: list[float]) -> float:
    return median(mine / other for mine, other in zip(ours, theirs, strict=True))
