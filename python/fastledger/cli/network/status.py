# SPDX-License-Identifier: Apache-2.0
"""``fastledger status``."""

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path

import click

from fastledger.cli.command import LiveCommand
from fastledger.cli.network.place import DIRECTORY, network
from fastledger.network import processes
from fastledger.network.consensus import Kafka, Place, Raft, places_of
from fastledger.network.plan import Plan

_EVERY_S = 1.0


@click.command(cls=LiveCommand)
@DIRECTORY
@click.option("--watch", is_flag=True, help="Show it again every second, until interrupted.")
def status(directory: Path | None, watch: bool) -> None:
    """Show the nodes, who leads the orderers or how far they are, and how many blocks each has.

    Exit code 1: one does not run, or go on.
    """
    plan = network(directory)
    while watch:
        lines, _ = asyncio.run(_status(plan))
        click.clear()
        click.echo("\n".join(lines))
        time.sleep(_EVERY_S)
    lines, all_well = asyncio.run(_status(plan))
    click.echo("\n".join(lines))
    if not all_well:
        raise SystemExit(1)


async def _status(plan: Plan) -> tuple[list[str], bool]:
    """Return a line or two for each node, and whether all of them can go on."""
    from fastledger.cli.network.heights import heights
    from fastledger.network.health import ailments

    known, reasons, places = await asyncio.gather(
        heights(plan), ailments(plan.nodes), places_of(plan.all_orderers, plan.channel)
    )
    lines = []
    for node in plan.nodes:
        process = processes.running(node.folder)
        told = [f"running, pid {process.pid}" if process else "stopped"]
        if node.name in places:
            told.append(place_line(node.name, places))
        if node.name in known:
            told.append(f"{known[node.name]} blocks of {plan.channel}")
        lines.append(f"{node.name:28} {node.address:16} {', '.join(told)}")
        if node.name in reasons:
            lines.append(f"  cannot go on: {reasons[node.name]}")
    running = all(processes.running(node.folder) for node in plan.nodes)
    return lines, running and not reasons


def place_line(name: str, places: Mapping[str, Place]) -> str:
    """Say where an orderer is: whom it follows, its term and log; or how far in its topic."""
    place = places[name]
    return _kafka_line(place) if isinstance(place, Kafka) else _raft_line(place, places)


def _kafka_line(place: Kafka) -> str:
    at = f"at offset {place.offset}" if place.offset >= 0 else "before its first message"
    return f"kafka, {at}" if place.answers else f"kafka, {at}, no broker answers"


def _raft_line(raft: Raft, places: Mapping[str, Place]) -> str:
    members = {one.member: other for other, one in places.items() if isinstance(one, Raft)}
    if raft.leader == raft.member:
        part = "leader"
    elif raft.leader:
        leader = members.get(raft.leader, f"consenter {raft.leader}")
        part = f"follows {leader.partition('.')[0]}"
    else:
        part = "no leader"
    return f"{part}, term {raft.term}, log {raft.last_index}"
