# SPDX-License-Identifier: Apache-2.0
"""A Raft cluster of Fabric's orderers and ours, all of whose TLS certificates have ended."""

import asyncio
import datetime as dt
from pathlib import Path

import pytest

from mixed_cluster import PATIENCE_S, STORIES_TAKE_AT_MOST_S
from node_certificates import end, make_authority_old, turn_back_clock
from old_cluster import OldCluster
from raft_network import write_genesis
from real_nodes import Nodes, plan_of
from waiting import until

SHIFT_S = 20 * 24 * 3600
"""For clients, too: an orderer shows them the same certificate."""


@pytest.mark.timeout(STORIES_TAKE_AT_MOST_S)
@pytest.mark.parametrize("version", ["v3.1.5", pytest.param("v2.5.15", marks=pytest.mark.slow)])
def test_certificates_of_all_have_ended(tmp_path: Path, version: str) -> None:
    plan = plan_of(tmp_path, orgs=1, orderers=3)
    make_authority_old(plan)
    real, *ours = plan.all_orderers
    nodes = Nodes(plan, {real.name}, version)
    cluster = OldCluster(nodes)

    async def ordered(when: bytes) -> None:
        for node in cluster.members:
            await cluster.order(when + b" at " + node.name.encode(), node)
        await asyncio.to_thread(cluster.level)

    async def nobody_leads(ended: list[dt.datetime]) -> None:
        for node in ours:
            for number, other in enumerate(plan.all_orderers, 1):
                said = (
                    f"Failed to send StepRequest to {number}, because: no connection to "
                    f"{other.address}: its TLS certificate ended on "
                    f"{ended[number - 1]:%Y-%m-%d %H:%M:%S} +0000 UTC: renew it with the same key"
                )
                if other is not node:
                    await until(lambda n=node, said=said: said in nodes.log(n), PATIENCE_S)
        assert not cluster.leaders()
        for node in cluster.members:
            reason = await cluster.hand(node, cluster.message(b"meanwhile"))
            assert "no Raft leader" in reason, reason

    try:
        nodes.start(*(node.name for node in cluster.members))
        cluster.join(write_genesis(plan))
        asyncio.run(ordered(b"before"))
        nodes.stop()
        ended = [end(plan, node) for node in cluster.members]
        cluster.time_shift_s = SHIFT_S
        nodes.start(*(node.name for node in cluster.members))
        asyncio.run(nobody_leads(ended))
        nodes.stop()
        for node in cluster.members:
            turn_back_clock(node, "TLS")
        nodes.start(*(node.name for node in cluster.members))
        asyncio.run(ordered(b"after"))
        names = cluster.check_equal()
        assert {b"after at " + node.name.encode() for node in cluster.members} <= names
    finally:
        nodes.stop()
