# SPDX-License-Identifier: Apache-2.0
"""Orderers in one process that agree by the toy consensus; and the judge of what they wrote."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

import config_changes as changes
from config_updates import update_of
from consenting import run
from fastledger._core import block_header
from fastledger.channelconfig import Bundle
from fastledger.common.errors import LedgerIo
from fastledger.ledger.blockstores import BlockStore, Ledgers
from fastledger.msp import SigningIdentity
from fastledger.orderer.consensus.chain import Relation, Standing, Status
from fastledger.orderer.consensus.consenters import Consenters
from fastledger.orderer.msgprocessor.message import OrdererMessage
from fastledger.orderer.msgprocessor.standard import StandardChannel
from fastledger.orderer.multichannel.chainsupport import ChainSupport
from fastledger.protos.common.common_pb2 import Block, HeaderType
from fastledger.protos.common.configtx_pb2 import Config, ConfigEnvelope
from fastledger.protos.orderer.configuration_pb2 import BatchSize, ConsensusType
from fastledger.protoutil.blocks import last_config_index, new_block
from fastledger.protoutil.envelope import signed_envelope
from fastledger.tools.configtxgen.artifacts import genesis_block
from fastledger.tools.configtxgen.load import load_profile
from toy_consensus import Net, Toy, lead

CONSENTER = Standing(Relation.CONSENTER, Status.ACTIVE)
FOLLOWER = Standing(Relation.FOLLOWER, Status.ACTIVE)


class Channel:
    """A channel's first block, and who may say something in it."""

    def __init__(self, folder: Path) -> None:
        plan = changes.plan_of(folder, 7100)
        self.channel_id = plan.channel
        self.admins = [
            SigningIdentity.load(Path(msp), mspid) for mspid, msp in changes.administrators(plan)
        ]
        own = SigningIdentity.load(plan.orderer.identity / "msp", plan.orderer.mspid)
        self.signers = {1: own, 2: self.admins[0], 3: own, 4: self.admins[0]}
        block = genesis_block(load_profile("ChannelUsingRaft", str(plan.state), {}), plan.channel)
        config = Config.FromString(Bundle.from_block(block.SerializeToString()).config)
        with_members(config, b"1,2")
        values = config.channel_group.groups["Orderer"].values
        size = BatchSize.FromString(values["BatchSize"].value)
        size.max_message_count = 1
        values["BatchSize"].value = size.SerializeToString()
        envelope = signed_envelope(
            HeaderType.CONFIG,
            plan.channel,
            ConfigEnvelope(config=config).SerializeToString(),
            own,
        )
        self.genesis = new_block(0, b"", [envelope.SerializeToString()]).SerializeToString()

    def message(self, name: bytes) -> OrdererMessage:
        envelope = signed_envelope(
            HeaderType.ENDORSER_TRANSACTION, self.channel_id, name, self.admins[1]
        )
        return OrdererMessage.parse(envelope.SerializeToString())

    def update(self, bundle: Bundle, members: bytes) -> OrdererMessage:
        current, following = (Config.FromString(bundle.config) for _ in range(2))
        with_members(following, members)
        update = update_of(self.channel_id, current, following, self.admins)
        return OrdererMessage.parse(update.SerializeToString())


def with_members(config: Config, members: bytes) -> None:
    value = config.channel_group.groups["Orderer"].values["ConsensusType"]
    kind = ConsensusType.FromString(value.value)
    kind.type, kind.metadata = "toy", members
    value.value = kind.SerializeToString()


class Disk:
    """A channel's block files on a disk that may be full."""

    def __init__(self, store: BlockStore) -> None:
        self.is_full = False
        self.block = store.block
        self.block_in_core = store.block_in_core
        self.close = store.close
        self._store = store

    @property
    def height(self) -> int:
        return self._store.height

    def append(self, blocks: Sequence[bytes]) -> None:
        if self.is_full:
            raise LedgerIo("no space left on device")
        self._store.append(blocks)


class Cluster:
    """Orderers with folders of their own."""

    def __init__(self, channel: Channel, folder: Path) -> None:
        self.channel = channel
        self.net = Net()
        self.kinds: dict[int, Toy] = {}
        self._folder = folder
        self.disks: dict[int, Disk] = {}

    def __getitem__(self, number: int) -> ChainSupport:
        return self.net.nodes[number]

    def open(self, number: int, genesis: bytes | None = None, join: bytes | None = None) -> None:
        """Start a node on what it has stored, or on its first block."""
        disk = Disk(Ledgers(self._folder / str(number)).open(self.channel.channel_id))
        if disk.height == 0 and genesis is not None:
            disk.append([genesis])
        self.kinds[number] = kind = Toy(number, self.net)
        signer = self.channel.signers[number]
        self.disks[number] = disk
        support = ChainSupport(
            disk,
            signer,
            Consenters(others={"toy": kind.consenter()}),
            lambda support: StandardChannel(support, signer),
            lambda _: pytest.fail("there is no system channel"),
            lambda _: disk.is_full,
            join,
        )
        self.net.nodes[number] = support
        support.start()

    async def close(self, number: int) -> None:
        await self.net.nodes.pop(number).halt()
        self.disks.pop(number).close()

    async def order(self, number: int, *names: bytes) -> None:
        """Have a node take messages, and wait until nothing happens any more."""
        for name in names:
            await self[number].order(self.channel.message(name))
        await self.net.settle()

    async def lead(self, term: int, leader: int, *to: int) -> None:
        for node in to or tuple(self.net.nodes):
            self.net.send(0, node, lead(term, leader))
        await self.net.settle()

    def blocks(self, number: int) -> list[bytes]:
        return [self[number].block(one) for one in range(self[number].height)]

    def contents(self, number: int) -> list[bytes]:
        """The data of the messages that are no configurations."""
        messages = [
            OrdererMessage.parse(envelope)
            for block in self.blocks(number)
            for envelope in Block.FromString(block).data.data
        ]
        return [
            message.data for message in messages if message.type == HeaderType.ENDORSER_TRANSACTION
        ]


def check_chain(blocks: list[bytes]) -> None:
    """Hashes, signatures, and the last configuration, as somebody sees them who pulls the chain."""
    in_force = Bundle.from_block(blocks[0])
    last_config, previous = 0, block_header(blocks[0])[3]
    for number, encoded in enumerate(blocks[1:], start=1):
        found, names, _, header_hash = block_header(encoded)
        assert (found, names) == (number, previous)
        in_force.verify_block(encoded)
        block = Block.FromString(encoded)
        message = OrdererMessage.parse(block.data.data[0])
        if message.type == HeaderType.CONFIG:
            last_config, in_force = number, in_force.apply(message.data)
        assert last_config_index(block) == last_config
        previous = header_hash


def story(channel: Channel, folder: Path, tell: Callable[[Cluster], Awaitable[None]]) -> None:
    async def told() -> None:
        cluster = Cluster(channel, folder)
        try:
            await tell(cluster)
        finally:
            for kind in cluster.kinds.values():
                kind.may_halt.set()
            for number in tuple(cluster.net.nodes):
                await cluster.close(number)

    run(told())
