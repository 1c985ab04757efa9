# SPDX-License-Identifier: Apache-2.0
"""What becomes of consenters of both kinds: they come, fall behind, get other certificates, go."""

import asyncio

from consenters import consenter_of
from fastledger.network.plan import Node
from fastledger.protos.orderer.etcdraft.configuration_pb2 import Consenter
from mixed_cluster import PATIENCE_S, Cluster
from node_certificates import another, give
from waiting import until

INTERVAL_BYTES = 20_000
MESSAGE_BYTES, MESSAGES = 5_000, 20
"""They make several snapshots, so that the log of before is gone, but for 4 entries."""

OTHER = {"ours": "real", "real": "ours"}

BY_SNAPSHOT = "Catching up with snapshot taken at block"
"""Both kinds say so."""


class Story:
    """A cluster whose leaders are of one kind."""

    messages = MESSAGES
    """What one misses."""

    def __init__(self, cluster: Cluster, kind: str) -> None:
        self.cluster = cluster
        self.nodes = cluster.nodes
        self.kind = kind

    async def leader(self) -> Node:
        return await self.cluster.led_by(self.kind)

    async def follower(self, kind: str) -> Node:
        leader = await self.leader()
        of_kind = (one for one in self.cluster.members if self.cluster.kind(one) == kind)
        return next(one for one in of_kind if one is not leader)

    def consenters(self) -> list[Consenter]:
        return [consenter_of(node) for node in self.cluster.members]

    async def reconfigured(self, node: Node, *consenters: Consenter) -> None:
        await self.cluster.reconfigure(node, *consenters)

    async def begin(self, comer: Node, config_block: bytes) -> None:
        """Have one take part that was added by a configuration."""
        await asyncio.to_thread(self.nodes.start, comer.name)
        await asyncio.to_thread(self.cluster.join, config_block, comer)

    async def added(self, comer: Node) -> None:
        """What it has missed, the leader's log has no more when it comes."""
        cluster, leader = self.cluster, await self.leader()
        await self.reconfigured(leader, *self.consenters(), consenter_of(comer))
        block = (await cluster.config_block()).SerializeToString()
        await cluster.fill(leader, MESSAGE_BYTES, self.messages)
        await self.begin(comer, block)
        cluster.members.append(comer)
        await self.is_there(comer, "added")

    async def caught_up(self, node: Node) -> None:
        """Have one catch up by a snapshot of the leader."""
        leader = await self.leader()
        self.nodes.kill(node)
        said = len(self.nodes.log(node))
        await self.cluster.fill(leader, MESSAGE_BYTES, self.messages)
        await asyncio.to_thread(self.nodes.start, node.name)
        await self.is_there(node, "caught up")
        assert BY_SNAPSHOT in self.nodes.log(node)[said:]

    async def rotated(self, node: Node) -> None:
        """Give one another certificate, of another key."""
        leader = await self.leader()
        pair = another(self.cluster.plan)
        consenters = self.consenters()
        one = consenters[self.cluster.members.index(node)]
        one.client_tls_cert = one.server_tls_cert = pair.cert
        await self.reconfigured(leader, *consenters)
        self.nodes.kill(node)
        give(node, pair)
        await asyncio.to_thread(self.nodes.start, node.name)
        await self.is_there(node, "rotated")

    async def removed(self, node: Node) -> None:
        """It takes no part from now on."""
        cluster = self.cluster
        cluster.members.remove(node)
        asked = cluster.members[0]
        await cluster.reconfigure(asked, *self.consenters())
        await self.is_out(node)
        await cluster.order(b"without it", asked)
        await self.is_behind_none(node)

    async def is_out(self, node: Node) -> None:
        """Wait until one that was removed knows it."""
        await until(lambda: self.standing(node) == ("follower", "active"), PATIENCE_S)

    async def is_behind_none(self, node: Node) -> None:
        """One that was removed follows."""
        await asyncio.to_thread(self.cluster.level, [*self.cluster.members, node])

    async def is_there(self, node: Node, why: str) -> None:
        """Wait until one takes part."""
        cluster = self.cluster
        await until(lambda: self.standing(node) == ("consenter", "active"), PATIENCE_S)
        await cluster.order(f"{why} {node.name}".encode(), node)
        await asyncio.to_thread(cluster.level)

    def standing(self, node: Node) -> tuple[object, object]:
        """What a node says it is."""
        told = self.cluster.told(node)
        return told["consensusRelation"], told["status"]
