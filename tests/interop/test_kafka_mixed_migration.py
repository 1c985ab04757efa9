# SPDX-License-Identifier: Apache-2.0
"""A network of Fabric's orderers and ours on Kafka, with a system channel, that goes to Raft.

In the steps of Fabric's documentation: maintenance of all channels, the other kind of consensus, a
restart without brokers, and out of maintenance.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from fastledger.protos.common.configtx_pb2 import Config
from fastledger.protos.orderer.configuration_pb2 import ConsensusType
from fastledger.protoutil.blocks import last_config_index
from fastledger.protoutil.hashes import header_hash
from kafka_broker import Broker
from migration import MAINTENANCE, NORMAL, raft_of
from mixed_cluster import PATIENCE_S, STORIES_TAKE_AT_MOST_S
from old_cluster import OldCluster
from real_nodes import Nodes, plan_of
from system_channel import SYSTEM, begin_with_system_channel
from waiting import until

VERSION = "v2.5.15"
KAFKA = {
    "ORDERER_KAFKA_TOPIC_REPLICATIONFACTOR": "1",
    "ORDERER_KAFKA_RETRY_SHORTINTERVAL": "500ms",
}


def of_consensus(**fields: str | int | bytes) -> Callable[[Config], None]:
    """Change what a configuration says of consensus."""

    def write(config: Config) -> None:
        value = config.channel_group.groups["Orderer"].values["ConsensusType"]
        kind = ConsensusType.FromString(value.value)
        for field, content in fields.items():
            setattr(kind, field, content)
        value.value = kind.SerializeToString()

    return write


class Story:
    """Three orderers of a system channel and of the channel that it makes."""

    def __init__(self, folder: Path, real: Sequence[int], broker: Broker) -> None:
        plan = plan_of(folder, orgs=1, orderers=3)
        for node in plan.all_orderers:
            with (node.folder / "env").open("a", encoding="utf-8") as file:
                file.writelines(f"{name}={it}\n" for name, it in KAFKA.items())
        self.nodes = Nodes(plan, {plan.all_orderers[index].name for index in real}, VERSION)
        self.broker = broker
        self.channel = OldCluster(self.nodes)
        self.channels = [OldCluster(self.nodes, channel_id=SYSTEM), self.channel]
        for one in self.channels:
            # Others are given no blocks in maintenance.
            one.client = one.admins[0]
        self.orderers = self.channel.members
        self.creation = begin_with_system_channel(
            plan, self.channel.admins[1], brokers=[broker.address]
        )

    async def told(self) -> None:
        await self.channel.created(self.orderers[0], self.creation)
        await self.ordered(b"by kafka")
        await self.configured(state=MAINTENANCE)
        for node in self.orderers:
            reason = await self.channel.hand(node, self.channel.message(b"meanwhile"))
            assert "maintenance mode" in reason, reason
        raft = raft_of(self.channel.plan)
        await self.configured(type="etcdraft", metadata=raft)
        await asyncio.to_thread(self.nodes.stop)
        self.broker.kill()
        await asyncio.to_thread(self.start)
        for channel in self.channels:
            await channel.leader()
        await self.configured(state=NORMAL)
        await self.ordered(b"by raft")
        leader = await self.channel.leader()
        self.nodes.kill(leader)
        others = [node for node in self.orderers if node is not leader]
        await self.channel.order(b"another leader", *others)
        await asyncio.to_thread(self.nodes.start, leader.name)
        await self.channel.order(b"it is back", leader)
        for channel in self.channels:
            await asyncio.to_thread(channel.level)

    def start(self) -> None:
        self.nodes.start(*(node.name for node in self.orderers))

    async def ordered(self, when: bytes) -> None:
        for node in self.orderers:
            await self.channel.order(when + b" at " + node.name.encode(), node)

    async def configured(self, **fields: str | int | bytes) -> None:
        """Change all channels, the system channel first, and see that every orderer knows it."""
        for channel in self.channels:
            await channel.configure(self.orderers[0], of_consensus(**fields))
            number = last_config_index((await channel.delivered(self.orderers[0])).blocks[-1])
            for node in self.orderers:

                async def has_it(channel=channel, node=node, number=number) -> bool:  # type: ignore[no-untyped-def]
                    return len((await channel.delivered(node)).blocks) > number

                await until(has_it, PATIENCE_S)


@pytest.mark.timeout(STORIES_TAKE_AT_MOST_S)
@pytest.mark.parametrize(
    "real",
    [pytest.param([0, 1], id="two real"), pytest.param([2], id="one real", marks=pytest.mark.slow)],
)
def test_from_kafka_to_raft(tmp_path: Path, real: Sequence[int]) -> None:
    broker = Broker(tmp_path / "broker")
    broker.start()
    try:
        story = Story(tmp_path / "network", real, broker)
        try:
            story.start()
            asyncio.run(story.told())
            names = story.channel.check_equal()
            chains = [story.channels[0].stored(node) for node in story.orderers]
        finally:
            story.nodes.stop()
    finally:
        broker.kill()
    for node in story.orderers:
        assert {when + b" at " + node.name.encode() for when in (b"by kafka", b"by raft")} <= names
    hashes = [[header_hash(block.header) for block in chain] for chain in chains]
    assert hashes[0] == hashes[1] == hashes[2]
