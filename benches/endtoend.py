# SPDX-License-Identifier: Apache-2.0
"""A network from end to end, all of its nodes Fabric's or all of them ours, under the same load.

Both get the same channel configuration, TLS, chaincode process (asset-transfer in Python, as a
service that both peers dial) and client program: one process with so many clients, which ask one
peer, or have both endorse, submit, and wait until both have committed.
"""

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles

import uvloop
from network import Clients, Load, under_load

from deployed import Definition, define, install, join, service, service_package
from fastledger.chaincode import package as packages
from fastledger.network.plan import Plan
from fastledger.network.session import Session
from fastledger.node.process import collect_seldom
from fastledger.tools.configtxgen.artifacts import genesis_block
from fastledger.tools.configtxgen.load import load_profile
from real_nodes import free_ports, plan_of, running

CHAINCODE = Path(__file__).parents[1] / "examples" / "chaincode" / "asset_transfer"
ACTS = ("query", "submit")
FABRIC_WARMS_UP_S = 3.0
"""A raft orderer of Fabric's elects itself, and its peers dial it."""


@dataclass(frozen=True)
class Figures:
    """What one number of clients came to."""

    act: str
    clients: int
    per_second: float
    p50_ms: float
    p99_ms: float
    failed: int
    cpu_ms: dict[str, float] = field(default_factory=dict)
    """Processor time for each success, by process."""

    memory_mb: dict[str, float] = field(default_factory=dict)

    @property
    def servers_cpu_ms(self) -> float:
        """Processor time of the nodes for each success: neither clients' nor chaincode's."""
        return sum(ms for name, ms in self.cpu_ms.items() if name not in ("clients", "chaincodes"))

    @classmethod
    def of(cls, act: str, load: Load) -> "Figures":
        """Sum a load up."""
        done = len(load.latencies)
        if done < 2:
            raise SystemExit(f"{load.clients} clients came to {done} successes ({act})")
        cuts = quantiles(load.latencies, n=100, method="inclusive")
        cpu_ms = {name: 1e3 * spent / done for name, spent in load.cpu_s.items()}
        rate = done / load.seconds
        return cls(
            act,
            load.clients,
            rate,
            1e3 * cuts[49],
            1e3 * cuts[98],
            load.failed,
            cpu_ms,
            load.memory_mb,
        )


def measure(kind: str, folder: Path, counts: list[int], seconds: float) -> list[Figures]:
    """Bring a network up, put it under each load, and take it down."""
    plan = plan_of(folder, chaincode="basic")
    # Fabric's orderer wants a raft profile; ours runs it alone.
    profile = load_profile("ChannelUsingRaft", str(plan.state), {})
    plan.genesis_block.write_bytes(genesis_block(profile, plan.channel).SerializeToString())
    real = {node.name for node in plan.nodes} if kind == "fabric" else set()
    with running(plan, real):
        if real:
            time.sleep(FABRIC_WARMS_UP_S)
        return uvloop.run(_loads(plan, counts, seconds))


async def _loads(plan: Plan, counts: list[int], seconds: float) -> list[Figures]:
    address = f"127.0.0.1:{free_ports(1)}"
    content = service_package(address, "basic_1.0")
    package_id = packages.package_id("basic_1.0", content)
    found = []
    with service(package_id, address, CHAINCODE) as process:
        async with Session(plan) as session:
            await join(session)
            await install(session, content)
            await define(session, Definition(1, package_id, name="basic"))
            clients = await Clients.connect(session)
            async with asyncio.TaskGroup() as group:
                waiting = group.create_task(clients.watch_commits())
                await clients.following()
                await clients.submit([b"InitLedger"])
                # It is the nodes that are measured, not pauses of the clients' own.
                collect_seldom()
                for act in ACTS:
                    do = clients.query if act == "query" else clients.invoke
                    for count in counts:
                        load = await under_load(plan, do, count, seconds, [process.pid])
                        found.append(Figures.of(act, load))
                waiting.cancel()
    return found
