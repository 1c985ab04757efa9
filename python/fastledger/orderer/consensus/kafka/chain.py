# SPDX-License-Identifier: Apache-2.0
"""The chain of a channel that a Kafka cluster orders.

::

    order, configure ──► post ──► the topic ──► read ──► BlockMaker ──► write, write_config

    (made) ──start──► connecting ──► reading ──halt──► (halted)
                          ▲             │  ▲
                 retried for ever       ▼  │ the cluster is silent, and answers again
                                      errored
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from fastledger.channelconfig import Bundle
from fastledger.common import log
from fastledger.common.errors import FastledgerError, Unsupported
from fastledger.orderer.blockcutter import Message
from fastledger.orderer.consensus.chain import (
    ChainHalted,
    Consenter,
    ConsenterSupport,
    NobodyElse,
    Relation,
    Standing,
    Status,
)
from fastledger.orderer.consensus.clock import LOOP, Clock
from fastledger.orderer.consensus.kafka import messages
from fastledger.orderer.consensus.kafka.blockmaker import BlockMaker
from fastledger.orderer.consensus.kafka.errors import BrokersUnreachable, OffsetGone
from fastledger.orderer.consensus.kafka.messages import Offsets
from fastledger.orderer.consensus.kafka.settings import KafkaSettings, Retry

KIND = "kafka"
_BOOTING = "backing Kafka cluster has not completed booting; try again later"

_logger = log.get("orderer.consensus.kafka")


Record = tuple[int, bytes]
"""Offset and value of a message."""


class Topic(Protocol):
    """What a chain needs of its topic; see `Partition`."""

    async def open(self) -> None:
        """Connect to write."""

    async def post(self, value: bytes) -> int:
        """Put a message into the topic."""

    async def read(
        self,
        start: int,
        take: Callable[[list[Record]], Awaitable[None]],
        reachable: Callable[[bool], None],
    ) -> None:
        """Hand on messages from an offset on."""

    async def close(self) -> None:
        """End."""


class KafkaChain:
    """One channel's way through its topic."""

    def __init__(
        self,
        support: ConsenterSupport,
        topic: Topic,
        offsets: Offsets,
        retry: Retry,
        *,
        clock: Clock = LOOP,
    ) -> None:
        """Prepare the chain; `start` connects."""
        self._support = support
        self._topic = topic
        self._retry = retry
        # From the last message that is in a block; from the oldest where there is none.
        self._last_in_block = offsets.persisted
        self._start_at = offsets.persisted if offsets.persisted >= 0 else offsets.persisted + 1
        self._maker = BlockMaker(support, offsets, self._post, clock=clock)
        self._running: asyncio.Task[None] | None = None
        self._is_connected = False
        self._is_silent = False
        self._end: Exception | None = None
        self._halted = False

    @property
    def standing(self) -> Standing:
        """Active while blocks come."""
        if self._end is not None:
            return Standing(Relation.OTHER, Status.FAILED)
        return Standing(Relation.OTHER, Status.INACTIVE if self.errored else Status.ACTIVE)

    @property
    def errored(self) -> bool:
        """Whether the cluster is not there, or the chain has ended."""
        return self._halted or not self._is_connected or self._is_silent or self._end is not None

    def start(self) -> None:
        """Connect, and make blocks of what the topic has."""
        self._running = asyncio.get_running_loop().create_task(self._run())

    async def resign(self) -> None:
        """Do nothing: no orderer leads."""

    async def halt(self) -> None:
        """Take no more messages; what is pending stays in the topic."""
        self._halted = True
        self._maker.stop()
        self._maker.open_to_clients.set()
        await self._topic.close()
        if self._running is not None:
            if not self._is_connected:
                self._running.cancel()
            await asyncio.wait([self._running])
        await self._support.drained(0)

    def check_update(self, following: Bundle) -> None:
        """Allow: the brokers are not the channel's to lose."""

    async def wait_ready(self) -> None:
        """Return when messages are taken; waits for a configuration that is on its way again."""
        self._check_open()
        await self._maker.open_to_clients.wait()
        self._check_open()

    async def order(self, message: Message, sequence: int) -> None:
        """Put a message into the topic; whoever has made it waits for the brokers."""
        await self._enqueue(messages.normal(message.encoded, sequence))

    async def configure(self, envelope: bytes, sequence: int) -> None:
        """Put a configuration there."""
        await self._enqueue(messages.config(envelope, sequence))

    async def step(self, sender: int, message: bytes) -> None:
        """Refuse: orderers meet in the topic only."""
        raise NobodyElse(
            f"channel {self._support.channel_id} is ordered by Kafka; it takes no message of "
            f"consenter {sender} ({len(message)} bytes)"
        )

    async def _enqueue(self, message: bytes) -> None:
        self._check_open()
        await self._post(message)

    async def _post(self, message: bytes) -> None:
        try:
            await self._topic.post(message)
        except BrokersUnreachable as error:
            _logger.error("[channel: %s] cannot enqueue: %s", self._support.channel_id, error)
            raise ChainHalted("cannot enqueue") from error

    def _check_open(self) -> None:
        if self._halted:
            raise ChainHalted("consenter for this channel has been halted")
        if self._end is not None:
            raise ChainHalted(f"channel {self._support.channel_id} takes no messages: {self._end}")
        if not self._is_connected:
            raise ChainHalted(_BOOTING)

    async def _run(self) -> None:
        channel = self._support.channel_id
        try:
            await self._connect()
            self._is_connected = True
            self._support.changed()
            _logger.info("[channel: %s] reading its topic from %d", channel, self._start_at)
            while not self._halted:
                try:
                    await self._topic.read(self._start_at, self._take, self._told)
                except BrokersUnreachable as error:
                    _logger.error("[channel: %s] %s; it is tried again", channel, error)
                    self._told(False)
                    await asyncio.sleep(self._retry.consumer_backoff_s)
                except OffsetGone:
                    if self._start_at != self._last_in_block:
                        raise
                    self._start_at += 1
        except FastledgerError as error:
            _logger.critical("[channel: %s] makes no more blocks: %s", channel, error)
            self._end = error
            self._maker.stop()
            self._support.fail(error)

    async def _connect(self) -> None:
        """Open the topic and put a message there, which makes it on a broker that must be used."""
        waited_s = 0.0
        while True:
            try:
                await self._topic.open()
                await self._topic.post(messages.CONNECT)
                return
            except BrokersUnreachable as error:
                is_early = waited_s < self._retry.short_total_s
                pause_s = self._retry.short_interval_s if is_early else self._retry.long_interval_s
                _logger.warning(
                    "[channel: %s] %s; again in %g s", self._support.channel_id, error, pause_s
                )
            await asyncio.sleep(pause_s)
            waited_s += pause_s

    async def _take(self, records: list[Record]) -> None:
        for offset, value in records:
            if self._halted:
                return
            await self._maker.take(value, offset)
            self._start_at = offset + 1
            if self._support.orderer.consensus_type != KIND:
                # What follows is nobody's: the configuration has moved the channel elsewhere.
                self._halted = True
                self._support.switch_chain()

    def _told(self, answers: bool) -> None:
        if answers == self._is_silent:
            self._is_silent = not answers
            state = "answers again" if answers else "is silent"
            _logger.warning("[channel: %s] Kafka %s", self._support.channel_id, state)
            self._support.changed()


def consenter(settings: KafkaSettings) -> Consenter:
    """Return the kind: whoever has the channel reads its topic."""
    # The client tells of each connection, and nobody has asked it to.
    log.get("kafka").setLevel(logging.DEBUG if settings.verbose else logging.WARNING)

    def chain(support: ConsenterSupport, last_metadata: bytes) -> KafkaChain:
        if support.is_onboarding:
            raise Unsupported(
                f"channel {support.channel_id} is ordered by Kafka, whose messages make its blocks "
                "from the first one on; begin it with its genesis block"
            )
        # It takes a while to load, and most orderers have no such channel.
        from fastledger.orderer.consensus.kafka.partition import Partition

        values = support.orderer
        partition = Partition(
            support.channel_id,
            values.kafka_brokers,
            values.batch_size.absolute_max_bytes,
            settings,
        )
        offsets = Offsets.read(last_metadata, support.channel_id)
        return KafkaChain(support, partition, offsets, settings.retry)

    return Consenter(_allow, chain)


def _allow(channel_id: str, values: object) -> None:
    """There is nothing that this orderer could not run."""
