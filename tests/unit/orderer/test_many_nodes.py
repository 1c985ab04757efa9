# SPDX-License-Identifier: Apache-2.0
"""Several orderers in one process, with a toy for a consensus: the interface suffices for them.

The blocks of all nodes are the same to the byte, chained, and signed as the channel asks; the
judge is the core.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

import config_changes as changes
from config_updates import update_of
from consenting import run, turns
from fastledger._core import block_header
from fastledger.channelconfig import Bundle
from fastledger.common.errors import BlockRefused, FastledgerError, InputError
from fastledger.ledger.blockstores import Ledgers
from fastledger.msp import SigningIdentity
from fastledger.orderer.blockwriter import consenter_metadata
from fastledger.orderer.consensus.chain import ChainHalted, Relation, Standing, Status
from fastledger.orderer.errors import BlockNotNext
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
from toy_consensus import MAX_PROPOSED, Net, Toy, lead

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


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory) -> Channel:
    return Channel(tmp_path_factory.mktemp("network"))


class Cluster:
    """Orderers with folders of their own."""

    def __init__(self, channel: Channel, folder: Path) -> None:
        self.channel = channel
        self.net = Net()
        self.kinds: dict[int, Toy] = {}
        self._folder = folder
        self._stores = {}

    def __getitem__(self, number: int) -> ChainSupport:
        return self.net.nodes[number]

    def open(self, number: int, genesis: bytes | None = None, join: bytes | None = None) -> None:
        """Start a node on what it has stored, or on its first block."""
        store = Ledgers(self._folder / str(number)).open(self.channel.channel_id)
        if store.height == 0 and genesis is not None:
            store.append([genesis])
        self.kinds[number] = kind = Toy(number, self.net)
        signer = self.channel.signers[number]
        self._stores[number] = store
        support = ChainSupport(
            store,
            signer,
            kind,
            lambda support: StandardChannel(support, signer),
            pytest.fail,
            join_block=join,
        )
        self.net.nodes[number] = support
        support.start()

    async def close(self, number: int) -> None:
        await self.net.nodes.pop(number).halt()
        self._stores.pop(number).close()

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
            message.data
            for message in messages
            if message.channel_header.type == HeaderType.ENDORSER_TRANSACTION
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
        if message.channel_header.type == HeaderType.CONFIG:
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


def test_a_cluster_lives(channel: Channel, tmp_path: Path) -> None:
    """Two consenters and a follower, through all that an interface of many nodes is for."""

    async def tell(cluster: Cluster) -> None:
        for number in (1, 2, 3):
            cluster.open(number, channel.genesis)
        await cluster.net.settle()
        assert [cluster[n].standing for n in (1, 2, 3)] == [CONSENTER, CONSENTER, FOLLOWER]

        # One consenter leads, the other hands on to it; who only follows takes nothing.
        await cluster.order(1, b"at the leader")
        await cluster.order(2, b"handed on")
        with pytest.raises(ChainHalted):
            await cluster[3].order(channel.message(b"at a follower"))

        # Blocks are created ahead: nothing of them is written until the others hold them.
        cluster.net.cut = {(2, 1)}
        await cluster.order(1, b"ahead", b"further ahead", b"lost with its leader")
        assert [cluster[n].height for n in (1, 2, 3)] == [3, 3, 3]
        cluster.net.cut.clear()

        # Another leads. What the first had created is forgotten, and its numbers go to others.
        await cluster.lead(2, 2)
        await cluster.order(2, b"of the second leader")
        await cluster.order(1, b"handed to the second")
        assert cluster.contents(1)[2:] == [b"of the second leader", b"handed to the second"]

        # The follower becomes a consenter. Messages wait meanwhile, and nobody's stream ends.
        third = cluster[3]
        streams = [
            asyncio.ensure_future(third.wait(7)),
            asyncio.ensure_future(third.errored.wait()),
        ]
        cluster.kinds[3].may_halt.clear()
        await cluster[2].configure(channel.update(cluster[2].bundle, b"1,2,3"))
        await cluster.net.settle()
        waiting = asyncio.ensure_future(third.order(channel.message(b"taken by the next chain")))
        await turns()
        assert (third.sequence, third.standing.relation) == (1, Relation.CONSENTER)
        assert not waiting.done()
        cluster.kinds[3].may_halt.set()
        await waiting
        await cluster.net.settle()
        await streams[0]
        assert not streams[1].done()
        streams[1].cancel()
        assert cluster.contents(3)[-1] == b"taken by the next chain"

        # One is away, and is told at its return what it has missed; then it leads.
        await cluster.close(1)
        await cluster.order(2, b"without the first")
        cluster.open(1)
        await cluster.net.settle()
        assert cluster[1].height == cluster[2].height == 8
        await cluster.lead(3, 1)
        await cluster.order(3, b"for a leader that was away")

        # One is no consenter any more.
        await cluster[1].configure(channel.update(cluster[1].bundle, b"1,3"))
        await cluster.net.settle()
        await cluster.lead(3, 1)  # What others say waits for the chain that stays.
        assert [cluster[n].standing for n in (1, 2, 3)] == [CONSENTER, FOLLOWER, CONSENTER]
        await cluster.order(1, b"the end")

        assert not cluster.net.refusals
        chains = [cluster.blocks(number) for number in (1, 2, 3)]
        assert chains[0] == chains[1] == chains[2]
        assert len(chains[0]) == 11
        check_chain(chains[0])
        kept = [consenter_metadata(Block.FromString(block)) for block in chains[0]]
        assert kept == [b"", *[b"1/1"] * 2, *[b"2/2"] * 5, *[b"3/1"] * 3]

    story(channel, tmp_path, tell)


def test_a_leader_waits_when_too_many_blocks_are_not_agreed_on(
    channel: Channel, tmp_path: Path
) -> None:
    async def tell(cluster: Cluster) -> None:
        for number in (1, 2):
            cluster.open(number, channel.genesis)
        await cluster.net.settle()
        cluster.net.cut = {(2, 1)}
        await cluster.order(1, *[b"%d" % number for number in range(MAX_PROPOSED)])
        waiting = asyncio.ensure_future(cluster[1].order(channel.message(b"waits")))
        await turns()
        assert not waiting.done()
        await cluster.lead(2, 2)
        with pytest.raises(ChainHalted):
            await waiting
        assert cluster[1].height == 1

    story(channel, tmp_path, tell)


def test_who_reads_is_told_that_there_is_no_leader(channel: Channel, tmp_path: Path) -> None:
    async def tell(cluster: Cluster) -> None:
        for number in (1, 2):
            cluster.open(number, channel.genesis)
        await cluster.net.settle()
        errored = cluster[2].errored
        assert not errored.is_set()
        await cluster.lead(2, 0)
        assert errored.is_set()
        with pytest.raises(ChainHalted, match="no leader"):
            await cluster[2].order(channel.message(b"for nobody"))
        await cluster.lead(3, 2)
        assert not errored.is_set()
        assert cluster[2].errored is errored

    story(channel, tmp_path, tell)


async def joined_later(cluster: Cluster) -> bytes:
    """Nodes 1 to 3 with some history; return the configuration that makes node 4 a member."""
    for number in (1, 2, 3):
        cluster.open(number, cluster.channel.genesis)
    await cluster.net.settle()
    await cluster.order(1, b"a", b"b")
    await cluster[1].configure(cluster.channel.update(cluster[1].bundle, b"1,2,4"))
    await cluster.order(1, b"c")
    return cluster[1].block(3)


def test_one_that_joins_with_a_later_block_gets_those_before(
    channel: Channel, tmp_path: Path
) -> None:
    async def tell(cluster: Cluster) -> None:
        join_block = await joined_later(cluster)
        cluster.net.cut = {(1, 4)}
        cluster.open(4, join=join_block)
        await cluster.net.settle()
        onboarding = Standing(Relation.CONSENTER, Status.ONBOARDING)
        assert (cluster[4].standing, cluster[4].height, cluster[4].sequence) == (onboarding, 0, 1)
        # It goes on where it was when it is stopped in between.
        await cluster[4].append(channel.genesis)
        await cluster.close(4)
        cluster.net.cut.clear()
        cluster.open(4, join=join_block)
        assert (cluster[4].standing, cluster[4].height, cluster[4].sequence) == (onboarding, 1, 1)
        await cluster.net.settle()
        await cluster.order(4, b"of the new one")
        assert cluster[4].standing == CONSENTER
        assert cluster.blocks(4) == cluster.blocks(1)
        check_chain(cluster.blocks(4))

    story(channel, tmp_path, tell)


def test_another_channels_blocks_are_noticed_at_the_join_block(
    channel: Channel, tmp_path: Path
) -> None:
    async def tell(cluster: Cluster) -> None:
        await joined_later(cluster)
        for number in (1, 2, 3):
            await cluster.close(number)
        other = Cluster(channel, tmp_path / "other")
        join_block = await joined_later(other)
        cluster.open(4, join=join_block)
        for number in (1, 2, 3):
            await other.close(number)
        cluster.open(1)
        mine = cluster.blocks(1)
        for block in mine[:3]:
            await cluster[4].append(block)
        with pytest.raises(BlockRefused, match="which the channel was joined with"):
            await cluster[4].append(mine[3])
        assert cluster[4].height <= 3

    story(channel, tmp_path, tell)


def test_a_channel_without_blocks_needs_a_join_block(channel: Channel, tmp_path: Path) -> None:
    async def tell(cluster: Cluster) -> None:
        with pytest.raises(InputError, match="joined with"):
            cluster.open(1)

    story(channel, tmp_path, tell)


def changed(block: bytes, change: Callable[[Block], object]) -> bytes:
    decoded = Block.FromString(block)
    change(decoded)
    return decoded.SerializeToString()


REFUSED: dict[str, tuple[Callable[[bytes], bytes], type[FastledgerError], str]] = {
    "no block": (lambda block: block[:-1], InputError, "not an encoded common.Block"),
    "other data": (
        lambda block: changed(block, lambda it: it.data.data.append(b"more")),
        InputError,
        "does not have the data hash that its header states",
    ),
    "no data": (
        lambda block: changed(block, lambda it: it.ClearField("data")),
        InputError,
        "block 3 holds nothing",
    ),
    "no signature": (
        lambda block: changed(block, lambda it: it.metadata.metadata.__setitem__(0, b"")),
        FastledgerError,
        "block 3",
    ),
    "a later number": (
        lambda block: changed(block, lambda it: setattr(it.header, "number", 4)),
        BlockNotNext,
        "block 4 cannot follow block 2",
    ),
    "another predecessor": (
        lambda block: changed(block, lambda it: setattr(it.header, "previous_hash", b"x" * 32)),
        BlockNotNext,
        f"block 3 follows one with the header hash {(b'x' * 32).hex()}",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_adopted(channel: Channel, tmp_path: Path, name: str) -> None:
    spoil, kind, reason = REFUSED[name]

    async def tell(cluster: Cluster) -> None:
        for number in (1, 2, 3):
            cluster.open(number, channel.genesis)
        await cluster.net.settle()
        await cluster.order(1, b"a", b"b")
        cluster.net.cut = {(1, 3)}
        await cluster.order(1, b"c")
        block = cluster[1].block(3)
        with pytest.raises(kind, match=reason):
            await cluster[3].append(spoil(block))
        assert (cluster[3].height, cluster[3].standing) == (3, FOLLOWER)
        await cluster[3].append(block)
        await cluster[3].append(block)
        await cluster[3].drained(0)
        assert cluster.blocks(3) == cluster.blocks(1)

    story(channel, tmp_path, tell)


def test_every_consenter_may_sign_what_the_log_decided(channel: Channel, tmp_path: Path) -> None:
    """As in raft: entries are blocks without metadata, and each node writes them for itself."""

    async def tell(cluster: Cluster) -> None:
        for number in (1, 2):
            cluster.open(number, channel.genesis)
        await cluster.net.settle()
        leader = cluster[1]
        messages = [channel.message(name) for name in (b"a", b"b", b"c")]
        log = [leader.create_next([m.encoded]).SerializeToString() for m in messages]
        for node in (cluster[1], cluster[2]):
            # What was applied before a crash is applied again.
            for entry in [*log[:2], *log]:
                node.write(Block.FromString(entry), b"kept")
            await node.drained(0)
        for number in (1, 2):
            check_chain(cluster.blocks(number))
        ours, theirs = (
            [Block.FromString(block) for block in cluster.blocks(number)] for number in (1, 2)
        )
        assert [(it.header, it.data) for it in ours] == [(it.header, it.data) for it in theirs]
        assert ours[1].metadata != theirs[1].metadata

    story(channel, tmp_path, tell)


def test_a_decision_that_contradicts_the_ledger_ends_the_channel(
    channel: Channel, tmp_path: Path
) -> None:
    async def tell(cluster: Cluster) -> None:
        for number in (1, 2):
            cluster.open(number, channel.genesis)
        await cluster.net.settle()
        await cluster.order(1, b"a")
        node = cluster[1]
        genesis_hash = block_header(channel.genesis)[3]
        with pytest.raises(BlockNotNext, match="there are two blocks 1"):
            node.write(new_block(1, genesis_hash, [channel.message(b"other").encoded]))
        assert node.standing == Standing(Relation.CONSENTER, Status.FAILED)
        assert node.errored.is_set()
        assert "there are two blocks 1" in str(node.failure)
        with pytest.raises(ChainHalted, match="no block can be written"):
            await node.order(channel.message(b"b"))

    story(channel, tmp_path, tell)


def test_without_a_chain_that_can_follow_the_channel_has_failed(
    channel: Channel, tmp_path: Path
) -> None:
    async def tell(cluster: Cluster) -> None:
        cluster.open(1, channel.genesis)

        def unsupported(values: object) -> SimpleNamespace:
            raise InputError("no such chain")

        cluster.kinds[1].of = unsupported
        cluster[1].switch_chain()
        with pytest.raises(ChainHalted):
            await cluster[1].order(channel.message(b"a"))
        assert cluster[1].standing.status == Status.FAILED
        assert str(cluster[1].failure) == "no such chain"

    story(channel, tmp_path, tell)
