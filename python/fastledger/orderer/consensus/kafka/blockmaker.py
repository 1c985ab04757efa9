# SPDX-License-Identifier: Apache-2.0
"""Makes blocks of the messages of a topic, the same on every orderer that reads it.

Fabric: ``processMessagesToBlocks`` (``orderer/consensus/kafka/chain.go``, 1.4.12). Nothing here may
depend on anything but the messages, their offsets and the configuration, or orderers fork::

    take(message, offset)
      CONNECT ............ nothing
      TIME_TO_CUT n ...... cut, if n is the next block; whoever's timer ran out first has put it
      REGULAR, judged by an older configuration:
                           judged anew, and put into the topic again with the offset that it has
                           here as its original one: all do so, and the first that comes counts;
                           if none can count any more, it is put there as a new message
      REGULAR NORMAL ..... into the pending batch
      REGULAR CONFIG ..... what is pending is cut, then a block of its own

A block keeps the offset of the last message whose effect it has. An orderer that starts again takes
that message first, to learn how the block was cut, and then goes on.
"""

import asyncio
from collections.abc import Awaitable, Callable

from google.protobuf.message import DecodeError

from fastledger.common import log, metrics
from fastledger.common.errors import FastledgerError
from fastledger.orderer.blockcutter import Batch, BlockCutter, Message
from fastledger.orderer.consensus.batcher import MAX_UNWRITTEN_BLOCKS
from fastledger.orderer.consensus.chain import ConsenterSupport
from fastledger.orderer.consensus.clock import LOOP, Clock, Timer
from fastledger.orderer.consensus.kafka import messages
from fastledger.orderer.consensus.kafka.errors import TopicOutOfStep
from fastledger.orderer.consensus.kafka.messages import Offsets
from fastledger.orderer.consensus.kafka.overtaken import Overtaken
from fastledger.orderer.errors import Rejected
from fastledger.orderer.msgprocessor.message import OrdererMessage
from fastledger.protos.common.common_pb2 import Block, HeaderType
from fastledger.protos.orderer.kafka_pb2 import KafkaMessage, KafkaMessageRegular
from fastledger.protoutil.blocks import last_config_index

_RESUBMISSION = frozenset(("V1_1", "V1_4_2", "V2_0", "V3_0"))
"""Capabilities of orderers that know a message which was put into the topic again."""

REPOST_S = 0.5
"""Between attempts to put a message into the topic again."""

_CONFIGURATIONS = (HeaderType.CONFIG, HeaderType.ORDERER_TRANSACTION)

_logger = log.get("orderer.consensus.kafka")


class BlockMaker:
    """The way of one channel from messages to blocks."""

    def __init__(
        self,
        support: ConsenterSupport,
        offsets: Offsets,
        post: Callable[[bytes], Awaitable[None]],
        *,
        clock: Clock = LOOP,
    ) -> None:
        """Go on after a channel's last block.

        Args:
            support: The channel.
            offsets: What the last block keeps.
            post: Puts a message into the topic; raises ChainHalted when that fails.
            clock: Times the batches.
        """
        self._support = support
        self._offsets = offsets
        self._post = post
        self._clock = clock
        self._cutter = BlockCutter(
            support.channel_id, lambda: support.orderer.batch_size, clock.time
        )
        self._timer: Timer | None = None
        self._is_stopped = False
        self._posting: set[asyncio.Task[None]] = set()
        self._last_cut = support.height - 1
        self._overtaken = Overtaken(support)
        self._in_last_block = offsets.persisted
        self._has_cut_last_block: int | None = None
        self._persisted = metrics.gauge(
            "consensus_kafka_last_offset_persisted",
            "The offset specified in the block metadata of the most recently committed block.",
            ("channel",),
        ).labels(support.channel_id)
        self._persisted.set(offsets.persisted)
        self.open_to_clients = asyncio.Event()
        """Clear while a configuration that was put into the topic again has not come back."""
        if not offsets.is_config_on_its_way:
            self.open_to_clients.set()

    async def take(self, value: bytes, offset: int) -> None:
        """Process the message at an offset; one that no block can hold is told and passed over.

        The first may be the one whose offset the last block keeps.

        Raises:
            TopicOutOfStep: No block can follow.
        """
        try:
            message = KafkaMessage.FromString(value)
        except DecodeError as error:
            self._tell("the message at offset %d cannot be read: %s", offset, error)
            return
        kind = message.WhichOneof("Type")
        if offset == self._in_last_block:
            is_cut_on_time = message.time_to_cut.block_number == self._last_cut
            if not is_cut_on_time and self._has_room_in_last_block():
                self._has_cut_last_block = offset + 1
        elif kind == "time_to_cut":
            self._cut_on_time(message.time_to_cut.block_number, offset)
        elif kind == "regular":
            try:
                await self._take_regular(message.regular, offset)
            except Rejected as error:
                self._tell("the message at offset %d is discarded: %s", offset, error)
        if self._support.unwritten >= MAX_UNWRITTEN_BLOCKS:
            await self._support.drained(MAX_UNWRITTEN_BLOCKS - 1)

    def stop(self) -> None:
        """Let no timer run out any more; what is pending stays in the topic."""
        self._is_stopped = True
        self._stop_timer()
        for task in self._posting:
            task.cancel()

    def _has_room_in_last_block(self) -> bool:
        """Whether nothing in the last block has cut it: neither count, size, nor configuration."""
        block = Block.FromString(self._support.block(self._last_cut))
        sizes = self._support.orderer.batch_size
        envelopes = block.data.data
        return (
            last_config_index(block) != self._last_cut
            and len(envelopes) < sizes.max_message_count
            and OrdererMessage.parse(envelopes[0]).size <= sizes.preferred_max_bytes
        )

    async def _take_regular(self, regular: KafkaMessageRegular, offset: int) -> None:
        kind = getattr(regular, "class")
        message = OrdererMessage.parse(regular.payload)
        if kind == KafkaMessageRegular.UNKNOWN or not self._knows_resubmissions:
            await self._take_as_before_1_1(message, offset)
        elif kind == KafkaMessageRegular.NORMAL:
            await self._take_normal(message, regular, offset)
        elif kind == KafkaMessageRegular.CONFIG:
            await self._take_config(message, regular, offset)
        else:
            raise Rejected(f"unsupported regular kafka message type: {kind}")

    @property
    def _knows_resubmissions(self) -> bool:
        return not _RESUBMISSION.isdisjoint(self._support.orderer.capabilities.names)

    async def _take_as_before_1_1(self, message: OrdererMessage, offset: int) -> None:
        """Judge a message anew, and never put it there again: such orderers would repeat it."""
        if message.type == HeaderType.CONFIG_UPDATE:
            raise Rejected("not expecting message of type ConfigUpdate")
        if message.type in _CONFIGURATIONS:
            self._support.process_config(message.encoded)
            await self._commit_config(message, offset, self._offsets.original)
        else:
            self._support.process_normal(message.encoded)
            self._commit_normal(message, offset, self._offsets.original)

    async def _take_normal(
        self, message: OrdererMessage, regular: KafkaMessageRegular, offset: int
    ) -> None:
        if self._is_processed(regular):
            await self._save(regular)
            return
        if regular.config_seq < self._support.sequence:
            self._support.process_normal(message.encoded)
            sequence = self._support.sequence
            await self._repost(messages.normal(message.encoded, sequence, offset))
            return
        self._overtaken.settle(regular.original_offset)
        original = regular.original_offset or self._offsets.original
        self._commit_normal(message, offset, original)

    async def _take_config(
        self, message: OrdererMessage, regular: KafkaMessageRegular, offset: int
    ) -> None:
        offsets, sequence = self._offsets, self._support.sequence
        if regular.original_offset == offsets.resubmitted_config:
            # It is back, whatever becomes of it. Fabric's clients would wait on if it is refused.
            self.open_to_clients.set()
        if self._is_processed(regular):
            await self._save(regular)
            return
        if regular.original_offset:
            # Others may have found valid what we have not: all must count it.
            offsets.resubmitted_config = max(offsets.resubmitted_config, regular.original_offset)
        if regular.config_seq < sequence:
            following = self._support.process_config(message.encoded)
            await self._repost(messages.config(following, sequence, offset))
            offsets.resubmitted_config = offset
            self.open_to_clients.clear()
            return
        self._overtaken.settle(regular.original_offset)
        await self._commit_config(message, offset, regular.original_offset or offsets.original)

    def _is_processed(self, regular: KafkaMessageRegular) -> bool:
        """Whether another orderer has put the same message there again, and it has come before."""
        return bool(regular.original_offset) and regular.original_offset <= self._offsets.original

    async def _save(self, regular: KafkaMessageRegular) -> None:
        """Put a message there as a new one, of which copies are passed over and none was taken.

        It may come twice when several orderers do so: peers find that out.
        """
        original = regular.original_offset
        if self._overtaken.is_lost(original, regular.payload):
            self._overtaken.settle(original)
            self._tell("the message first received at offset %d was passed over by all", original)
            anew = KafkaMessageRegular()
            anew.CopyFrom(regular)
            anew.original_offset = 0
            await self._repost(KafkaMessage(regular=anew).SerializeToString())

    async def _repost(self, message: bytes) -> None:
        """Put a message there again, as often as it takes: its client was told that it is there.

        Fabric tries once, and all orderers may fail while the brokers are away. Twice does no harm.
        """
        while True:
            try:
                await self._post(message)
            except FastledgerError as error:
                if self._is_stopped:
                    raise Rejected(f"error re-submitting message because = {error}") from error
                self._tell("error re-submitting message, trying again: %s", error)
                await asyncio.sleep(REPOST_S)
            else:
                return

    def _commit_normal(self, message: OrdererMessage, offset: int, original: int) -> None:
        """Put a message into the pending batch, and write the batches that are cut by it.

        Where one batch is cut and the message stays pending, the original offset does not move:
        Fabric's orderers do so, and all must agree. It does not move either when such a message is
        taken anew after a restart. There Fabric's moves it, and differs from those that went on.
        """
        batches = self._cutter.ordered(Message(message.encoded, message.size))
        pending = bool(self._cutter.pending)
        self._set_timer()
        if not batches:
            if offset != self._has_cut_last_block:
                self._offsets.original = original
            return
        if pending or len(batches) == 2:
            self._write(batches[0], self._offsets.kept(offset - 1))
        else:
            self._offsets.original = original
            self._write(batches[0], self._offsets.kept(offset))
        if len(batches) == 2:
            self._offsets.original = original
            self._write(batches[1], self._offsets.kept(offset))

    async def _commit_config(self, message: OrdererMessage, offset: int, original: int) -> None:
        self._stop_timer()
        if batch := self._cutter.cut():
            self._write(batch, self._offsets.kept(offset - 1))
        self._offsets.original = original
        block = self._support.create_next([message.encoded])
        self._last_cut += 1
        await self._support.write_config(block, self._offsets.kept(offset))
        self._persisted.set(offset)

    def _cut_on_time(self, number: int, offset: int) -> None:
        following = self._last_cut + 1
        if number < following:
            return
        if number > following:
            raise TopicOutOfStep(
                f"got larger time-to-cut message ({number}) than allowed/expected ({following})"
            )
        self._stop_timer()
        batch = self._cutter.cut()
        if not batch:
            raise TopicOutOfStep(
                f"got right time-to-cut message (for block [{number}]), no pending requests though"
            )
        # As Fabric does it: such a block forgets which configuration was put there again.
        self._write(batch, self._offsets.kept(offset, with_config=False))

    def _write(self, batch: Batch, kept: bytes) -> None:
        self._support.write(self._support.create_next(batch), kept)
        self._last_cut += 1
        self._persisted.set(self._offsets.persisted)

    def _set_timer(self) -> None:
        if not self._cutter.pending:
            self._stop_timer()
        elif self._timer is None:
            timeout_s = self._support.orderer.batch_timeout
            self._timer = self._clock.call_later(timeout_s, self._time_is_up)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _time_is_up(self) -> None:
        self._timer = None
        task = asyncio.get_running_loop().create_task(self._ask_to_cut(self._last_cut + 1))
        self._posting.add(task)
        task.add_done_callback(self._posting.discard)

    async def _ask_to_cut(self, number: int) -> None:
        try:
            await self._post(messages.time_to_cut(number))
        except FastledgerError as error:
            self._tell("cannot post time-to-cut message for block %d: %s", number, error)
            if self._timer is None and self._cutter.pending and number == self._last_cut + 1:
                # Fabric would leave the batch to the next message.
                timeout_s = self._support.orderer.batch_timeout
                self._timer = self._clock.call_later(timeout_s, self._time_is_up)

    def _tell(self, text: str, *values: object) -> None:
        _logger.warning("[channel: %s] " + text, self._support.channel_id, *values)
