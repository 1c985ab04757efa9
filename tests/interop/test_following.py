# SPDX-License-Identifier: Apache-2.0
"""Orderers that follow: ours a real one, a real one ours, and what both say of it."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import config_changes as changes
from config_updates import update_of
from consenters import consenter_of, genesis_with, with_addresses, with_consenters, with_timeout
from fastledger.channelconfig import Bundle
from fastledger.client.orderer import Orderer
from fastledger.client.target import Target
from fastledger.comm import ClientTls
from fastledger.common.errors import BroadcastRefused, DeliverEnded
from fastledger.ledger.blockstores import Ledgers
from fastledger.msp import SigningIdentity
from fastledger.network.plan import HOST, Node, Plan
from fastledger.protos.common.common_pb2 import Block, Envelope, HeaderType
from fastledger.protos.common.configtx_pb2 import Config
from fastledger.protoutil.envelope import signed_envelope
from fastledger.protoutil.seek import specified
from fastledger.tools.osnadmin import OsnAdmin
from real_nodes import Nodes, plan_of
from waiting import until, wait_until

VERSIONS = ("v3.1.5", "v2.5.15")
FORMER = "channel creation request not allowed because the orderer system channel is not defined"
"""What 2.5 says of a channel that it does not serve."""
Answer = tuple[int, Any]


class Story:
    """A consenter, and an orderer that follows it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.source, self.follower = plan.all_orderers[:2]
        self.admins = [
            SigningIdentity.load(Path(msp), mspid) for mspid, msp in changes.administrators(plan)
        ]

    def admin(self, node: Node) -> OsnAdmin:
        tls = node.identity / "tls"
        address = f"{HOST}:{node.side_port}"
        return OsnAdmin(address, tls / "ca.crt", tls / "server.crt", tls / "server.key")

    def answer(self, what: str, *arguments: Any) -> Answer:
        """What the follower's administration answers."""
        answer = getattr(self.admin(self.follower), what)(*arguments)
        try:
            return answer.status, json.loads(answer.body)
        except ValueError:
            return answer.status, answer.body

    def info(self) -> Answer:
        return self.answer("channels", self.plan.channel)

    def height(self, node: Node) -> int:
        body = self.admin(node).channels(self.plan.channel).body
        return int(json.loads(body).get("height", 0))

    def orderer(self, node: Node) -> Target:
        return Target(node.address, ClientTls(node.tls_root.read_bytes()))

    def message(self, name: bytes) -> Envelope:
        return signed_envelope(
            HeaderType.ENDORSER_TRANSACTION, self.plan.channel, name, self.admins[1]
        )

    async def order(self, *names: bytes) -> None:
        for name in names:
            await until(lambda name=name: self.is_taken(name))

    async def is_taken(self, name: bytes) -> bool:
        """Send a message; a real orderer takes none before it has chosen itself as the leader."""
        async with await Orderer.connect(self.orderer(self.source)) as orderer:
            try:
                await orderer.broadcast(self.message(name))
            except BroadcastRefused as error:
                assert "no Raft leader" in str(error)
                return False
        return True

    async def block(self, number: int, node: Node | None = None) -> Block:
        async with await Orderer.connect(self.orderer(node or self.source)) as orderer:
            stream = orderer.blocks(self.plan.channel, self.admins[0])
            try:
                return await stream.get(specified(number))
            finally:
                stream.close()

    def update(self, genesis: bytes) -> Envelope:
        current, following = (
            Config.FromString(Bundle.from_block(genesis).config) for _ in range(2)
        )
        with_timeout(following, "3s")
        return update_of(self.plan.channel, current, following, self.admins)

    async def history(self, genesis: bytes) -> bytes:
        """Six blocks, of which the fourth is a configuration; return that one."""
        await self.order(b"a", b"b")
        async with await Orderer.connect(self.orderer(self.source)) as orderer:
            await orderer.broadcast(self.update(genesis))
        block = await self.block(3)
        await self.order(b"c", b"d")
        return block.SerializeToString()

    async def refusals(self) -> list[str]:
        """What clients are told by an orderer that follows."""
        told = []
        async with await Orderer.connect(self.orderer(self.follower)) as orderer:
            try:
                await orderer.broadcast(self.message(b"x"))
            except BroadcastRefused as error:
                told.append(str(error).replace(FORMER, "channel does not exist"))
        try:
            await self.block(0, self.follower)
        except DeliverEnded as error:
            told.append(error.status)
        return told


@contextmanager
def followed(folder: Path, real: str, version: str) -> Iterator[tuple[Story, Nodes, bytes]]:
    """Run two orderers of one channel, of which one is the consenter and one is real."""
    plan = plan_of(folder, orgs=1, orderers=3)
    story = Story(plan)
    chosen = {"source": story.source, "follower": story.follower}[real]
    nodes = Nodes(plan, {chosen.name}, version)

    def write(config: Config) -> None:
        with_consenters(config, [consenter_of(story.source)])
        with_addresses(config, [story.source.address])

    genesis = genesis_with(plan, write)
    try:
        nodes.start(story.source.name, story.follower.name)
        assert story.admin(story.source).join(genesis).status == 201
        yield story, nodes, genesis
    finally:
        nodes.stop()


def told_of_a_follower(story: Story, join_block: bytes, version: str) -> list[Any]:
    """Everything that one may ask of a follower, and what it says."""
    name = story.plan.channel
    said: list[Any] = [story.answer("join", join_block)]
    wait_until(lambda: story.info()[1].get("height") == 6)
    said += [story.info(), story.answer("channels"), story.answer("join", join_block)]
    if version != "v2.5.15":
        # Asked for an update, a real follower of 3.1.5 refuses, and is locked from then on.
        said += [story.answer("fetch", name, block) for block in ("newest", "0")]
    said += asyncio.run(story.refusals())
    return said


@pytest.mark.parametrize("version", VERSIONS)
def test_ours_and_a_real_one_follow_each_other(tmp_path: Path, version: str) -> None:
    said, ledgers = {}, {}
    for real in ("source", "follower"):
        with followed(tmp_path / real, real, version) as (story, nodes, genesis):
            join_block = asyncio.run(story.history(genesis))
            said[real] = told_of_a_follower(story, join_block, version)
            # What comes later, too, and after a crash.
            asyncio.run(story.order(b"e"))
            wait_until(lambda story=story: story.height(story.follower) == 7)
            nodes.crash(story.follower)
            asyncio.run(story.order(b"f"))
            wait_until(lambda story=story: story.height(story.follower) == 8)
            said[real].append(story.info())
            nodes.stop()
            ledgers[real] = [
                stored(node, story.plan.channel) for node in (story.source, story.follower)
            ]
            nodes.start(story.follower.name)
            said[real].append(story.answer("remove", story.plan.channel))
            wait_until(lambda story=story: story.info()[0] == 404)
            said[real].append(story.info())
    assert said["source"] == said["follower"]
    for of_source, of_follower in ledgers.values():
        assert len(of_source) == 8
        assert of_source == of_follower


def stored(node: Node, channel_id: str) -> list[bytes]:
    """The blocks on an orderer's disk, as they are read and encoded anew."""
    store = Ledgers(node.folder / "data").open(channel_id)
    try:
        return [store.block(number) for number in range(store.height)]
    finally:
        store.close()
