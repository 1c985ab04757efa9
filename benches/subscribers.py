# SPDX-License-Identifier: Apache-2.0
"""What subscribers cost: a network under load with and without many clients that follow its blocks.

Brings up `fastledger up`'s network and has clients invoke all the time, in turns without and with
subscribers of one peer: half follow whole blocks, half filtered ones, each on a connection of its
own. A process beside the nodes reads for all of them, and does nothing with what it reads; its CPU
is told apart. On few cores it slows the nodes down all the same, so the peer's CPU for each
transaction is what compares best.

    python benches/subscribers.py [--subscribers N] [--clients N] [--seconds N] [--rounds N]
                                  [--batch-timeout 5ms] [--port-base N]
"""

import argparse
import asyncio
import json
import resource
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import network
from network import Clients, Load, cpu_of_loops, under_load

from fastledger._core import GrpcHub
from fastledger.network.plan import Plan
from fastledger.network.session import Session, User
from fastledger.protoutil.seek import NEWEST, NO_END, seek

METHODS = ("/protos.Deliver/Deliver", "/protos.Deliver/DeliverFiltered")
CLI = (
    "import fastledger.network.channel as channel; channel.BATCH_TIMEOUT = {!r}; "
    "from fastledger.cli.main import main; main()"
)
MAX_MESSAGE_BYTES = 100 << 20
MESSAGE, FINISHED = 1, 5


@dataclass
class Turn:
    """One load, with so many subscribers."""

    load: Load
    loop_cpu_s: dict[str, float]
    blocks: int
    reader: dict[str, float]

    @property
    def rate(self) -> float:
        return len(self.load.latencies) / self.load.seconds

    def cpu_ms(self, node: str) -> float:
        return 1e3 * self.load.cpu_s[node] / len(self.load.latencies)

    def loop_ms(self, node: str) -> float:
        return 1e3 * self.loop_cpu_s[node] / len(self.load.latencies)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what subscribers cost.")
    parser.add_argument("--subscribers", type=int, default=100)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each turn")
    parser.add_argument("--rounds", type=int, default=3, help="turns without and with subscribers")
    parser.add_argument("--batch-timeout", default="5ms", help="of the channel")
    parser.add_argument("--port-base", type=int, default=22000)
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.read:
        read(Plan.load(arguments.read), arguments.subscribers)
        return
    network.FASTLEDGER[1:] = ["-c", CLI.format(arguments.batch_timeout)]
    with tempfile.TemporaryDirectory(prefix="fastledger-bench-") as folder:
        network.run("up", "--dir", folder, "--port-base", str(arguments.port_base))
        try:
            network.run("invoke", "--dir", folder, "InitLedger")
            asyncio.run(measure(Path(folder), arguments))
        finally:
            network.run("down", "--dir", folder)


async def measure(folder: Path, arguments: argparse.Namespace) -> None:
    plan = Plan.load(folder)
    turns: dict[int, list[Turn]] = {0: [], arguments.subscribers: []}
    async with Session(plan) as session:
        clients = await Clients.connect(session)
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(clients.watch_commits())
            await under_load(plan, clients.invoke, arguments.clients, 2.0)
            for _ in range(arguments.rounds):
                for count, found in turns.items():
                    found.append(await turn(plan, clients, count, arguments))
                    print(row(count, found[-1]), flush=True)
            waiting.cancel()
    compare(*turns.values())


async def turn(plan: Plan, clients: Clients, count: int, arguments: argparse.Namespace) -> Turn:
    with subscribed(plan, count) as reader:
        height = await newest(clients)
        before = cpu_of_loops(plan)
        load = await under_load(plan, clients.invoke, arguments.clients, arguments.seconds)
        spent = {node: cpu - before[node] for node, cpu in cpu_of_loops(plan).items()}
        blocks = await newest(clients) - height
    return Turn(load, spent, blocks, reader)


async def newest(clients: Clients) -> int:
    stream = clients.peers[0].blocks(clients.session.plan.channel, clients.signer)
    try:
        return int((await stream.get(NEWEST)).header.number)
    finally:
        stream.close()


@contextmanager
def subscribed(plan: Plan, count: int) -> Iterator[dict[str, float]]:
    """Have another process read for so many; what it says at the end comes into the dictionary."""
    told: dict[str, float] = {}
    if not count:
        yield told
        return
    command = [sys.executable, __file__, "--read", str(plan.folder), "--subscribers", str(count)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        if process.stdout.readline() != b"following\n":
            raise SystemExit("the subscribers could not begin")
        yield told
    finally:
        process.stdin.close()
        told.update(json.loads(process.stdout.readline() or b"{}"))
        process.wait()


def read(plan: Plan, count: int) -> None:
    """Follow blocks until nobody writes to stdin any more; then say what that came to."""
    node = plan.all_peers[0]
    signer = Session(plan).signer(User(plan.organizations[0], "User1"))
    request = seek(NEWEST, NO_END, plan.channel, signer, b"").SerializeToString()
    hub = GrpcHub()
    calls = {}
    channels = []
    for number in range(count):
        channel = hub.channel(
            node.address,
            max_message_bytes=MAX_MESSAGE_BYTES,
            keepalive_s=60,
            keepalive_timeout_s=20,
            max_backoff_s=1,
            roots=node.tls_root.read_bytes(),
        )
        # Messages stay where they came in: nobody looks into them here.
        call, sending = channel.converse(METHODS[number % len(METHODS)], held=True)
        sending.send(request)
        channels.append(channel)
        calls[call] = sending
    begun = set()
    messages = size = 0
    while True:
        ready, _, _ = select.select([hub.fileno(), sys.stdin.fileno()], [], [])
        if sys.stdin.fileno() in ready:
            break
        for call, happened, what in hub.drain():
            if happened == MESSAGE:
                calls[call].consumed(len(what))
                messages += 1
                size += len(what)
                if len(begun) < count:
                    begun.add(call)
                    if len(begun) == count:
                        print("following", flush=True)
            elif happened == FINISHED:
                raise SystemExit(f"a subscriber has lost its stream: {what}")
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = used.ru_utime + used.ru_stime
    print(json.dumps({"messages": messages, "mb": size / 1e6, "cpu_s": cpu_s}), flush=True)


def row(count: int, turn: Turn) -> str:
    cpu = ", ".join(f"{node} {turn.cpu_ms(node):.2f}" for node in turn.load.cpu_s)
    loops = ", ".join(f"{node} {turn.loop_ms(node):.2f}" for node in turn.loop_cpu_s)
    lags = ", ".join(f"{node} {lags}" for node, lags in turn.load.lags.items())
    reader = turn.reader
    read = (
        f"; the reader took {reader['messages']:,.0f} blocks, {reader['mb']:,.0f} MB, "
        f"{reader['cpu_s']:.2f} s CPU"
        if reader
        else ""
    )
    return (
        f"  {count:4} subscribers {turn.rate:8,.1f} tx/s in {turn.blocks} blocks, "
        f"failed {turn.load.failed}{read}\n"
        f"       CPU ms for each transaction: {cpu}\n"
        f"       of it in the event loop: {loops}\n"
        f"       loop lag ms p50/p99/max: {lags}"
    )


def compare(without: list[Turn], with_them: list[Turn]) -> None:
    pairs = list(zip(without, with_them, strict=True))
    rate = median(after.rate / before.rate for before, after in pairs)
    print(f"medians of {len(pairs)} pairs: {rate:.1%} of the transactions per second")
    for node in without[0].load.lags:
        cpu = median(before.cpu_ms(node) / after.cpu_ms(node) for before, after in pairs)
        loop = median(before.loop_ms(node) / after.loop_ms(node) for before, after in pairs)
        lag = [
            median(turn.load.lags[node].quantile_ms(0.99) for turn in turns)
            for turns in (without, with_them)
        ]
        print(
            f"  {node:12} {cpu:.1%} of the transactions for a second of its CPU, "
            f"{loop:.1%} for one of its event loop; "
            f"loop lag p99 {lag[0]:.1f} ms without, {lag[1]:.1f} ms with"
        )


if __name__ == "__main__":
    main()
