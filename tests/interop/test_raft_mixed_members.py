# SPDX-License-Identifier: Apache-2.0
"""Consenters of both kinds come, fall behind, get other certificates and go, led by either kind."""

import asyncio
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

import certificates
from consenters import consenter_of, genesis_with, with_consenters, with_snapshots
from fastledger.network.plan import Node
from fastledger.protos.common.configtx_pb2 import Config
from fastledger.protos.orderer.etcdraft.configuration_pb2 import Consenter
from mixed_cluster import PATIENCE_S, Cluster
from real_nodes import Nodes, plan_of
from waiting import until

INTERVAL_BYTES = 20_000
MESSAGE_BYTES, MESSAGES = 5_000, 20
"""They make several snapshots, so that the log of before is gone."""

REAL = {"ours": (1, 3), "real": (0, 2, 4)}
"""Which of five are real, so that the three that begin are mostly of the kind that leads."""

BY_SNAPSHOT = "Catching up with snapshot taken at block"
"""Both kinds say so."""


class Story:
    """Three consenters of a channel, to whom two come."""

    def __init__(self, folder: Path, kind: str, version: str) -> None:
        plan = plan_of(folder, orgs=1, orderers=5)
        names = {plan.all_orderers[index].name for index in REAL[kind]}
        *self.first, self.fourth, self.fifth = plan.all_orderers
        self.kind = kind
        self.nodes = Nodes(plan, names, version)
        self.cluster = Cluster(self.nodes, self.first)

    async def told(self) -> None:
        for comer in (self.fourth, self.fifth):
            await self.added(comer)
        for kind in REAL:
            await self.caught_up(await self.follower(kind))
        for kind in REAL:
            await self.rotated(await self.follower(kind))
        await self.rotated(await self.leader())
        await self.removed(await self.leader())
        await self.removed(await self.follower({"ours": "real", "real": "ours"}[self.kind]))
        await asyncio.to_thread(self.cluster.level, self.cluster.plan.all_orderers)

    async def leader(self) -> Node:
        return await self.cluster.led_by(self.kind)

    async def follower(self, kind: str) -> Node:
        leader = await self.leader()
        of_kind = (one for one in self.cluster.members if self.cluster.kind(one) == kind)
        return next(one for one in of_kind if one is not leader)

    def consenters(self) -> list[Consenter]:
        return [consenter_of(node) for node in self.cluster.members]

    async def added(self, comer: Node) -> None:
        """What it has missed, the leader's log has no more when it comes."""
        cluster, leader = self.cluster, await self.leader()
        await cluster.reconfigure(leader, *self.consenters(), consenter_of(comer))
        block = (await cluster.config_block(leader)).SerializeToString()
        await cluster.fill(leader, MESSAGE_BYTES, MESSAGES)
        await asyncio.to_thread(self.nodes.start, comer.name)
        await asyncio.to_thread(cluster.join, block, comer)
        cluster.members.append(comer)
        await self.is_there(comer, "added")
        assert BY_SNAPSHOT in self.nodes.log(comer)

    async def caught_up(self, node: Node) -> None:
        leader = await self.leader()
        self.nodes.kill(node)
        said = len(self.nodes.log(node))
        await self.cluster.fill(leader, MESSAGE_BYTES, MESSAGES)
        await asyncio.to_thread(self.nodes.start, node.name)
        await self.is_there(node, "caught up")
        assert BY_SNAPSHOT in self.nodes.log(node)[said:]

    async def rotated(self, node: Node) -> None:
        leader = await self.leader()
        pair = self.another_certificate()
        consenters = self.consenters()
        one = consenters[self.cluster.members.index(node)]
        one.client_tls_cert = one.server_tls_cert = pair.cert
        await self.cluster.reconfigure(leader, *consenters)
        self.nodes.kill(node)
        (node.identity / "tls" / "server.crt").write_bytes(pair.cert)
        (node.identity / "tls" / "server.key").write_bytes(pair.key)
        await asyncio.to_thread(self.nodes.start, node.name)
        await self.is_there(node, "rotated")

    def another_certificate(self) -> certificates.Pair:
        folder = self.cluster.plan.orderer_org / "tlsca"
        [cert] = folder.glob("*.pem")
        key = load_pem_private_key((folder / "priv_sk").read_bytes(), None)
        issuer = x509.load_pem_x509_certificate(cert.read_bytes())
        return certificates.leaf(certificates.Pair(issuer, key))  # type: ignore[arg-type]

    async def removed(self, node: Node) -> None:
        """It follows from now on."""
        cluster = self.cluster
        cluster.members.remove(node)
        asked = cluster.members[0]
        await cluster.reconfigure(asked, *self.consenters())
        await until(lambda: self.standing(node) == ("follower", "active"), PATIENCE_S)
        await cluster.order(b"without it", asked)
        await asyncio.to_thread(cluster.level, [*cluster.members, node])

    async def is_there(self, node: Node, why: str) -> None:
        cluster = self.cluster
        await until(lambda: self.standing(node) == ("consenter", "active"), PATIENCE_S)
        await cluster.order(f"{why} {node.name}".encode(), node)
        await asyncio.to_thread(cluster.level)

    def standing(self, node: Node) -> tuple[object, object]:
        told = self.cluster.told(node)
        return told["consensusRelation"], told["status"]


@pytest.mark.parametrize(
    ("kind", "version"),
    [
        ("ours", "v3.1.5"),
        ("real", "v2.5.15"),
        pytest.param("real", "v3.1.5", marks=pytest.mark.slow),
        pytest.param("ours", "v2.5.15", marks=pytest.mark.slow),
    ],
)
def test_consenters_come_and_go(tmp_path: Path, kind: str, version: str) -> None:
    story = Story(tmp_path, kind, version)

    def write(config: Config) -> None:
        with_consenters(config, story.consenters())
        with_snapshots(config, INTERVAL_BYTES)

    try:
        story.nodes.start(*(node.name for node in story.first))
        story.cluster.join(genesis_with(story.cluster.plan, write))
        asyncio.run(story.told())
        story.cluster.check_equal(*story.cluster.plan.all_orderers)
    finally:
        story.nodes.stop()
