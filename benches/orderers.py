# SPDX-License-Identifier: Apache-2.0
"""Ordering, ours beside real Fabric's etcdraft, in turns on the same machine.

Clusters of orderers are brought up, TLS on, each orderer a process with its own disk folder, and
each block and each entry of the log synced by both. Clients, one process and the same for both,
send to all orderers in equal shares; each waits until its message has come back by Deliver from the
orderer that took it. What is told are messages ordered in a second, and in a second of processor
time of all orderers together; the time from Broadcast to Deliver; and for how long nothing is
ordered after the leader is killed.

    python benches/orderers.py [--rounds N] [--orderers 1,3,5] [--sizes 1024,4096]
                               [--delays 0,1,10] [--clients N] [--block N] [--seconds N]
                               [--no-kills] [--only fabric|fastledger] [--out FOLDER]

Delays, in milliseconds and in each direction, hold between orderers and not to their clients
(`delays.py`).
Sizes are bytes of data, to which headers and signatures add about a kilobyte. Fabric's orderer is
built as for `make interop`; without Go ours is measured alone. `--out` writes ordering.json.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median, quantiles

sys.path.append(str(Path(__file__).parents[1] / "tests"))
sys.path.append(str(Path(__file__).parents[1] / "tests" / "interop"))

import delays
import deliver
import machine
import replay
import uvloop
import yaml
from comparison import FABRIC, OURS
from network import cpu_s
from orderload import Clients, Messages, Window

from fastledger.network import processes
from fastledger.network.channel import PROFILES
from fastledger.network.plan import HOST, Node
from fastledger.node.process import collect_seldom
from fastledger.tools.configtxgen.artifacts import genesis_block
from fastledger.tools.configtxgen.load import load_profile
from fastledger.tools.osnadmin import OsnAdmin
from real_nodes import Nodes, cluster_env, plan_of

BATCH = {"AbsoluteMaxBytes": "10 MB", "PreferredMaxBytes": "2 MB"}
BATCH_TIMEOUT = "100ms"
RAFT = {
    "TickInterval": "500ms",
    "ElectionTick": 10,
    "HeartbeatTick": 1,
    "MaxInflightBlocks": 5,
    "SnapshotIntervalSize": "16 MB",
}
"""Fabric's defaults."""

PROFILE = PROFILES["etcdraft"]
WARM_S = 1.0
_PREPARED_PER_S = 3000


@dataclass
class Figures:
    """What one load came to."""

    per_second: float
    p50_ms: float
    p99_ms: float
    failed: int
    cpu_us: dict[str, float]
    """Processor time for each message ordered, by process."""

    @property
    def orderers_cpu_us(self) -> float:
        """Of all orderers together."""
        return sum(us for name, us in self.cpu_us.items() if name != "clients")

    @staticmethod
    def of(window: Window, spent: dict[str, float]) -> "Figures":
        """Sum a load up."""
        done = len(window.latencies)
        if done < 2:
            raise SystemExit(f"{done} messages were ordered, {window.failed} failed")
        cuts = quantiles(window.latencies, n=100, method="inclusive")
        cpu_us = {name: 1e6 * seconds / done for name, seconds in spent.items()}
        rate = done / window.seconds
        return Figures(rate, 1e3 * cuts[49], 1e3 * cuts[98], window.failed, cpu_us)


@dataclass
class Found:
    """All that was measured, by whose orderers; for each round an entry."""

    machine: dict[str, str]
    without_fabric: str
    """Why Fabric was not measured; empty where it was."""

    settings: dict[str, object]
    cells: dict[str, dict[str, list[Figures]]] = field(default_factory=dict)
    outages_s: dict[str, dict[int, list[float]]] = field(default_factory=dict)


def main() -> None:
    arguments = _arguments()
    no_netem = delays.no_netem()
    with replay.scratch() as name:
        folder = Path(name)
        found = Found(machine.describe(folder), deliver.no_fabric(), _settings(arguments))
        if no_netem and any(arguments.delays):
            found.settings["delays"] = f"by a relay of TCP connections, without netem: {no_netem}"
        print("\n".join(f"{what}: {value}" for what, value in found.machine.items()))
        print("\n".join(f"{what}: {value}" for what, value in found.settings.items()))
        if found.without_fabric:
            print(f"ours alone, without Fabric: {found.without_fabric}")
        kinds = [OURS] if found.without_fabric else [FABRIC, OURS]
        kinds = [kind for kind in kinds if arguments.only in (None, kind)]
        for number in range(arguments.rounds):
            for orderers, milliseconds in _clusters(arguments):
                for kind in kinds:
                    print(f"\n{kind}, {orderers} orderers, round {number + 1}", flush=True)
                    place = Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=folder))
                    cluster = Cluster(
                        kind,
                        orderers,
                        place,
                        milliseconds,
                        messages_a_block=arguments.block,
                        has_netem=not no_netem,
                    )
                    uvloop.run(_measure(found, cluster, arguments))
    print(f"\n{_text(found)}")
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        report = arguments.out / "ordering.json"
        report.write_text(json.dumps(asdict(found), indent=2), "utf-8")
        print(f"\nreport: {report}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure ordering, ours beside Fabric's.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--orderers", type=_integers, default=[1, 3, 5])
    parser.add_argument("--sizes", type=_integers, default=[1024, 4096], help="bytes of data")
    parser.add_argument("--delays", type=_floats, default=[0, 1, 10], help="ms, one way")
    parser.add_argument("--clients", type=int, default=1500)
    parser.add_argument("--block", type=int, default=500, help="messages in a block at most")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each load")
    parser.add_argument("--no-kills", action="store_true", help="leave the leader alive")
    parser.add_argument("--only", choices=(FABRIC, OURS))
    parser.add_argument("--out", type=Path, help="folder for ordering.json")
    return parser.parse_args()


def _integers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _floats(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def _settings(arguments: argparse.Namespace) -> dict[str, object]:
    return {
        "clients": arguments.clients,
        "blocks": BATCH | {"MaxMessageCount": arguments.block, "BatchTimeout": BATCH_TIMEOUT},
        "etcdraft": RAFT,
        "durability": "each orderer syncs each entry of its log and each block, both kinds",
    }


def _clusters(arguments: argparse.Namespace) -> Iterator[tuple[int, list[float]]]:
    """Yield how many orderers there are, and the delays that are set while they run.

    Those without a delay have no relay before them, which would cost time.
    """
    later = [milliseconds for milliseconds in arguments.delays if milliseconds]
    for orderers in arguments.orderers:
        if 0 in arguments.delays:
            yield orderers, [0]
        if later and orderers > 1:
            yield orderers, later


class Cluster:
    """Orderers of one channel, all Fabric's or all ours."""

    def __init__(
        self,
        kind: str,
        orderers: int,
        folder: Path,
        milliseconds: list[float],
        *,
        messages_a_block: int,
        has_netem: bool,
    ) -> None:
        """Make identities, the channel and settings."""
        self._batch_size = BATCH | {"MaxMessageCount": messages_a_block}
        self.kind = kind
        self.milliseconds = milliseconds
        self.plan = plan_of(folder, orgs=1, orderers=orderers)
        self.delays = delays.between(
            self.plan.all_orderers, has_netem=has_netem, any_delay=any(milliseconds)
        )
        self._write_channel()
        for node in self.plan.all_orderers:
            self._add_settings(node)
        names = {node.name for node in self.plan.all_orderers}
        self.nodes = Nodes(self.plan, names if kind == FABRIC else set())

    def start(self) -> None:
        """Start all orderers, and have them join the channel."""
        self.nodes.start(*(node.name for node in self.plan.all_orderers))
        for node in self.plan.all_orderers:
            tls = node.identity / "tls"
            admin = OsnAdmin(
                f"{HOST}:{node.side_port}", tls / "ca.crt", tls / "server.crt", tls / "server.key"
            )
            reply = admin.join(self.plan.genesis_block.read_bytes())
            if reply.status != 201:
                raise SystemExit(f"{node.name} does not join: {reply}")

    def cpu_s(self) -> dict[str, float]:
        """Return the processor seconds of each process so far, the clients' among them."""
        found = {"clients": sum(os.times()[:2])}
        for node in self.plan.all_orderers:
            process = processes.running(node.folder)
            if process is None:
                raise SystemExit(f"{node.name} has ended:\n{self.nodes.log(node)[-3000:]}")
            found[node.name.partition(".")[0]] = cpu_s(Path(f"/proc/{process.pid}/stat"))
        return found

    async def leader(self) -> Node:
        """Return who says that it leads."""
        mine = f'consensus_etcdraft_is_leader{{channel="{self.plan.channel}"}} 1'
        while True:
            for node in self.plan.all_orderers:
                url = f"http://{HOST}:{node.operations_port}/metrics"
                with urllib.request.urlopen(url, timeout=10) as answer:
                    if mine in answer.read().decode():
                        return node
            await asyncio.sleep(0.1)

    def _write_channel(self) -> None:
        plan = self.plan
        path = plan.state / "configtx.yaml"
        configtx = yaml.safe_load(path.read_text("utf-8"))
        values = configtx["Profiles"][PROFILE]["Orderer"]
        values |= {"BatchTimeout": BATCH_TIMEOUT, "BatchSize": self._batch_size}
        values["EtcdRaft"]["Options"] = RAFT
        for consenter in values["EtcdRaft"]["Consenters"]:
            consenter["Port"] += self.delays.port_offset
        path.write_text(yaml.safe_dump(configtx), "utf-8")
        profile = load_profile(PROFILE, str(plan.state), {})
        plan.genesis_block.write_bytes(genesis_block(profile, plan.channel).SerializeToString())

    def _add_settings(self, node: Node) -> None:
        """Have other orderers served at a port of its own."""
        tls = node.identity / "tls"
        env = cluster_env(node) | {
            "ORDERER_GENERAL_CLUSTER_LISTENADDRESS": HOST,
            "ORDERER_GENERAL_CLUSTER_LISTENPORT": str(node.port + delays.LISTENING),
            "ORDERER_GENERAL_CLUSTER_SERVERCERTIFICATE": str(tls / "server.crt"),
            "ORDERER_GENERAL_CLUSTER_SERVERPRIVATEKEY": str(tls / "server.key"),
            "ORDERER_GENERAL_CLUSTER_ROOTCAS": f"[{tls / 'ca.crt'}]",
        }
        with (node.folder / "env").open("a", encoding="utf-8") as file:
            file.writelines(f"{name}={value}\n" for name, value in env.items())


async def _measure(found: Found, cluster: Cluster, arguments: argparse.Namespace) -> None:
    """Put a cluster under each load, and kill its leader."""
    plan = cluster.plan
    messages = Messages(plan)
    clients = Clients(plan, messages)
    with cluster.delays:
        try:
            cluster.start()
            await clients.connect()
            messages.prepare(arguments.sizes[0], 1)
            await clients.first()
            collect_seldom()
            for milliseconds in cluster.milliseconds:
                cluster.delays.set(milliseconds)
                for size in arguments.sizes:
                    cell = f"{plan.orderers} orderers, {size} B, {milliseconds:g} ms"
                    messages.prepare(size, int(_PREPARED_PER_S * (WARM_S + arguments.seconds)))
                    figures = await _load(cluster, clients, arguments)
                    found.cells.setdefault(cell, {}).setdefault(cluster.kind, []).append(figures)
                    print(f"  {cell}: {_line(figures)}", flush=True)
            if plan.orderers > 1 and not any(cluster.milliseconds) and not arguments.no_kills:
                leader = await cluster.leader()
                place = plan.all_orderers.index(leader)
                took = await clients.outage(place, lambda: cluster.nodes.kill(leader))
                outages = found.outages_s.setdefault(cluster.kind, {})
                outages.setdefault(plan.orderers, []).append(took)
                print(f"  leader killed: nothing is ordered for {took:.2f} s", flush=True)
        finally:
            await clients.close()
            cluster.nodes.stop()


async def _load(cluster: Cluster, clients: Clients, arguments: argparse.Namespace) -> Figures:
    before: dict[str, float] = {}
    window = await clients.load(
        arguments.clients, WARM_S, arguments.seconds, lambda: before.update(cluster.cpu_s())
    )
    after = cluster.cpu_s()
    return Figures.of(window, {name: after[name] - before[name] for name in after})


def _line(figures: Figures) -> str:
    cpu = ", ".join(f"{name} {us:.0f}" for name, us in figures.cpu_us.items())
    return (
        f"{figures.per_second:8,.0f}/s   p50 {figures.p50_ms:6.0f} ms   "
        f"p99 {figures.p99_ms:6.0f} ms   failed {figures.failed}   "
        f"CPU us each: {cpu}; orderers {figures.orderers_cpu_us:.0f}"
    )


def _text(found: Found) -> str:
    """Tell the medians, as a table."""
    head = ("cell", "orderers", "per s", "per CPU s", "p50 ms", "p99 ms", "failed")
    head += ("times per s", "times per CPU s", "of p50", "of p99")
    rows = [head]
    for cell, kinds in found.cells.items():
        for kind, rounds in kinds.items():
            row = [cell, kind]
            row.append(f"{median(one.per_second for one in rounds):,.0f}")
            row.append(f"{median(1e6 / one.orderers_cpu_us for one in rounds):,.0f}")
            row.append(f"{median(one.p50_ms for one in rounds):.0f}")
            row.append(f"{median(one.p99_ms for one in rounds):.0f}")
            row.append(str(sum(one.failed for one in rounds)))
            row += _ratios(rounds, kinds[FABRIC]) if kind == OURS and FABRIC in kinds else [""] * 4
            rows.append(tuple(row))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(f"{part:>{width}}" for part, width in zip(row, widths, strict=True))
        for row in rows
    ]
    for kind, by_orderers in found.outages_s.items():
        for orderers, took in by_orderers.items():
            shown = " ".join(f"{seconds:.2f}" for seconds in took)
            lines.append(
                f"{kind}, leader of {orderers} killed: nothing ordered for {median(took):.2f} s "
                f"(median of {shown})"
            )
    return "\n".join(lines)


def _ratios(ours: list[Figures], theirs: list[Figures]) -> list[str]:
    """Tell the medians of the rounds' ratios."""
    pairs = list(zip(ours, theirs, strict=False))
    return [
        f"{median(mine.per_second / other.per_second for mine, other in pairs):.2f}",
        f"{median(other.orderers_cpu_us / mine.orderers_cpu_us for mine, other in pairs):.2f}",
        f"{median(mine.p50_ms / other.p50_ms for mine, other in pairs):.2f}",
        f"{median(mine.p99_ms / other.p99_ms for mine, other in pairs):.2f}",
    ]


if __name__ == "__main__":
    main()
