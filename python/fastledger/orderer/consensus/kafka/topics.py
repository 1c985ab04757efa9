# SPDX-License-Identifier: Apache-2.0
"""A cluster asked for a channel's topic; the calls block."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code
from kafka.protocol.api_key import ApiKey

from fastledger.orderer.consensus.kafka.client import failure, ms, options
from fastledger.orderer.consensus.kafka.errors import BrokersTooOld, TopicRefused
from fastledger.orderer.consensus.kafka.settings import KafkaSettings

PARTITION = 0
"""The only one of a channel's topic."""

_TIMEOUT_S = 3.0
"""So long a cluster may take to make or delete a topic."""

_SAMPLE_REPLICAS = 3


class Topics:
    """The topics of one cluster."""

    def __init__(self, brokers: Sequence[str], settings: KafkaSettings) -> None:
        """Connect to nobody yet.

        Args:
            brokers: Where the cluster is asked first, ``host:port``.
            settings: How to speak to it.

        Raises:
            ConfigInvalid: A key or certificate cannot be used.
        """
        self._brokers = brokers
        self._settings = settings
        self._options = options(brokers, settings)

    def make(self, topic: str, replicas: int | None = None) -> bool:
        """Make a topic of one partition; say whether it was missing.

        Args:
            topic: Its name.
            replicas: How many brokers keep it; as many as there are, but no more than 3, without.

        Raises:
            BrokersUnreachable: Nobody answers.
            BrokersTooOld: They make a topic when it is first used, but not when asked.
            TopicRefused: The cluster does not make it.
        """
        with self._asking(topic) as admin:
            if ApiKey.CreateTopics not in admin.api_versions():
                raise BrokersTooOld(
                    f"Kafka at {', '.join(self._brokers)} is too old to make the topic {topic}: "
                    "it does so since version 0.10.1"
                )
            if replicas is None:
                replicas = min(_SAMPLE_REPLICAS, len(admin.describe_cluster()["brokers"]))
            wanted = {"num_partitions": 1, "replication_factor": replicas}
            answer = admin.create_topics(
                {topic: wanted}, timeout_ms=ms(_TIMEOUT_S), raise_errors=False
            )
            [made] = answer["topics"]
            return self._is_made(topic, made)

    def messages(self, topic: str) -> int | None:
        """Return how many messages a topic ever had; None when there is no such topic.

        Raises:
            BrokersUnreachable: Nobody answers.
        """
        with self._asking(topic) as admin:
            # To ask for the one topic would make it, at brokers before 0.11.
            if topic not in admin.list_topics():
                return None
        partition = TopicPartition(topic, PARTITION)
        with self._errors(topic):
            consumer = KafkaConsumer(**self._options, group_id=None, metrics_enabled=False)
            try:
                timeout_ms = ms(self._settings.retry.read_timeout_s)
                return int(consumer.end_offsets([partition], timeout_ms=timeout_ms)[partition])
            finally:
                consumer.close(timeout_ms=ms(1))

    def delete(self, topic: str) -> None:
        """Delete a topic, if it is there.

        Raises:
            BrokersUnreachable: Nobody answers, or the cluster does not delete it.
        """
        with self._asking(topic) as admin:
            try:
                admin.delete_topics([topic], timeout_ms=ms(_TIMEOUT_S))
            except UnknownTopicOrPartitionError:
                return

    def _is_made(self, topic: str, answer: dict[str, Any]) -> bool:
        error = for_code(answer["error_code"])
        if error is TopicAlreadyExistsError:
            return False
        if answer["error_code"]:
            reason = answer.get("error_message") or error.__name__
            raise TopicRefused(
                f"Kafka at {', '.join(self._brokers)} does not make the topic {topic}: {reason}"
            )
        return True

    @contextmanager
    def _asking(self, topic: str) -> Iterator[KafkaAdminClient]:
        with self._errors(topic):
            admin = KafkaAdminClient(**self._options)
            try:
                yield admin
            finally:
                admin.close()

    @contextmanager
    def _errors(self, topic: str) -> Iterator[None]:
        try:
            yield
        except KafkaError as error:
            raise failure(
                topic, self._brokers, self._settings, "it cannot be used", error
            ) from error
