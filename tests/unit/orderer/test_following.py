# SPDX-License-Identifier: Apache-2.0
"""An orderer that follows others, which are honest, silent, lying or gone."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

import config_changes as changes
from config_updates import update_of
from consenters import (
    Write,
    consenter_of,
    genesis_with,
    with_addresses,
    with_consenters,
    with_timeout,
)
from fastledger.channelconfig import Bundle, Orderer
from fastledger.common.metrics import exposition
from fastledger.ledger.blockstores import Ledgers
from fastledger.msp import SigningIdentity
from fastledger.network import channel, identities
from fastledger.network.plan import Plan
from fastledger.orderer.consensus.chain import Chain, Consenter, ConsenterSupport
from fastledger.orderer.consensus.consenters import Consenters
from fastledger.orderer.consensus.etcdraft.consenter import single_consenter_chain
from fastledger.orderer.consensus.follower.chain import FollowerChain
from fastledger.orderer.errors import Rejected
from fastledger.orderer.msgprocessor.message import OrdererMessage
from fastledger.orderer.multichannel.chainsupport import ChainSupport
from fastledger.orderer.multichannel.registrar import ChannelNotReady, Registrar
from fastledger.orderer.replication.patience import Patience
from fastledger.orderer.replication.puller import BlockPuller, NoSource
from fastledger.orderer.replication.replication import Replication
from fastledger.orderer.replication.settings import ReplicationSettings
from fastledger.protos.common.common_pb2 import Block, HeaderType
from fastledger.protos.common.configtx_pb2 import Config
from fastledger.protos.orderer.ab_pb2 import SeekInfo
from fastledger.protos.orderer.etcdraft import configuration_pb2 as raft
from fastledger.protoutil.envelope import signed_envelope
from tellers import Teller, telling
from toy_cluster import check_chain
from waiting import elapse, until

QUICK = ReplicationSettings(
    dial_timeout_s=5, pull_timeout_s=0.3, retry_timeout_s=0.05, max_retries=3
)
DEADLINE_S = 60


class World:
    """A channel of one consenter, and two more orderers that are none."""

    def __init__(self, folder: Path) -> None:
        self.plan = Plan(folder=folder, orgs=1, orderers=3, port_base=7200)
        self.plan.save()
        identities.write(self.plan)
        channel.write(self.plan)
        self.channel_id = self.plan.channel
        self.admins = [
            SigningIdentity.load(Path(msp), mspid)
            for mspid, msp in changes.administrators(self.plan)
        ]
        self.signers = [
            SigningIdentity.load(node.identity / "msp", node.mspid)
            for node in self.plan.all_orderers
        ]
        self.consenters = [consenter_of(node) for node in self.plan.all_orderers]

    def genesis(self, addresses: list[str]) -> bytes:
        def write(config: Config) -> None:
            with_consenters(config, self.consenters[:1])
            with_addresses(config, addresses)

        return genesis_with(self.plan, write)

    def message(self, name: bytes) -> OrdererMessage:
        envelope = signed_envelope(
            HeaderType.ENDORSER_TRANSACTION, self.channel_id, name, self.admins[1]
        )
        return OrdererMessage.parse(envelope.SerializeToString())

    def update(self, bundle: Bundle, write: Write) -> OrdererMessage:
        current, following = (Config.FromString(bundle.config) for _ in range(2))
        write(following)
        update = update_of(self.channel_id, current, following, self.admins)
        return OrdererMessage.parse(update.SerializeToString())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("network"))


class Net:
    """The consenter, and orderers that tell its blocks to the one that follows."""

    def __init__(self, world: World, folder: Path, tellers: list[Teller]) -> None:
        self.world = world
        self.folder = folder
        self.tellers = tellers
        addresses = [teller.address for teller in tellers]
        self.genesis = world.genesis(addresses)
        ledgers = Ledgers(folder / "source")
        kind = Consenter(lambda *_: None, single_consenter_chain)
        self.source = Registrar(ledgers, world.signers[0], Consenters(others={"etcdraft": kind}))
        self.source.join(Bundle.from_block(self.genesis), self.genesis)
        self.follower = self.registrar()

    @property
    def support(self) -> ChainSupport:
        support = self.source.channel(self.world.channel_id)
        assert support is not None
        return support

    @property
    def blocks(self) -> list[bytes]:
        return [self.support.block(number) for number in range(self.support.height)]

    def registrar(self, number: int = 1) -> Registrar:
        """An orderer that is a consenter by its certificate, and else follows."""
        world = self.world
        replication = Replication(world.signers[number], QUICK)
        own = world.consenters[number].server_tls_cert

        def is_member(values: Orderer) -> bool:
            found = raft.ConfigMetadata.FromString(values.consensus_metadata).consenters
            return any(one.server_tls_cert == own for one in found)

        def chain(support: ConsenterSupport, last: bytes) -> Chain:
            if not support.is_onboarding and is_member(support.orderer):
                return single_consenter_chain(support, last)
            return FollowerChain(support, replication.puller(support), is_member, pause=brief)

        kind = Consenter(lambda *_: None, chain, is_member)
        return Registrar(
            Ledgers(self.folder / f"follower{number}"),
            world.signers[number],
            Consenters(others={"etcdraft": kind}),
        )

    async def order(self, *names: bytes) -> None:
        height = self.support.height
        for name in names:
            await self.support.order(self.world.message(name))
        await self.support.wait(height + len(names))

    async def configure(self, write: Write) -> bytes:
        """Change the configuration; return the block that holds it."""
        await self.support.configure(self.world.update(self.support.bundle, write))
        await self.support.drained(0)
        return self.support.block(self.support.height - 1)

    def tell(self, *tellers: Teller) -> None:
        """Let tellers, without arguments all, have what there is now."""
        for teller in tellers or self.tellers:
            teller.blocks = self.blocks

    def join(self, block: bytes) -> None:
        self.follower.join(Bundle.from_block(block), block)

    async def until(self, height: int) -> None:
        await until(lambda: self.follower.info(self.world.channel_id).height >= height)

    @property
    def followed(self) -> list[bytes]:
        store = self.follower._channels[self.world.channel_id].store
        return [store.block(number) for number in range(store.height)]

    def standing(self) -> tuple[str, str, int]:
        info = self.follower.info(self.world.channel_id)
        return info.standing.relation, info.standing.status, info.height


async def brief(_: float) -> None:
    """Poll without much of a pause: how long it is meant to be is tested by itself."""
    await elapse(0.01, "others are asked again")


def story(
    world: World, folder: Path, tell: Callable[[Net], Awaitable[None]], tellers: int = 1
) -> None:
    async def told() -> None:
        served = [Teller() for _ in range(tellers)]
        async with telling(served):
            net = Net(world, folder, served)
            try:
                await tell(net)
            finally:
                await net.source.close()
                await net.follower.close()

    asyncio.run(asyncio.wait_for(told(), DEADLINE_S))


async def history(net: Net) -> bytes:
    """Seven blocks, of which the fifth is a configuration; return that one."""
    await net.order(b"a", b"b", b"c")
    joined = await net.configure(lambda config: with_timeout(config, "3s"))
    await net.order(b"d", b"e")
    return joined


def test_from_a_later_block_to_consenter(world: World, tmp_path: Path) -> None:
    async def tell(net: Net) -> None:
        join_block = await history(net)
        teller = net.tellers[0]
        teller.blocks = net.blocks[:4]
        net.join(join_block)
        assert net.standing() == ("follower", "onboarding", 0)
        assert told(net) == (2, 2)
        await elapse(0.1, "the join block does not come, so it goes on onboarding")
        assert net.standing()[:2] == ("follower", "onboarding")
        assert net.follower.channel(world.channel_id) is None
        with pytest.raises(Rejected, match=r"^channel does not exist$"):
            net.follower.broadcast_support(world.channel_id, HeaderType.ENDORSER_TRANSACTION)
        with pytest.raises(ChannelNotReady, match=r"^channel is not ready, he is a follower$"):
            net.follower.fetch(world.channel_id, "newest")
        net.tell()
        await net.until(7)
        assert net.standing() == ("follower", "active", 7)
        assert net.followed == net.blocks
        # All that comes later, too, and what makes it a consenter.
        await net.order(b"f")
        net.tell()
        await net.until(8)
        await net.configure(lambda config: with_consenters(config, world.consenters[:2]))
        net.tell()
        await until(lambda: net.follower.channel(world.channel_id) is not None)
        assert net.standing() == ("consenter", "active", 9)
        assert told(net) == (1, 1)
        assert net.followed == net.blocks
        check_chain(net.followed)

    story(world, tmp_path, tell)


def told(net: Net) -> tuple[int, int]:
    """Status and relation as /metrics has them."""
    found = {
        sample.name: int(sample.value)
        for family in text_string_to_metric_families(exposition().decode())
        for sample in family.samples
        if sample.labels.get("channel") == net.world.channel_id
    }
    return found["participation_status"], found["participation_consensus_relation"]


def test_a_consenter_that_is_not_there_yet(world: World, tmp_path: Path) -> None:
    async def tell(net: Net) -> None:
        await net.order(b"a")
        joined = await net.configure(lambda it: with_consenters(it, world.consenters[:2]))
        net.join(joined)
        assert net.standing() == ("consenter", "onboarding", 0)
        assert net.follower.channel(world.channel_id) is None
        net.tell()
        await until(lambda: net.follower.channel(world.channel_id) is not None)
        assert net.standing() == ("consenter", "active", 3)

    story(world, tmp_path, tell)


def test_a_genesis_block_that_does_not_name_this_orderer(world: World, tmp_path: Path) -> None:
    async def tell(net: Net) -> None:
        await history(net)
        net.join(net.genesis)
        assert net.standing() == ("follower", "onboarding", 0)
        net.tell()
        await net.until(7)
        assert net.followed == net.blocks

    story(world, tmp_path, tell)


def test_a_restart_in_the_midst_goes_on(world: World, tmp_path: Path) -> None:
    async def tell(net: Net) -> None:
        join_block = await history(net)
        net.join(join_block)
        for have in (0, 2, 4):
            net.tellers[0].blocks = net.blocks[:have]
            await net.until(have)
            await net.follower.close()
            net.follower = net.registrar()
            net.follower.open()
            assert net.standing() == ("follower", "onboarding", have)
        net.tell()
        await net.until(7)
        await net.follower.close()
        net.follower = net.registrar()
        net.follower.open()
        assert net.standing() == ("follower", "active", 7)

    story(world, tmp_path, tell)


def test_what_is_removed_in_the_midst_leaves_nothing(world: World, tmp_path: Path) -> None:
    async def tell(net: Net) -> None:
        join_block = await history(net)
        for have in (0, 2):
            net.tellers[0].blocks = net.blocks[:have]
            net.join(join_block)
            await net.until(have)
            await net.follower.remove(world.channel_id)
            await until(lambda: net.follower.channel_ids() == [])
            kept = [path for path in (tmp_path / "follower1").rglob("*") if path.is_file()]
            assert kept == []
        net.follower = net.registrar()
        net.follower.open()
        assert net.follower.channel_ids() == []

    story(world, tmp_path, tell)


def lie_data(block: Block) -> None:
    block.data.data[0] += b"x"


def lie_order(block: Block) -> None:
    block.header.number += 1


def lie_hash(block: Block) -> None:
    block.header.previous_hash = bytes(32)


def lie_signature(block: Block) -> None:
    block.metadata.metadata[0] = b""


LIES = (lie_data, lie_order, lie_hash, lie_signature)


@pytest.mark.parametrize("lie", LIES)
def test_who_lies_is_left_for_another(
    world: World, tmp_path: Path, lie: Callable[[Block], None], caplog: pytest.LogCaptureFixture
) -> None:
    async def tell(net: Net) -> None:
        await history(net)
        liar, honest = net.tellers
        changed = Block.FromString(net.blocks[2])
        lie(changed)
        liar.blocks = [*net.blocks[:2], changed.SerializeToString(), *net.blocks[3:]]
        net.join(net.genesis)
        await until(lambda: liar.address in caplog.text)
        honest.blocks = net.blocks
        await net.until(7)
        assert net.followed == net.blocks

    story(world, tmp_path, tell, tellers=2)


def test_who_falls_silent_is_left_for_another(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def tell(net: Net) -> None:
        await history(net)
        silent, honest = net.tellers
        silent.blocks, silent.falls_silent_at = net.blocks, 3
        net.join(net.genesis)
        await until(lambda: "no block came within 0.3 s" in caplog.text)
        honest.blocks = net.blocks
        await net.until(7)
        assert net.followed == net.blocks

    story(world, tmp_path, tell, tellers=2)


def test_nobody_is_given_up(world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def tell(net: Net) -> None:
        await history(net)
        net.tellers[0].status = 503
        net.join(net.genesis)
        await until(lambda: "attempts failed; going on" in caplog.text)
        assert "it answered SERVICE_UNAVAILABLE" in caplog.text
        net.tellers[0].status = 0
        net.tell()
        await net.until(7)

    story(world, tmp_path, tell)


def test_another_channels_history_is_noticed_at_the_join_block(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def tell(net: Net) -> None:
        await history(net)
        other = Block.FromString(net.blocks[4])
        other.header.previous_hash = bytes(32)
        net.tell()
        net.join(other.SerializeToString())
        await until(lambda: "which the channel was joined with" in caplog.text)
        assert net.standing()[:2] == ("follower", "onboarding")

    story(world, tmp_path, tell)


def puller_of(net: Net) -> BlockPuller:
    return Replication(net.world.signers[1], QUICK).puller(net.support)


def test_what_others_have(world: World, tmp_path: Path) -> None:
    async def tell(net: Net) -> None:
        await history(net)
        ahead, behind, refusing = net.tellers
        net.tell(ahead)
        behind.blocks = net.blocks[:3]
        refusing.status = 403
        probes = await puller_of(net).probe()
        found = {probe.address: (probe.height, probe.status) for probe in probes}
        assert found == {ahead.address: (7, 0), behind.address: (3, 0), refusing.address: (0, 403)}
        for asked in ahead.asked:
            assert asked.behavior == SeekInfo.BLOCK_UNTIL_READY
            assert asked.error_response == SeekInfo.BEST_EFFORT
        assert await puller_of(net).newest_config() == net.blocks[4]

    story(world, tmp_path, tell, tellers=3)


@pytest.mark.parametrize(("statuses", "is_refusal"), [((403, 404), True), ((403, 503), False)])
def test_nobody_has_the_configuration(
    world: World, tmp_path: Path, statuses: tuple[int, int], is_refusal: bool
) -> None:
    async def tell(net: Net) -> None:
        for teller, status in zip(net.tellers, statuses, strict=True):
            teller.status = status
        with pytest.raises(NoSource) as failure:
            await puller_of(net).newest_config()
        assert failure.value.is_refusal == is_refusal
        assert all(teller.address in str(failure.value) for teller in net.tellers)

    story(world, tmp_path, tell, tellers=2)


def test_pauses_grow_and_begin_anew() -> None:
    patience = Patience(ReplicationSettings(retry_timeout_s=1.0, max_retries=10))
    pauses = [patience.next_pause() for _ in range(25)]
    assert pauses[:3] == pytest.approx([0.05, 0.075, 0.1125])
    assert max(pauses[:10]) == 1.0
    assert patience.is_exhausted
    assert pauses[-1] == 60.0
    patience.renew()
    assert (patience.next_pause(), patience.is_exhausted) == (0.05, False)


def test_polls_grow_rare_and_frequent_again(world: World, tmp_path: Path) -> None:
    pauses: list[float] = []

    class Others:
        """Have something after the tenth poll, and nothing else."""

        pulled = 0

        async def pull(self, height: int) -> None:
            self.pulled = height

        async def height_above(self, height: int) -> int:
            assert height == 1
            return 2 if len(pauses) == 10 and not self.pulled else 0

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 12:
            await asyncio.Event().wait()

    async def tell(net: Net) -> None:
        chain = FollowerChain(net.support, Others(), lambda _: False, pause=pause)
        chain.start()
        await until(lambda: len(pauses) == 12)
        await chain.halt()
        assert pauses[:3] == [0.5, 0.75, 1.125]
        assert pauses[9:] == [10.0, 9.5, 10.0]

    story(world, tmp_path, tell)
