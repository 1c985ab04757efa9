# SPDX-License-Identifier: Apache-2.0
"""System channels of networks that ``fastledger up`` plans: what Fabric 1.4 made channels with."""

from collections.abc import Sequence
from pathlib import Path

import yaml

import ordering
from fastledger.msp import SigningIdentity
from fastledger.network.channel import PROFILES
from fastledger.network.plan import Node, Plan
from fastledger.protos.common.common_pb2 import Block, Envelope
from fastledger.tools.configtxgen.artifacts import channel_creation, genesis_block
from fastledger.tools.configtxgen.load import load_profile

PROFILE = PROFILES["etcdraft"]
SYSTEM = "systemchannel"
CONSORTIUM = "SampleConsortium"


def begin_with_system_channel(
    plan: Plan,
    admin: SigningIdentity,
    count: int = 0,
    snapshots: str = "",
    brokers: Sequence[str] = (),
) -> Envelope:
    """Have orderers begin with a system channel; return the request for the plan's channel.

    Args:
        plan: The network.
        admin: Who asks for the channel.
        count: So many orderers, the first ones; without it all.
        snapshots: How many bytes lie between those of raft, as configtx.yaml says it; each block
            holds one message then.
        brokers: Where Kafka orders; without any, raft does.
    """
    members = plan.all_orderers[: count or None]
    folder = str(_write_profiles(plan, len(members), snapshots, brokers))
    genesis = genesis_block(load_profile(SYSTEM, folder, {}), SYSTEM)
    begin_with(plan, genesis.SerializeToString(), members)
    creation = channel_creation(load_profile(PROFILE, folder, {}), plan.channel)
    return Envelope.FromString(ordering.signed_update(creation.SerializeToString(), admin))


def _write_profiles(plan: Plan, count: int, snapshots: str, brokers: Sequence[str]) -> Path:
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
    raft = orderer["EtcdRaft"]
    del raft["Consenters"][count:], orderer["Addresses"][count:]
    for org in orderer["Organizations"]:
        del org["OrdererEndpoints"][count:]
    if snapshots:
        raft["Options"]["SnapshotIntervalSize"] = snapshots
        orderer["BatchSize"]["MaxMessageCount"] = 1
    if brokers:
        orderer["OrdererType"], orderer["Kafka"] = "kafka", {"Brokers": list(brokers)}
        del orderer["EtcdRaft"]
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


def begin_with(plan: Plan, block: bytes, nodes: Sequence[Node]) -> None:
    """Have nodes begin with a block of a system channel, whatever their versions call that."""
    file = plan.state / f"system{Block.FromString(block).header.number}.block"
    file.write_bytes(block)
    more = ("BOOTSTRAPMETHOD=file", f"BOOTSTRAPFILE={file}")
    older = ("GENESISMETHOD=file", f"GENESISFILE={file}")
    for node in nodes:
        with (node.folder / "env").open("a", encoding="utf-8") as env:
            env.writelines(f"ORDERER_GENERAL_{one}\n" for one in (*more, *older))
