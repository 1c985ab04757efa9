# SPDX-License-Identifier: Apache-2.0
"""One channel's topic at its brokers, by kafka-python, whose calls block and run on threads.

::

    event loop                        │ writing thread        │ reading thread
    post ────────────────────────────►  send ──► broker       │
         ◄──── offset ───────────────────── acknowledged      │
    take(records) ◄───────────────────────────────────────────  poll ◄── broker
                  ──── taken ─────────────────────────────────►  the next
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from fastledger.common import log
from fastledger.orderer.consensus.kafka.client import (
    FRAMES_BYTES,
    MAX_MESSAGE_BYTES,
    failure,
    ms,
    options,
)
from fastledger.orderer.consensus.kafka.errors import BrokersTooOld, BrokersUnreachable, OffsetGone
from fastledger.orderer.consensus.kafka.settings import KafkaSettings
from fastledger.orderer.consensus.kafka.topics import PARTITION, Topics

KEY = b"0"
"""Of every message: its partition as a text."""

_POLL_MS = 500
"""So long may a reader go on that was told to stop."""
_OLDEST = -2
"""Kafka's "the oldest offset there is"."""

_logger = log.get("orderer.consensus.kafka")


class Partition:
    """The one partition of a channel's topic."""

    def __init__(
        self, topic: str, brokers: Sequence[str], largest_bytes: int, settings: KafkaSettings
    ) -> None:
        """Connect to nobody yet.

        Args:
            topic: The channel's name.
            brokers: Where the cluster is asked first, ``host:port``.
            largest_bytes: Of a message that a client may send.
            settings: How to speak to them.
        """
        self._topic = topic
        self._brokers = list(brokers)
        self._largest_bytes = largest_bytes
        self._settings = settings
        self._shared = options(brokers, settings)
        self._producer: KafkaProducer | None = None
        self._writing = ThreadPoolExecutor(1, f"kafka-write-{topic}")
        self._reading = ThreadPoolExecutor(1, f"kafka-read-{topic}")
        self._ending = False

    async def open(self) -> None:
        """Make the topic, where it is missing, and connect to write to it.

        Raises:
            BrokersUnreachable: That fails now.
        """
        await self._run(self._writing, self._connect)

    async def post(self, value: bytes) -> int:
        """Put a message into the topic, and return its offset once all in-sync brokers have it.

        Raises:
            BrokersUnreachable: Nobody knows whether it is there.
        """
        sent = await self._run(self._writing, lambda: self._send(value))
        try:
            return await asyncio.wrap_future(sent)
        except KafkaError as error:
            raise self._unreachable("it does not take a message", error) from error

    async def read(
        self,
        start: int,
        take: Callable[[list[tuple[int, bytes]]], Awaitable[None]],
        reachable: Callable[[bool], None],
    ) -> None:
        """Hand on messages from an offset on, in order, until `close`.

        Args:
            start: The first offset; -2 for the oldest.
            take: Takes some; what it raises ends the reading.
            reachable: Learns whether the cluster answers, after silence of its read timeout.

        Raises:
            OffsetGone: The first offset is not there.
        """
        loop = asyncio.get_running_loop()

        def on_loop(made: Any) -> None:
            asyncio.run_coroutine_threadsafe(made, loop).result()

        async def tell(answers: bool) -> None:
            reachable(answers)

        await self._run(
            self._reading,
            lambda: self._follow(
                start, lambda some: on_loop(take(some)), lambda answers: on_loop(tell(answers))
            ),
        )

    async def close(self) -> None:
        """End what runs; messages that are on their way may or may not arrive."""
        self._ending = True
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await self._run(self._writing, lambda: producer.close(timeout=1))
        self._writing.shutdown(wait=False)
        self._reading.shutdown(wait=False)

    async def _run(self, threads: ThreadPoolExecutor, work: Callable[[], Any]) -> Any:
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, work)
        except KafkaError as error:
            raise self._unreachable("it cannot be used", error) from error

    # On the writing thread.

    def _connect(self) -> None:
        if self._settings.makes_topics:
            self._make_topic()
        retry = self._settings.retry
        self._producer = KafkaProducer(
            **self._shared,
            acks="all",
            # Fabric's orderers do not number what they send; brokers before 0.11 cannot.
            enable_idempotence=False,
            retries=retry.producer_retries,
            retry_backoff_ms=ms(retry.producer_backoff_s),
            max_in_flight_requests_per_connection=1,
            max_request_size=MAX_MESSAGE_BYTES,
            max_block_ms=ms(retry.read_timeout_s),
            delivery_timeout_ms=ms(
                (retry.producer_retries + 1) * (retry.read_timeout_s + retry.producer_backoff_s)
            ),
            metrics_enabled=False,
        )

    def _make_topic(self) -> None:
        topics = Topics(self._brokers, self._settings)
        with contextlib.suppress(BrokersTooOld):
            if topics.make(self._topic, self._settings.replication_factor):
                _logger.info("[channel: %s] made the Kafka topic", self._topic)

    def _send(self, value: bytes) -> "Future[int]":
        sent: Future[int] = Future()
        if self._producer is None:
            raise BrokersUnreachable(f"channel {self._topic}: it is not connected to Kafka")
        posted = self._producer.send(self._topic, value, KEY, partition=PARTITION)
        posted.add_callback(lambda metadata: sent.set_result(metadata.offset))
        posted.add_errback(sent.set_exception)
        return sent

    # On the reading thread.

    def _follow(
        self,
        start: int,
        take: Callable[[list[tuple[int, bytes]]], None],
        tell: Callable[[bool], None],
    ) -> None:
        consumer = self._reader(start)
        partition = TopicPartition(self._topic, PARTITION)
        following = start
        silent_ms, silence_ms = 0, ms(self._settings.retry.read_timeout_s)
        try:
            while not self._ending:
                records = consumer.poll(_POLL_MS).get(partition)
                if records:
                    silent_ms = 0
                    tell(True)
                    take([(record.offset, record.value) for record in records])
                    following = records[-1].offset + 1
                elif (silent_ms := silent_ms + _POLL_MS) >= silence_ms and not self._ending:
                    silent_ms = 0
                    end = self._end(consumer, partition)
                    tell(end is not None)
                    if end is not None and end > max(following, 0):
                        # kafka-python may stop fetching when a broker was away.
                        _logger.warning(
                            "[channel: %s] nothing comes of the messages from %d up to %d; "
                            "connecting anew",
                            self._topic,
                            max(following, 0),
                            end,
                        )
                        consumer.close(timeout_ms=ms(1))
                        consumer = self._reader(following)
        except (OffsetOutOfRangeError, NoOffsetForPartitionError) as error:
            raise OffsetGone(
                f"channel {self._topic}: the Kafka topic has no message with the offset that "
                f"follows the last block's: it was deleted, or the topic was made anew: {error}"
            ) from error
        finally:
            consumer.close(timeout_ms=ms(1))

    def _reader(self, start: int) -> KafkaConsumer:
        partition = TopicPartition(self._topic, PARTITION)
        consumer = KafkaConsumer(
            **self._shared,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            allow_auto_create_topics=False,
            retry_backoff_ms=ms(self._settings.retry.consumer_backoff_s),
            # A broker before 0.10.1 gives nothing of what is larger.
            max_partition_fetch_bytes=self._largest_bytes + FRAMES_BYTES,
            metrics_enabled=False,
        )
        consumer.assign([partition])
        if start == _OLDEST:
            consumer.seek_to_beginning(partition)
        else:
            consumer.seek(partition, start)
        return consumer

    def _end(self, consumer: KafkaConsumer, partition: TopicPartition) -> int | None:
        """Return the offset that the next message will have; None when nobody answers."""
        timeout_ms = ms(self._settings.retry.read_timeout_s)
        try:
            end: int = consumer.end_offsets([partition], timeout_ms=timeout_ms)[partition]
        except KafkaError as error:
            _logger.warning("[channel: %s] Kafka does not answer: %s", self._topic, error)
            return None
        return end

    def _unreachable(self, what: str, error: KafkaError) -> BrokersUnreachable:
        return failure(self._topic, self._brokers, self._settings, what, error)
