# SPDX-License-Identifier: Apache-2.0
"""Raft clusters of Fabric 1.4's orderers and ours, begun with a system channel that makes another.

The orderers of 2.5 can be among them; those of 3.1 know no system channels.
"""

import asyncio
from pathlib import Path

import pytest

from fastledger.protoutil.hashes import header_hash
from mixed_cluster import FALLS, FALLS_TAKE_AT_MOST_S, Falls
from old_cluster import OldCluster
from real_nodes import Nodes, plan_of
from system_channel import SYSTEM, begin_with_system_channel

OLD, NEWER = "v1.4.12", "v2.5.15"
CLUSTERS: dict[str, dict[int, str]] = {
    "two of 1.4.12": {0: OLD, 1: OLD},
    "one of 1.4.12": {2: OLD},
    "three kinds": {0: OLD, 1: NEWER},
}
"""Which of three are real."""


@pytest.mark.timeout(FALLS_TAKE_AT_MOST_S)
@pytest.mark.parametrize("versions", CLUSTERS.values(), ids=CLUSTERS)
def test_leaders_of_each_kind_fall(tmp_path: Path, versions: dict[int, str]) -> None:
    plan = plan_of(tmp_path, orgs=1, orderers=3)
    orderers = plan.all_orderers
    real = {orderers[index].name: version for index, version in versions.items()}
    cluster = OldCluster(Nodes(plan, real))
    creation = begin_with_system_channel(plan, cluster.client)

    async def story() -> Falls:
        await cluster.created(orderers[0], creation)
        for index, node in enumerate(orderers):
            await cluster.order(b"at %d" % index, node)
        return await cluster.leaders_fall(FALLS)

    try:
        cluster.nodes.start(*(node.name for node in orderers))
        cluster.check_falls(asyncio.run(story()))
        chains = [cluster.stored(node, SYSTEM) for node in orderers]
    finally:
        cluster.nodes.stop()
    hashes = [[header_hash(block.header) for block in chain] for chain in chains]
    assert hashes[0] == hashes[1] == hashes[2]
    assert len(hashes[0]) == 2
