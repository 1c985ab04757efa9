# SPDX-License-Identifier: Apache-2.0
"""Channels on Kafka: what a topic's messages become, and what a chain does without its brokers."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kafka import TopicPartition

from consenting import TIMEOUT_S, ManualClock, Support, Values, run, turns
from fastledger.common.errors import LedgerCorrupted
from fastledger.orderer.blockcutter import Message
from fastledger.orderer.consensus.chain import ChainHalted, Relation, Standing, Status
from fastledger.orderer.consensus.kafka import blockmaker, messages, partition
from fastledger.orderer.consensus.kafka.blockmaker import BlockMaker
from fastledger.orderer.consensus.kafka.chain import KafkaChain
from fastledger.orderer.consensus.kafka.errors import (
    BrokersUnreachable,
    OffsetGone,
    TopicOutOfStep,
)
from fastledger.orderer.consensus.kafka.messages import Offsets
from fastledger.orderer.consensus.kafka.settings import KafkaSettings, Retry
from fastledger.protos.common.common_pb2 import (
    LAST_CONFIG,
    ORDERER,
    Block,
    ChannelHeader,
    Envelope,
    Header,
    HeaderType,
    LastConfig,
    Metadata,
    Payload,
)
from fastledger.protos.orderer.kafka_pb2 import KafkaMessage, KafkaMessageRegular, KafkaMetadata
from fastledger.protoutil.blocks import new_block
from waiting import until

RETRY = Retry()


def envelope(name: str, kind: int = HeaderType.ENDORSER_TRANSACTION) -> bytes:
    header = ChannelHeader(type=kind, channel_id="channel")
    payload = Payload(header=Header(channel_header=header.SerializeToString()), data=name.encode())
    return Envelope(payload=payload.SerializeToString()).SerializeToString()


def name_of(encoded: bytes) -> str:
    return Payload.FromString(Envelope.FromString(encoded).payload).data.decode()


@dataclass
class Capabilities:
    names: frozenset[str] = frozenset(("V1_4_2",))


@dataclass
class KafkaValues(Values):
    consensus_type: str = "kafka"
    capabilities: Capabilities = field(default_factory=Capabilities)


class KafkaSupport(Support):
    """A channel on Kafka; a configuration makes the sequence go on."""

    def __init__(self, height: int = 1) -> None:
        super().__init__()
        self.orderer = KafkaValues()
        self.height = height
        self.switched = 0
        self.failure: Exception | None = None

    def process_config(self, envelope: bytes) -> bytes:
        self.process_normal(envelope)
        return envelope

    def block(self, number: int) -> bytes:
        """An encoded block; of its metadata the last configuration and what Kafka keeps."""
        if not self.written:
            return new_block(number, b"", [envelope("before")]).SerializeToString()
        envelopes, kept = self.written[number - 1]
        block = new_block(number, b"", envelopes)
        block.metadata.metadata[ORDERER] = kept
        last = LastConfig(
            index=max((one for one in self.configurations if one <= number), default=0)
        )
        value = Metadata(value=last.SerializeToString()).SerializeToString()
        block.metadata.metadata[LAST_CONFIG] = value
        return block.SerializeToString()

    def changed(self) -> None:
        pass

    def fail(self, error: Exception) -> None:
        self.failure = error

    async def drained(self, blocks: int) -> None:
        pass

    def switch_chain(self) -> None:
        self.switched += 1

    @property
    def blocks(self) -> list[tuple[list[str], tuple[int, int, int]]]:
        """Names of the messages, and the offsets that each block keeps."""
        found = []
        for block, metadata in self.written:
            kept = KafkaMetadata.FromString(Metadata.FromString(metadata).value)
            offsets = (
                kept.last_offset_persisted,
                kept.last_original_offset_processed,
                kept.last_resubmitted_config_offset,
            )
            found.append(([name_of(one) for one in block], offsets))
        return found


class World:
    """One orderer's block maker, and the topic as it writes to it."""

    def __init__(self, offsets: Offsets | None = None) -> None:
        self.support = KafkaSupport()
        self.clock = ManualClock()
        self.posted: list[bytes] = []
        self.away = 0
        """So many times nobody takes what is posted."""
        self.maker = BlockMaker(
            self.support,  # type: ignore[arg-type]
            offsets or Offsets(),
            self._post,
            clock=self.clock,
        )

    async def _post(self, value: bytes) -> None:
        if self.away:
            self.away -= 1
            raise ChainHalted("cannot enqueue")
        self.posted.append(value)

    async def take(self, *values: bytes, start: int = 0) -> None:
        for offset, value in enumerate(values, start):
            await self.maker.take(value, offset)


def normal(name: str, sequence: int = 0, original: int = 0) -> bytes:
    return messages.normal(envelope(name), sequence, original)


def config(name: str, sequence: int = 0, original: int = 0) -> bytes:
    return messages.config(envelope(name, HeaderType.CONFIG), sequence, original)


def test_a_message_is_put_there_again_as_often_as_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its client was told that it is there; the brokers may be away just then."""
    monkeypatch.setattr(blockmaker, "REPOST_S", 0)

    async def tell() -> None:
        world = World()
        world.away = 3
        await world.take(config("C"), normal("overtaken"), start=5)
        assert world.posted == [normal("overtaken", 1, 6)]
        world.away = 1 << 30
        taking = asyncio.create_task(world.take(normal("another"), start=7))
        await turns()
        assert not taking.done()
        world.maker.stop()
        await taking
        assert len(world.posted) == 1

    run(tell())


def test_offsets_of_blocks_cut_by_count_time_and_configuration() -> None:
    async def tell() -> None:
        world = World()
        await world.take(
            messages.CONNECT,  # 0
            normal("a"),
            normal("b"),
            normal("c"),  # 3: the third fills the block
            normal("d"),
            messages.time_to_cut(2),  # 5
            messages.time_to_cut(2),  # too late
            normal("e"),
            config("C"),  # 8: what is pending first
            normal("f", 1),
        )
        assert world.support.blocks == [
            (["a", "b", "c"], (3, 0, 0)),
            (["d"], (5, 0, 0)),
            (["e"], (7, 0, 0)),
            (["C"], (8, 0, 0)),
        ]

    run(tell())


def test_a_message_that_does_not_fit_stays_out_of_the_offset() -> None:
    """The block before it says that its own message is still to be read."""

    async def tell() -> None:
        world = World()
        size = len(Envelope.FromString(envelope("12")).payload)
        world.support.orderer.batch_size.preferred_max_bytes = size + 2
        await world.take(normal("a"), normal("b"), normal("12345"), normal("c"))
        # b cuts a and stays pending; what is too large cuts b and has a block of its own.
        assert world.support.blocks == [
            (["a"], (0, 0, 0)),
            (["b"], (1, 0, 0)),
            (["12345"], (2, 0, 0)),
        ]

    run(tell())


def test_the_batch_timer_asks_in_the_topic() -> None:
    async def tell() -> None:
        world = World()
        await world.take(normal("a"))
        world.clock.advance(TIMEOUT_S)
        await turns()
        assert world.posted == [messages.time_to_cut(1)]
        assert world.support.written == []
        await world.take(world.posted[0], start=1)
        assert world.support.blocks == [(["a"], (1, 0, 0))]
        assert world.clock.pending == 0

    run(tell())


def test_a_timer_that_could_not_ask_asks_again() -> None:
    async def tell() -> None:
        world = World()
        failures = [BrokersUnreachable("gone")]

        async def post(value: bytes) -> None:
            if failures:
                raise failures.pop()
            world.posted.append(value)

        world.maker._post = post
        await world.take(normal("a"))
        for _ in range(2):
            world.clock.advance(TIMEOUT_S)
            await turns()
        assert world.posted == [messages.time_to_cut(1)]

    run(tell())


@pytest.mark.parametrize("value", [messages.time_to_cut(2), messages.time_to_cut(1)])
def test_a_topic_of_another_channel(value: bytes) -> None:
    async def tell() -> None:
        with pytest.raises(TopicOutOfStep):
            await World().take(value)

    run(tell())


def test_a_stale_message_is_judged_and_put_there_again() -> None:
    async def tell() -> None:
        world = World()
        world.support.orderer.batch_size.max_message_count = 1
        world.support.refused = {envelope("bad")}
        await world.take(config("C"), normal("a"), normal("bad"))
        assert world.posted == [normal("a", 1, 1)]
        # Each orderer puts it there; the first that comes counts.
        await world.take(normal("a", 1, 1), normal("a", 1, 1), normal("b", 1), start=3)
        assert world.support.blocks[1:] == [(["a"], (3, 1, 0)), (["b"], (5, 1, 0))]

    run(tell())


def test_a_message_whose_copies_all_pass_over_is_put_there_as_a_new_one() -> None:
    """An orderer that gave it up has put there again what came behind it."""

    async def tell() -> None:
        world = World()
        await world.take(config("C"), normal("a"), normal("b"))
        assert world.posted == [normal("a", 1, 1), normal("b", 1, 2)]
        # Another's copy of b comes before all of a, and again with those of both.
        await world.take(normal("b", 1, 2), *world.posted, *world.posted, start=3)
        assert world.posted[2:] == [normal("a", 1)]
        await world.take(normal("a", 1), messages.time_to_cut(2), start=8)
        assert world.support.blocks[1:] == [(["b", "a"], (9, 2, 0))]

        support = world.support
        support.height = len(support.written) + 1
        again = World(Offsets(9, 2, 0))
        again.support = support
        again.maker = BlockMaker(support, Offsets(9, 2, 0), again._post, clock=again.clock)  # type: ignore[arg-type]
        await again.take(normal("a", 1, 1), normal("b", 1, 2), normal("lost", 1, 2), start=10)
        assert again.posted == [normal("lost", 1)]

    run(tell())


def test_the_original_offset_stays_behind_a_block_that_leaves_its_message_pending() -> None:
    """What Fabric's orderers do, and so all must: the block's cut does not move it."""

    async def tell() -> None:
        world = World(Offsets(9, 2, 0))
        size = len(Envelope.FromString(envelope("12")).payload)
        world.support.orderer.batch_size.preferred_max_bytes = size
        await world.take(normal("a"), normal("b", 0, 5), start=10)
        assert world.support.blocks == [(["a"], (10, 2, 0))]
        # It has not moved, so the same message once more is no repetition.
        await world.take(normal("b", 0, 5), start=12)
        assert world.support.blocks[1:] == [(["b"], (11, 2, 0))]

    run(tell())


def test_a_stale_configuration_closes_the_door_until_it_is_back() -> None:
    async def tell() -> None:
        world = World()
        await world.take(config("C"), config("D"))
        assert world.posted == [config("D", 1, 1)]
        assert not world.maker.open_to_clients.is_set()
        await world.take(config("D", 1, 1), start=2)
        assert world.maker.open_to_clients.is_set()
        assert world.support.blocks == [(["C"], (0, 0, 0)), (["D"], (2, 1, 1))]

    run(tell())


def test_a_configuration_that_is_refused_when_it_is_back_opens_the_door() -> None:
    async def tell() -> None:
        world = World()
        await world.take(config("C"), config("D"), config("E", 1))
        assert not world.maker.open_to_clients.is_set()
        world.support.refused = {envelope("D", HeaderType.CONFIG)}
        await world.take(config("D", 1, 1), start=3)
        assert world.maker.open_to_clients.is_set()
        assert [names for names, _ in world.support.blocks] == [["C"], ["E"]]

    run(tell())


def test_what_others_have_put_there_again_is_counted() -> None:
    """A configuration that only another orderer found valid."""

    async def tell() -> None:
        world = World()
        await world.take(config("D", 0, 7), start=9)
        assert world.support.blocks == [(["D"], (9, 7, 7))]
        await world.take(config("D", 1, 7), start=10)
        assert len(world.support.written) == 1

    run(tell())


def test_a_block_cut_on_time_forgets_the_configuration() -> None:
    async def tell() -> None:
        world = World(Offsets(4, 3, 3))
        await world.take(normal("a"), messages.time_to_cut(1), start=5)
        assert world.support.blocks == [(["a"], (6, 3, 0))]

    run(tell())


@pytest.mark.parametrize("is_old_message", [True, False])
def test_as_orderers_before_1_1(is_old_message: bool) -> None:
    """Judged again, never put there again, no offset but the one that is read."""

    async def tell() -> None:
        world = World()
        kind = KafkaMessageRegular.UNKNOWN if is_old_message else KafkaMessageRegular.NORMAL
        if not is_old_message:
            world.support.orderer.capabilities.names = frozenset()
        world.support.sequence = 3
        world.support.refused = {envelope("bad")}
        world.support.orderer.batch_size.max_message_count = 1

        def old(encoded: bytes) -> bytes:
            regular = KafkaMessageRegular(payload=encoded, **{"class": kind})  # type: ignore[arg-type]
            return KafkaMessage(regular=regular).SerializeToString()

        update = envelope("update", HeaderType.CONFIG_UPDATE)
        await world.take(
            *map(old, (envelope("a"), envelope("bad"), update, envelope("C", HeaderType.CONFIG)))
        )
        assert world.support.blocks == [(["a"], (0, 0, 0)), (["C"], (3, 0, 0))]
        assert world.posted == []

    run(tell())


def test_what_cannot_be_read_is_passed_over() -> None:
    async def tell() -> None:
        world = World()
        world.support.orderer.batch_size.max_message_count = 1
        garbled = messages.normal(b"no envelope", 0)
        unknown = KafkaMessage(
            regular=KafkaMessageRegular(payload=envelope("x"), **{"class": 9})  # type: ignore[arg-type]
        ).SerializeToString()
        await world.take(b"\xff", garbled, unknown, b"", normal("a"))
        assert world.support.blocks == [(["a"], (4, 0, 0))]

    run(tell())


@given(
    st.lists(
        st.sampled_from(["small", "large", "again", "repeated", "config", "cut", "connect"]),
        max_size=40,
    ),
    st.lists(st.integers(0, 40), max_size=4),
    st.integers(2, 5),
)
@example(["small", "small", "again", "repeated", "cut", "repeated", "cut"], [4], 5)
@example(["small", "small", "again", "small", "again", "cut"], [4, 6], 4)
def test_a_restart_makes_the_same_blocks(kinds: list[str], restarts: list[int], count: int) -> None:
    """An orderer that goes on from its last block writes what one writes that never ended.

    Among the messages are such as were put there again, and their repetitions.
    """

    async def tell() -> None:
        steady = World()
        size = len(Envelope.FromString(envelope("123")).payload)
        steady.support.orderer.batch_size.preferred_max_bytes = 2 * size
        steady.support.orderer.batch_size.max_message_count = count
        log = [messages.CONNECT]
        repeated = messages.CONNECT
        for number, kind in enumerate(kinds):
            value = {
                "small": normal(f"{number}", steady.support.sequence),
                "large": normal(f"{number}" * 12, steady.support.sequence),
                "again": normal(f"{number}", steady.support.sequence, len(log)),
                "repeated": repeated,
                "config": config(f"{number}", steady.support.sequence),
                "cut": messages.time_to_cut(len(steady.support.written) + 1),
                "connect": messages.CONNECT,
            }[kind]
            if kind == "cut" and not steady.maker._cutter.pending:
                continue
            if kind == "again":
                repeated = value
            await steady.take(value, start=len(log))
            log.append(value)

        restarted, at = World(), 0
        restarted.support.orderer.batch_size = steady.support.orderer.batch_size
        for stop in (*sorted(restarts), len(log)):
            await restarted.take(*log[at:stop], start=at)
            support = restarted.support
            kept = support.written[-1][1] if support.written else b""
            offsets = Offsets.read(kept, "channel")
            at = max(offsets.persisted, 0)
            support.height = len(support.written) + 1
            restarted.maker = BlockMaker(support, offsets, restarted._post, clock=restarted.clock)  # type: ignore[arg-type]
        assert restarted.support.written == steady.support.written

    run(tell())


def test_metadata_that_cannot_be_read() -> None:
    with pytest.raises(LedgerCorrupted, match="Kafka metadata"):
        Offsets.read(Metadata(value=b"\xff\xff").SerializeToString(), "channel")
    assert Offsets.read(Metadata().SerializeToString(), "channel") == Offsets(-3, 0, 0)


class FakeTopic:
    """A topic whose brokers a test takes away."""

    def __init__(self) -> None:
        self.log: list[bytes] = []
        self.is_away = False
        self.reads: list[int] = []
        self.failure: Exception | None = None
        self._closed = asyncio.Event()
        self.reachable: Callable[[bool], None] = lambda _: None
        self._more = asyncio.Event()

    async def open(self) -> None:
        self._check()

    async def post(self, value: bytes) -> int:
        self._check()
        self.log.append(value)
        self._more.set()
        return len(self.log) - 1

    async def read(
        self,
        start: int,
        take: Callable[[list[tuple[int, bytes]]], Awaitable[None]],
        reachable: Callable[[bool], None],
    ) -> None:
        self.reads.append(start)
        self.reachable = reachable
        if self.failure:
            raise self.failure
        at = max(start, 0)
        while not self._closed.is_set():
            await take(list(enumerate(self.log))[at:])
            at = len(self.log)
            self._more.clear()
            await self._more.wait()

    async def close(self) -> None:
        self._closed.set()
        self._more.set()

    def _check(self) -> None:
        if self.is_away:
            raise BrokersUnreachable("no broker answers")


def chain_of(topic: FakeTopic, offsets: Offsets | None = None) -> tuple[KafkaChain, KafkaSupport]:
    support: Any = KafkaSupport()
    support.orderer.batch_size.max_message_count = 1
    retry = Retry(short_interval_s=0.001, consumer_backoff_s=0.001)
    return KafkaChain(support, topic, offsets or Offsets(), retry), support


def test_messages_go_through_the_topic() -> None:
    async def tell() -> None:
        topic = FakeTopic()
        topic.is_away = True
        chain, support = chain_of(topic)
        chain.start()
        await turns()
        assert chain.standing == Standing(Relation.OTHER, Status.INACTIVE)
        with pytest.raises(ChainHalted, match="backing Kafka cluster has not completed booting"):
            await chain.wait_ready()
        topic.is_away = False
        await until(lambda: not chain.errored)
        assert topic.reads == [-2]
        await chain.wait_ready()
        await chain.order(Message(envelope("a"), 1), 0)
        await chain.configure(envelope("C", HeaderType.CONFIG), 0)
        await turns()
        assert [names for names, _ in support.blocks] == [["a"], ["C"]]
        assert chain.standing == Standing(Relation.OTHER, Status.ACTIVE)

        topic.is_away = True
        with pytest.raises(ChainHalted, match="cannot enqueue"):
            await chain.order(Message(envelope("b"), 1), 1)
        topic.reachable(False)
        assert chain.errored
        topic.reachable(True)
        assert not chain.errored

        await chain.halt()
        with pytest.raises(ChainHalted, match="consenter for this channel has been halted"):
            await chain.wait_ready()

    run(tell())


def test_clients_wait_for_a_configuration_on_its_way() -> None:
    async def tell() -> None:
        topic = FakeTopic()
        topic.log = [messages.CONNECT] * 6
        chain, support = chain_of(topic, Offsets(5, 3, 4))
        chain.start()
        await until(lambda: not chain.errored)
        waiting = asyncio.ensure_future(chain.wait_ready())
        await turns()
        assert not waiting.done()
        await topic.post(config("C", 0, 4))
        await waiting
        assert support.blocks == [(["C"], (7, 4, 4))]
        await chain.halt()

    run(tell())


@pytest.mark.parametrize("failure", [OffsetGone("the topic was made anew"), None])
def test_a_chain_whose_topic_is_not_its_own_ends(failure: OffsetGone | None) -> None:
    async def tell() -> None:
        topic = FakeTopic()
        topic.failure = failure
        if failure is None:
            topic.log = [messages.time_to_cut(7)]
        chain, support = chain_of(topic)
        chain.start()
        await until(lambda: chain.standing.status is Status.FAILED)
        assert chain.errored
        assert isinstance(support.failure, OffsetGone if failure else TopicOutOfStep)
        with pytest.raises(ChainHalted, match="made anew" if failure else "larger time-to-cut"):
            await chain.order(Message(envelope("a"), 1), 0)
        await chain.halt()

    run(tell())


def test_a_channel_that_moves_to_another_consensus_leaves_its_topic() -> None:
    async def tell() -> None:
        topic = FakeTopic()
        chain, support = chain_of(topic)
        write = support.write

        def write_and_move(block: Block, kept: bytes = b"") -> None:
            write(block, kept)
            support.orderer.consensus_type = "etcdraft"

        support.write = write_and_move  # type: ignore[method-assign,assignment]
        topic.log = [config("C"), normal("nobody's", 1)]
        chain.start()
        await until(lambda: support.switched)
        assert [names for names, _ in support.blocks] == [["C"]]
        await chain.halt()

    run(tell())


@dataclass
class Record:
    offset: int
    value: bytes


class StalledConsumer:
    """Answers and fetches nothing, as kafka-python's may once a broker was away."""

    made: ClassVar[list["StalledConsumer"]] = []

    def __init__(self, **_: object) -> None:
        self.start = -1
        self.is_closed = False
        self.made.append(self)

    def assign(self, partitions: list[TopicPartition]) -> None:
        pass

    def seek(self, partition: TopicPartition, start: int) -> None:
        self.start = start

    def poll(self, timeout_ms: int) -> dict[TopicPartition, list[Record]]:
        first = len(self.made) == 1
        stop = 7 if first else 9
        records = [Record(offset, b"%d" % offset) for offset in range(self.start, stop)]
        self.start = max(self.start, stop)
        return {TopicPartition("channel", 0): records} if records else {}

    def end_offsets(
        self, partitions: list[TopicPartition], timeout_ms: int
    ) -> dict[TopicPartition, int]:
        return {partitions[0]: 9}

    def close(self, timeout_ms: int) -> None:
        self.is_closed = True


def test_a_reader_that_gets_nothing_of_what_is_there_connects_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(partition, "KafkaConsumer", StalledConsumer)
    monkeypatch.setattr(StalledConsumer, "made", [])

    async def story() -> None:
        topic = partition.Partition("channel", ["127.0.0.1:1"], 1000, KafkaSettings())
        taken: list[int] = []

        async def take(records: list[tuple[int, bytes]]) -> None:
            taken.extend(offset for offset, _ in records)
            if taken[-1] == 8:
                await topic.close()

        await topic.read(5, take, lambda _: None)
        assert taken == [5, 6, 7, 8]

    run(story())
    assert [one.is_closed for one in StalledConsumer.made] == [True, True]
