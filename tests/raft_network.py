# SPDX-License-Identifier: Apache-2.0
"""Raft orderers in this process: whole nodes, which talk to each other by TLS."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import config_changes as changes
from fastledger.channelconfig import Bundle
from fastledger.common.config import load
from fastledger.msp import SigningIdentity
from fastledger.network import channel, identities, settings
from fastledger.network.plan import Node, Plan
from fastledger.node.orderer.node import OrdererNode
from fastledger.orderer.broadcast import BroadcastHandler
from fastledger.orderer.consensus.chain import Standing
from fastledger.orderer.consensus.etcdraft.chain import RaftChain
from fastledger.orderer.msgprocessor.message import OrdererMessage
from fastledger.orderer.multichannel.chainsupport import ChainSupport
from fastledger.protos.common.common_pb2 import Block, HeaderType, Status
from fastledger.protos.orderer.ab_pb2 import BroadcastResponse
from fastledger.protoutil.envelope import signed_envelope
from fastledger.protoutil.hashes import header_hash
from fastledger.tools.configtxgen.artifacts import genesis_block
from fastledger.tools.configtxgen.load import load_profile
from waiting import until


class RaftNetwork:
    """The orderers of one channel, numbered from 1 as raft does."""

    def __init__(self, folder: Path, port_base: int, **choices: int) -> None:
        self.plan = Plan(folder=folder, orgs=1, port_base=port_base, **{"orderers": 3, **choices})
        self.plan.save()
        identities.write(self.plan)
        channel.write(self.plan)
        settings.write(self.plan)
        self.genesis = write_genesis(self.plan)
        self.channel_id = self.plan.channel
        self.admins = [
            SigningIdentity.load(Path(msp), mspid)
            for mspid, msp in changes.administrators(self.plan)
        ]
        self.client = self.admins[1]
        self.nodes: dict[int, OrdererNode] = {}

    def environment(self, number: int) -> dict[str, str]:
        return settings.read_env(self.node(number))

    def node(self, number: int) -> Node:
        return self.plan.all_orderers[number - 1]

    async def start_without_joining(self, number: int) -> OrdererNode:
        node = OrdererNode(load("orderer", environ=self.environment(number)))
        await node.start()
        self.nodes[number] = node
        return node

    async def start(self, *numbers: int) -> None:
        """Start orderers, and have them join the channel if they have not."""
        for number in numbers or range(1, self.plan.orderers + 1):
            node = await self.start_without_joining(number)
            if self.channel_id not in node.registrar.channel_ids():
                node.registrar.join(Bundle.from_block(self.genesis), self.genesis)

    async def stop(self, *numbers: int) -> None:
        for number in numbers or list(self.nodes):
            await self.nodes.pop(number).stop()

    def __getitem__(self, number: int) -> ChainSupport:
        support = self.nodes[number].registrar._find(self.channel_id)
        assert support is not None
        return support

    def chain(self, number: int):  # type: ignore[no-untyped-def]
        """The chain that an orderer has now."""
        return chain_of(self[number])

    def channels(self, number: int) -> list[str]:
        return self.nodes[number].registrar.channel_ids()

    def standing(self, number: int) -> Standing:
        return self[number].standing

    def height(self, number: int) -> int:
        return self[number].height

    def member(self, number: int) -> int:
        """An orderer's raft id; 0 for one that is no consenter."""
        return getattr(self.chain(number), "_member", 0)

    def envelope(self, data: bytes) -> bytes:
        return signed_envelope(
            HeaderType.ENDORSER_TRANSACTION, self.channel_id, data, self.client
        ).SerializeToString()

    async def broadcast(self, number: int, envelope: bytes) -> BroadcastResponse:
        """Hand a message to an orderer as a client would."""
        handler = BroadcastHandler(self.nodes[number].registrar)
        return BroadcastResponse.FromString(await handler.process(envelope, "test"))

    async def order(self, number: int, *contents: bytes) -> None:
        for content in contents:
            response = await self.broadcast(number, self.envelope(content))
            assert response.status == Status.SUCCESS, response

    async def leader(self, *, other_than: int = 0) -> int:
        """Wait until all that run agree on a leader, who serves; return its number."""

        def leads() -> int:
            chains = [self.chain(number) for number in self.nodes]
            found = {chain._watch.leader for chain in chains if isinstance(chain, RaftChain)}
            return found.pop() if len(found) == 1 else 0

        def serves() -> bool:
            number = leads()
            if number in (0, other_than) or number not in self.nodes:
                return False
            return chain_of(self[number])._leading.serves

        await until(serves)
        return leads()

    async def level(self, height: int = 0) -> int:
        """Wait until all are as high as the highest, and at least so high."""

        def is_level() -> bool:
            heights = {self[number].height for number in self.nodes}
            return len(heights) == 1 and min(heights) >= height

        await until(is_level)
        return self[next(iter(self.nodes))].height

    def blocks(self, number: int) -> list[Block]:
        support = self[number]
        return [Block.FromString(support.block(one)) for one in range(support.height)]

    def contents(self, number: int) -> list[bytes]:
        """What the messages say that are no configurations."""
        return contents_of(self.blocks(number))

    def check_equal(self) -> None:
        """All chains have the same headers and data; each is chained and signed as it should be."""
        chains = {number: self.blocks(number) for number in self.nodes}
        first = next(iter(chains.values()))
        for chain in chains.values():
            assert [header_hash(one.header) for one in chain] == [
                header_hash(one.header) for one in first
            ]
            assert [one.data for one in chain] == [one.data for one in first]


def write_genesis(plan: Plan) -> bytes:
    """Make a plan's first block, where the network's own commands look for it."""
    profile = load_profile("ChannelUsingRaft", str(plan.state), {})
    genesis = genesis_block(profile, plan.channel).SerializeToString()
    plan.genesis_block.write_bytes(genesis)
    return genesis


def chain_of(support: ChainSupport):  # type: ignore[no-untyped-def]
    """The chain that a channel has now."""
    return support._slot.chain


def contents_of(
    blocks: Sequence[Block], message_type: int = HeaderType.ENDORSER_TRANSACTION
) -> list[bytes]:
    messages = [OrdererMessage.parse(one) for block in blocks for one in block.data.data]
    return [one.data for one in messages if one.type == message_type]


@contextlib.asynccontextmanager
async def running(network: RaftNetwork, *numbers: int) -> AsyncIterator[RaftNetwork]:
    try:
        await network.start(*numbers)
        yield network
    finally:
        await asyncio.shield(network.stop())
