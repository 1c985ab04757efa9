# SPDX-License-Identifier: Apache-2.0
"""Raft clusters of Fabric 1.4's orderers and ours, begun with a system channel that makes another.

The orderers of 2.5 can be among them; those of 3.1 know no system channels.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

import ordering
from fastledger.network.channel import PROFILE
from fastledger.network.plan import Node, Plan
from fastledger.protos.common.common_pb2 import Envelope
from fastledger.protoutil.hashes import header_hash
from fastledger.tools.configtxgen.artifacts import channel_creation, genesis_block
from fastledger.tools.configtxgen.load import load_profile
from mixed_cluster import FALLS, PATIENCE_S, Cluster, Falls
from real_nodes import Nodes, plan_of
from waiting import until

SYSTEM = "systemchannel"
CONSORTIUM = "SampleConsortium"
OLD, NEWER = "v1.4.12", "v2.5.15"
CLUSTERS: dict[str, dict[int, str]] = {
    "two of 1.4.12": {0: OLD, 1: OLD},
    "one of 1.4.12": {2: OLD},
    "three kinds": {0: OLD, 1: NEWER},
}
"""Which of three are real."""


class OldCluster(Cluster):
    """Its heights are measured: who is of 1.4 has nothing to ask about channels."""

    def height(self, node: Node) -> int:
        return (self.measured(node, "consensus_etcdraft_committed_block_number") or 0) + 1


def write_old_profiles(plan: Plan) -> Path:
    """Write a system channel and a channel as 1.4 has them; return the folder."""
    content = yaml.safe_load((plan.state / "configtx.yaml").read_text("utf-8"))
    channel = content["Profiles"][PROFILE]
    application, orderer = channel.pop("Application"), channel["Orderer"]
    channel["Capabilities"], orderer["Capabilities"] = {"V1_4_3": True}, {"V1_4_2": True}
    application["Capabilities"] = {"V1_4_2": True}
    for name in ("LifecycleEndorsement", "Endorsement"):
        del application["Policies"][name]
    for org in application["Organizations"]:
        del org["Policies"]["Endorsement"]
    consortium = {CONSORTIUM: {"Organizations": application["Organizations"]}}
    content["Profiles"] = {
        SYSTEM: channel | {"Consortiums": consortium},
        PROFILE: {
            "Consortium": CONSORTIUM,
            "Policies": channel["Policies"],
            "Capabilities": channel["Capabilities"],
            "Application": application,
        },
    }
    folder = plan.state / "old"
    folder.mkdir()
    (folder / "configtx.yaml").write_text(yaml.safe_dump(content), "utf-8")
    return folder


def begin_with(plan: Plan, genesis: bytes, nodes: Sequence[Node]) -> None:
    """Have nodes begin with a system channel, whatever their versions call that."""
    file = plan.state / "system.block"
    file.write_bytes(genesis)
    more = ("BOOTSTRAPMETHOD=file", f"BOOTSTRAPFILE={file}")
    older = ("GENESISMETHOD=file", f"GENESISFILE={file}")
    for node in nodes:
        with (node.folder / "env").open("a", encoding="utf-8") as env:
            env.writelines(f"ORDERER_GENERAL_{one}\n" for one in (*more, *older))


@pytest.mark.parametrize("versions", CLUSTERS.values(), ids=CLUSTERS)
def test_leaders_of_each_kind_fall(tmp_path: Path, versions: dict[int, str]) -> None:
    plan = plan_of(tmp_path, orgs=1, orderers=3)
    orderers = plan.all_orderers
    real = {orderers[index].name: version for index, version in versions.items()}
    cluster = OldCluster(Nodes(plan, real))
    folder = str(write_old_profiles(plan))
    begin_with(
        plan,
        genesis_block(load_profile(SYSTEM, folder, {}), SYSTEM).SerializeToString(),
        orderers,
    )
    creation = channel_creation(load_profile(PROFILE, folder, {}), plan.channel)
    signed = ordering.signed_update(creation.SerializeToString(), cluster.client)

    async def story() -> Falls:
        async def is_created() -> bool:
            return await cluster.hand(orderers[0], Envelope.FromString(signed)) == ""

        await until(is_created, PATIENCE_S)
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
