# SPDX-License-Identifier: Apache-2.0
"""A running network under load: throughput, latency, CPU and memory of each process.

Brings up `fastledger up`'s network (an orderer, two organizations, TLS) in a folder of its own,
with the asset-transfer sample, and asks it by 1, 16, 64 and 256 clients at once. A client queries
one peer, or has two peers endorse, submits, and waits until both have committed. The clients are
one process beside the nodes, and use the same cores. The loop's lag is how late a node's event loop
comes to what is due: whatever a node answers waits so long.

    python benches/network.py [--clients 1,16,64,256] [--seconds N] [--port-base N]
"""

import argparse
import asyncio
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

from lag import Lags

from fastledger.client.endorsement import endorse, invocation, transaction
from fastledger.client.orderer import Orderer
from fastledger.client.peer import Peer
from fastledger.msp import SigningIdentity
from fastledger.network.plan import Node, Plan
from fastledger.network.session import Session, User

FASTLEDGER = [sys.executable, "-m", "fastledger"]
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass
class Load:
    """What one number of clients came to."""

    clients: int
    seconds: float
    latencies: list[float]
    failed: int
    cpu_s: dict[str, float]
    memory_mb: dict[str, float]
    lags: dict[str, Lags]

    def cpu_ms(self) -> float:
        """CPU milliseconds of all processes for each success."""
        return 1e3 * sum(self.cpu_s.values()) / len(self.latencies)

    def row(self) -> str:
        rate = len(self.latencies) / self.seconds
        cuts = quantiles(self.latencies, n=100, method="inclusive")
        cpu = ", ".join(
            f"{name} {1e3 * s / len(self.latencies):.2f}" for name, s in self.cpu_s.items()
        )
        memory = ", ".join(f"{name} {mb:.0f}" for name, mb in self.memory_mb.items())
        late = ", ".join(f"{name} {lags}" for name, lags in self.lags.items())
        return (
            f"  {self.clients:4} clients {rate:9,.1f}/s   p50 {1e3 * cuts[49]:7.1f} ms   "
            f"p99 {1e3 * cuts[98]:7.1f} ms   failed {self.failed}\n"
            f"       CPU ms each: {cpu}; sum {self.cpu_ms():.2f}\n"
            f"       loop's lag p50/p99/max ms: {late}\n"
            f"       memory MB: {memory}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="Put a network under load.")
    parser.add_argument("--clients", default="1,16,64,256")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each load")
    parser.add_argument("--port-base", type=int, default=21000)
    arguments = parser.parse_args()
    counts = [int(count) for count in arguments.clients.split(",")]
    with tempfile.TemporaryDirectory(prefix="fastledger-bench-") as folder:
        start = time.perf_counter()
        run("up", "--dir", folder, "--port-base", str(arguments.port_base))
        run("invoke", "--dir", folder, "InitLedger")
        print(f"cold start to the first committed transaction: {time.perf_counter() - start:.2f} s")
        try:
            asyncio.run(measure(Path(folder), counts, arguments.seconds))
        finally:
            run("down", "--dir", folder)


def run(*arguments: str) -> None:
    done = subprocess.run([*FASTLEDGER, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"fastledger {' '.join(arguments)}:\n{done.stdout}{done.stderr}")


async def measure(folder: Path, counts: list[int], seconds: float) -> None:
    plan = Plan.load(folder)
    async with Session(plan) as session:
        clients = await Clients.connect(session)
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(clients.watch_commits())
            await clients.following()
            for name, act in (("query", clients.query), ("invoke", clients.invoke)):
                print(f"\n{name}")
                for count in counts:
                    print((await under_load(plan, act, count, seconds)).row(), flush=True)
            waiting.cancel()


async def under_load(
    plan: Plan,
    act: Callable[[int], Awaitable[None]],
    count: int,
    seconds: float,
    services: Sequence[int] = (),
) -> Load:
    """Have so many clients act for so long; chaincodes that are no node's children are named."""
    latencies: list[float] = []
    failed = 0
    before, lags_before = cpu_by_process(plan, services), lag_by_node(plan)
    start = time.perf_counter()

    async def client(number: int) -> None:
        nonlocal failed
        turn = number
        while time.perf_counter() - start < seconds:
            begun = time.perf_counter()
            try:
                await act(turn)
            except Exception as error:  # noqa: BLE001 - counted, and the first one shown
                if not failed:
                    print(f"    {type(error).__name__}: {error}")
                failed += 1
            else:
                latencies.append(time.perf_counter() - begun)
            turn += count

    await asyncio.gather(*(client(number) for number in range(count)))
    elapsed = time.perf_counter() - start
    after = cpu_by_process(plan, services)
    spent = {name: after[name] - before.get(name, 0.0) for name in after}
    lags = {name: lag.since(lags_before[name]) for name, lag in lag_by_node(plan).items()}
    memory = memory_by_process(plan, services)
    return Load(count, elapsed, latencies, failed, spent, memory, lags)


class Clients:
    """Many clients in one process: connections are shared, as an application server does."""

    def __init__(
        self, session: Session, peers: list[Peer], signer: SigningIdentity, orderer: Orderer
    ) -> None:
        self.session = session
        self.peers = peers
        self.signer = signer
        self.orderer = orderer
        self.committed: list[dict[str, asyncio.Future[int]]] = [{} for _ in peers]
        self._following = asyncio.Semaphore(0)
        self.assets = itertools.count(time.time_ns())

    @classmethod
    async def connect(cls, session: Session) -> "Clients":
        plan = session.plan
        signer = session.signer(User(plan.organizations[0], "User1"))
        peers = await session.peers(plan.all_peers)
        return cls(session, peers, signer, await session.orderer())

    async def watch_commits(self) -> None:
        channel = self.session.plan.channel

        async def watch(peer: Peer, waiting: dict[str, asyncio.Future[int]]) -> None:
            stream = await peer.filtered_blocks(channel, self.signer)
            self._following.release()
            async for block in stream:
                for tx in block.filtered_transactions:
                    future = waiting.pop(tx.txid, None)
                    if future and not future.done():
                        future.set_result(tx.tx_validation_code)

        await asyncio.gather(*map(watch, self.peers, self.committed))

    async def following(self) -> None:
        """Wait until commits are being watched at every peer."""
        for _ in self.peers:
            await self._following.acquire()

    async def query(self, turn: int) -> None:
        peer = self.peers[turn % len(self.peers)]
        spec = invocation("basic", [b"ReadAsset", b"asset1"])
        answer = await endorse([peer], self.signer, self.session.plan.channel, spec)
        if answer.responses[0].response.status != 200:
            raise RuntimeError(answer.responses[0].response.message)

    async def invoke(self, _turn: int) -> None:
        asset = str(next(self.assets)).encode()
        await self.submit([b"CreateAsset", asset, b"blue", b"5", b"Tomoko", b"300"])

    async def submit(self, arguments: list[bytes]) -> None:
        """Have both peers endorse, submit, and wait until both have committed."""
        spec = invocation("basic", arguments)
        endorsement = await endorse(self.peers, self.signer, self.session.plan.channel, spec)
        envelope = transaction(endorsement, self.signer)
        loop = asyncio.get_running_loop()
        commits = [
            waiting.setdefault(endorsement.tx_id, loop.create_future())
            for waiting in self.committed
        ]
        await self.orderer.broadcast(envelope)
        codes = await asyncio.wait_for(asyncio.gather(*commits), 60)
        if any(codes):
            raise RuntimeError(f"validation codes {codes}")


def processes(plan: Plan, services: Sequence[int] = ()) -> dict[str, list[int]]:
    """Process ids by role: nodes by their pid files, chaincodes as their descendants or named."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        parents[int(stat.parent.name)] = int(text.rpartition(")")[2].split()[1])

    def descendants(pid: int) -> list[int]:
        found = [child for child, parent in parents.items() if parent == pid]
        return found + [grandchild for child in found for grandchild in descendants(child)]

    found: dict[str, list[int]] = {"clients": [os.getpid()]}
    chaincodes = list(services)
    for node in plan.nodes:
        pid = int(json.loads((node.folder / "pid").read_text())["pid"])
        found[short(node)] = [pid]
        chaincodes += descendants(pid)
    found["chaincodes"] = chaincodes
    return found


def lag_by_node(plan: Plan) -> dict[str, Lags]:
    """How late each node's event loop was so far."""
    return {short(node): Lags.of(node) for node in plan.nodes}


def short(node: Node) -> str:
    return node.name.partition(".example")[0]


def cpu_by_process(plan: Plan, services: Sequence[int] = ()) -> dict[str, float]:
    """CPU seconds of each role so far."""

    def seconds(pid: int) -> float:
        return cpu_s(Path(f"/proc/{pid}/stat"))

    return {name: sum(map(seconds, pids)) for name, pids in processes(plan, services).items()}


def cpu_of_loops(plan: Plan) -> dict[str, float]:
    """CPU seconds of each node's event loop so far, which is its process' first thread."""
    return {
        name: cpu_s(Path(f"/proc/{pids[0]}/task/{pids[0]}/stat"))
        for name, pids in processes(plan).items()
        if name not in ("clients", "chaincodes")
    }


def cpu_s(stat: Path) -> float:
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def memory_by_process(plan: Plan, services: Sequence[int] = ()) -> dict[str, float]:
    """Resident megabytes of each role."""
    page = os.sysconf("SC_PAGE_SIZE") / 1e6

    def megabytes(pid: int) -> float:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page

    return {name: sum(map(megabytes, pids)) for name, pids in processes(plan, services).items()}


if __name__ == "__main__":
    main()
