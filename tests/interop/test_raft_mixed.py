# SPDX-License-Identifier: Apache-2.0
"""Raft clusters of Fabric's orderers and ours, whose leaders are killed and suspended under load.

Each falls while all nodes are sent messages: 6 leaders, and with FASTLEDGER_SLOW=1 20.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from mixed_cluster import FALLS, FALLS_TAKE_AT_MOST_S, Cluster, Falls
from raft_network import write_genesis
from real_nodes import Nodes, plan_of

OLD, NEW = "v2.5.15", "v3.1.5"
CLUSTERS: dict[str, tuple[int, dict[int, str]]] = {
    "two of 3.1.5": (3, {0: NEW, 1: NEW}),
    "one of 3.1.5": (3, {2: NEW}),
    "two of 2.5.15": (3, {0: OLD, 1: OLD}),
    "one of 2.5.15": (3, {2: OLD}),
    "five of three kinds": (5, {0: NEW, 1: OLD, 3: NEW}),
}
"""How many there are, and which of them are real."""


def cluster_of(folder: Path, count: int, versions: Mapping[int, str]) -> Cluster:
    plan = plan_of(folder, orgs=1, orderers=count)
    real = {plan.all_orderers[index].name: version for index, version in versions.items()}
    return Cluster(Nodes(plan, real))


@pytest.mark.timeout(FALLS_TAKE_AT_MOST_S)
@pytest.mark.parametrize(("count", "versions"), CLUSTERS.values(), ids=CLUSTERS)
def test_leaders_of_each_kind_fall(tmp_path: Path, count: int, versions: dict[int, str]) -> None:
    cluster = cluster_of(tmp_path, count, versions)

    async def story() -> Falls:
        for index, node in enumerate(cluster.members):
            await cluster.order(b"at %d" % index, node)
        return await cluster.leaders_fall(FALLS)

    try:
        cluster.nodes.start(*(node.name for node in cluster.members))
        cluster.join(write_genesis(cluster.plan))
        cluster.check_falls(asyncio.run(story()))
    finally:
        cluster.nodes.stop()
