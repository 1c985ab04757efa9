# SPDX-License-Identifier: Apache-2.0
"""How long nothing is ordered after the leader of a Raft cluster ends, is killed, or suspended.

::

    python benches/failover.py [--orderers 3] [--times 10]

A network of its own is brought up in a temporary folder. Each time the leader is ended, or
suspended, and a transaction is sent every 20 ms: what is told are the milliseconds until a peer has
committed one of them. Then the leader comes back.
"""

import argparse
import asyncio
import os
import signal
import statistics
import tempfile
import time
from pathlib import Path

from fastledger.client.endorsement import transaction
from fastledger.client.peer import FilteredBlocks
from fastledger.network import lifetime, processes
from fastledger.network.consensus import Raft, places_of
from fastledger.network.deployment import language_of
from fastledger.network.plan import Node, Plan
from fastledger.network.session import Session, User
from fastledger.protos.common.common_pb2 import Envelope

SAMPLE = Path(__file__).resolve().parents[1] / "examples" / "chaincode" / "asset_transfer"
PORT_BASE = 29_000
TRANSACTIONS, EVERY_S = 100, 0.02
COME_BACK_S = 60.0
_POLL_S = 0.05


async def leader_of(plan: Plan, running: int) -> Node:
    """Wait until so many orderers name the same leader, at the same place of the log."""
    async with asyncio.timeout(COME_BACK_S):
        while True:
            places = await places_of(plan.all_orderers, plan.channel)
            rafts = {name: one for name, one in places.items() if isinstance(one, Raft)}
            leaders = {raft.leader for raft in rafts.values()}
            level = len({raft.last_index for raft in rafts.values()}) == 1
            if len(rafts) == running and len(leaders) == 1 and level and 0 not in leaders:
                names = {raft.member: name for name, raft in rafts.items()}
                name = names[leaders.pop()]
                return next(node for node in plan.all_orderers if node.name == name)
            await asyncio.sleep(_POLL_S)


async def outage(plan: Plan, key: str, number: signal.Signals) -> float:
    """Return the seconds from the leader's end to the first commit of what was sent after it."""
    leader = await leader_of(plan, plan.orderers)
    process = processes.running(leader.folder)
    assert process is not None
    user = User(plan.organizations[0], "User1")
    async with Session(plan) as session:
        signer, peers = session.signer(user), plan.organizations[0].peers
        made = []
        for place in range(TRANSACTIONS):
            args = [b"CreateAsset", f"{key}-{place}".encode(), b"red", b"1", b"Ann", b"2"]
            made.append(await session.endorse(signer, peers, plan.chaincode, args))
        envelopes = [transaction(endorsement, signer) for endorsement in made]
        stream = await (await session.peer(peers[0])).filtered_blocks(plan.channel, signer)
        sending = asyncio.create_task(send(session, envelopes))
        os.kill(process.pid, number)
        began = time.perf_counter()
        await committed(stream, {endorsement.tx_id for endorsement in made})
        took = time.perf_counter() - began
        sending.cancel()
        stream.cancel()
        if number is signal.SIGSTOP:
            os.kill(process.pid, signal.SIGCONT)
        else:
            while process.alive:
                await asyncio.sleep(_POLL_S)
            await session.until_up(lifetime.start(plan))
    return took


async def send(session: Session, envelopes: list[Envelope]) -> None:
    """Send one envelope after the other, whatever becomes of them."""
    async with asyncio.TaskGroup() as group:
        for envelope in envelopes:
            group.create_task(session.broadcast(envelope))
            await asyncio.sleep(EVERY_S)


async def committed(stream: FilteredBlocks, tx_ids: set[str]) -> None:
    """Return when one of some transactions is in a block."""
    async for block in stream:
        if any(one.txid in tx_ids for one in block.filtered_transactions):
            return


async def run(orderers: int, times: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        plan = Plan(
            folder=Path(folder),
            orgs=1,
            orderers=orderers,
            port_base=PORT_BASE,
            source=str(SAMPLE),
            language=language_of(SAMPLE),
        )
        plan = await lifetime.up(plan, lambda _: None)
        try:
            for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP):
                took = [await outage(plan, f"{number.name}-{n}", number) for n in range(times)]
                shown = " ".join(f"{1000 * seconds:.0f}" for seconds in took)
                median = 1000 * statistics.median(took)
                print(f"{number.name}: median {median:.0f} ms of {shown}")
        finally:
            lifetime.down(plan)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orderers", type=int, default=3)
    parser.add_argument("--times", type=int, default=10)
    chosen = parser.parse_args()
    asyncio.run(run(chosen.orderers, chosen.times))
