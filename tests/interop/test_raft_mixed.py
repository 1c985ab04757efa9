# SPDX-License-Identifier: Apache-2.0
"""Raft clusters of real orderers and ours: they elect, order, die and come back together."""

import asyncio
import contextlib
import itertools
import json
import random
from collections import Counter, defaultdict
from pathlib import Path

import pytest

import config_changes as changes
from fastledger.client.orderer import Orderer
from fastledger.client.target import Target
from fastledger.comm import ClientTls
from fastledger.common.errors import FastledgerError
from fastledger.ledger.blockstores import Ledgers
from fastledger.msp import SigningIdentity
from fastledger.network.plan import HOST, Node, Plan
from fastledger.protos.common.common_pb2 import Block, HeaderType
from fastledger.protoutil.envelope import signed_envelope
from fastledger.protoutil.hashes import header_hash
from fastledger.protoutil.seek import NEWEST, specified
from fastledger.tools.osnadmin import OsnAdmin
from raft_network import contents_of, write_genesis
from real_nodes import Nodes, plan_of
from waiting import elapse, until, wait_until

KILLS = 6


class Mixed:
    """Three consenters of one channel, some of them real."""

    def __init__(self, plan: Plan, nodes: Nodes) -> None:
        self.plan = plan
        self.nodes = nodes
        self.sent = itertools.count()
        self.taken: set[bytes] = set()
        self._delivered: defaultdict[str, list[Block]] = defaultdict(list)
        _, self.client = (
            SigningIdentity.load(Path(msp), mspid) for mspid, msp in changes.administrators(plan)
        )

    def admin(self, node: Node) -> OsnAdmin:
        tls = node.identity / "tls"
        address = f"{HOST}:{node.side_port}"
        return OsnAdmin(address, tls / "ca.crt", tls / "server.crt", tls / "server.key")

    def join(self) -> None:
        genesis = write_genesis(self.plan)
        for node in self.plan.all_orderers:
            assert self.admin(node).join(genesis).status == 201

    def height(self, node: Node) -> int:
        body = self.admin(node).channels(self.plan.channel).body
        return int(json.loads(body).get("height", 0))

    async def send(self, node: Node, content: bytes) -> bool:
        """Send a message, once; whether it was taken."""
        envelope = signed_envelope(
            HeaderType.ENDORSER_TRANSACTION, self.plan.channel, content, self.client
        )
        with contextlib.suppress(FastledgerError):
            target = Target(node.address, ClientTls(node.tls_root.read_bytes()))
            async with await Orderer.connect(target) as orderer:
                await orderer.broadcast(envelope)
                self.taken.add(content)
                return True
        return False

    async def order(self, name: bytes, *nodes: Node) -> None:
        """Send messages of a name to nodes, in turn, until one is in a block.

        That one was taken says little: whoever took it may be about to lose its part.
        """
        choice = itertools.cycle(nodes)
        numbers = itertools.count()

        async def is_there() -> bool:
            await self.send(next(choice), b"%s/%d" % (name, next(numbers)))
            await elapse(0.3, "a block takes a batch timeout, and a round of messages")
            return name in self.names(await self.delivered(nodes[0]))

        await until(is_there, 120)

    @staticmethod
    def names(blocks: list[Block]) -> set[bytes]:
        return {content.partition(b"/")[0] for content in contents_of(blocks)}

    async def delivered(self, node: Node) -> list[Block]:
        """What a node has delivered; what is new is missing while it has no leader."""
        blocks = self._delivered[node.name]
        with contextlib.suppress(FastledgerError):
            target = Target(node.address, ClientTls(node.tls_root.read_bytes()))
            async with await Orderer.connect(target) as orderer:
                stream = orderer.blocks(self.plan.channel, self.client)
                try:
                    newest = await stream.get(NEWEST)
                    for number in range(len(blocks), newest.header.number + 1):
                        blocks.append(await stream.get(specified(number)))
                finally:
                    stream.close()
        return blocks

    async def flood(self, node: Node) -> None:
        while True:
            await self.send(node, b"%d" % next(self.sent))
            await elapse(0.05, "the chains are read again and again, and must not become long")

    def level(self, nodes: list[Node] | None = None) -> int:
        """Wait until all nodes are equally high, and stay so."""
        nodes = nodes or list(self.plan.all_orderers)
        seen: list[int] = []

        def is_level() -> bool:
            heights = {self.height(node) for node in nodes}
            seen.append(min(heights) if len(heights) == 1 else -1)
            return len(seen) > 5 and len(set(seen[-5:])) == 1 and seen[-1] > 0

        wait_until(is_level, 120)
        return seen[-1]

    def blocks(self, node: Node) -> list[Block]:
        """Read a stopped orderer's chain."""
        store = Ledgers(node.folder / "data").open(self.plan.channel)
        try:
            return [Block.FromString(store.block(number)) for number in range(store.height)]
        finally:
            store.close()

    def check_equal(self) -> list[Block]:
        self.nodes.stop()
        chains = [self.blocks(node) for node in self.plan.all_orderers]
        for chain in chains[1:]:
            assert [header_hash(one.header) for one in chain] == [
                header_hash(one.header) for one in chains[0]
            ]
            assert [one.data for one in chain] == [one.data for one in chains[0]]
        for before, block in itertools.pairwise(chains[0]):
            assert block.header.previous_hash == header_hash(before.header)
        counts = Counter(contents_of(chains[0]))
        assert max(counts.values()) == 1, counts.most_common(3)
        return chains[0]


@pytest.mark.parametrize("version", ["v3.1.5", "v2.5.15"])
@pytest.mark.parametrize("real", [(0, 1), (2,)], ids=["two real", "one real"])
def test_consenters_of_both_kinds_are_killed(
    tmp_path: Path, real: tuple[int, ...], version: str
) -> None:
    plan = plan_of(tmp_path, orgs=1, orderers=3)
    orderers = plan.all_orderers
    nodes = Nodes(plan, {orderers[index].name for index in real}, version)
    mixed = Mixed(plan, nodes)
    chance = random.Random(version + str(real))

    async def story() -> None:
        for index, node in enumerate(orderers):
            await mixed.order(b"at %d" % index, node)
        for number in range(KILLS):
            floods = [asyncio.ensure_future(mixed.flood(node)) for node in orderers]
            taken = len(mixed.taken)
            await until(lambda taken=taken: len(mixed.taken) > taken + 30, 120)
            victim = orderers[number % 3] if number < 3 else chance.choice(orderers)
            nodes.kill(victim)
            others = [node for node in orderers if node is not victim]
            await mixed.order(b"without %d" % number, *others)
            for flood in floods:
                flood.cancel()
            await asyncio.gather(*floods, return_exceptions=True)
            await asyncio.to_thread(nodes.start, victim.name)
            await mixed.order(b"with %d" % number, victim)
            await asyncio.to_thread(mixed.level)

    try:
        nodes.start(*(node.name for node in orderers))
        mixed.join()
        asyncio.run(story())
        mixed.level()
        names = mixed.names(mixed.check_equal())
    finally:
        nodes.stop()
    for number in range(KILLS):
        assert {b"without %d" % number, b"with %d" % number} <= names
