# SPDX-License-Identifier: Apache-2.0
"""The topic of a network on Kafka: at brokers that are the user's, made and deleted by us.

What a topic has, a new channel's orderers would put into blocks, whoever sent it. So a network
begins with a topic that is empty, and takes it along when it is removed.
"""

import os
from collections.abc import Mapping
from importlib import resources

from fastledger.common import settings
from fastledger.common.config import FOLDER, load
from fastledger.common.errors import ConnectionFailed, InputError, NodeFailed, NotFound
from fastledger.network.plan import Plan
from fastledger.network.settings import KAFKA, kafka_variables, read_env
from fastledger.orderer.consensus.kafka.errors import BrokersUnreachable, TopicRefused
from fastledger.orderer.consensus.kafka.settings import KafkaSettings


def begin(plan: Plan) -> None:
    """Make the topic of a network that is about to be made; does nothing without brokers.

    Raises:
        ConnectionFailed: No broker answers.
        NodeFailed: The topic cannot be made.
        InputError: The topic has messages.
    """
    if not plan.brokers:
        return
    topics = _Asked(plan, os.environ)
    if not topics.make() and (found := topics.messages()):
        raise InputError(
            f"Kafka at {plan.kafka} has a topic {plan.channel} with {found} messages of another "
            "network: choose another name with --channel, or delete the topic"
        )


def check(plan: Plan) -> None:
    """Refuse to go on with a network whose topic is gone; raises as `begin`, and NotFound."""
    if plan.brokers and _Asked(plan, _environ(plan)).messages() is None:
        raise NotFound(
            f"Kafka at {plan.kafka} has no topic {plan.channel} any more, without which the "
            "network orders nothing: bring it back, or begin anew with fastledger down --clean"
        )


def end(plan: Plan) -> str:
    """Delete the topic of a network that is removed; return why it stays, empty if it does not."""
    if not plan.brokers:
        return ""
    try:
        _Asked(plan, _environ(plan)).delete()
    except (ConnectionFailed, NodeFailed) as error:
        return (
            f"the topic {plan.channel} stays in Kafka, where it is in the way of the next: {error}"
        )
    return ""


def _environ(plan: Plan) -> Mapping[str, str]:
    """Return what the orderers know; before they are made, what they will."""
    try:
        return read_env(plan.orderer)
    except FileNotFoundError:
        return os.environ


class _Asked:
    """Asks a network's cluster for its topic, and says what a user can do."""

    def __init__(self, plan: Plan, environ: Mapping[str, str]) -> None:
        # It takes a while to load, and most networks are not on Kafka.
        from fastledger.orderer.consensus.kafka.topics import Topics

        folder = str(resources.files("fastledger.common") / "sampleconfig")
        config = load("orderer", environ=kafka_variables(environ) | {FOLDER: folder})
        self._plan = plan
        self._factor = environ.get(f"{KAFKA}TOPIC_REPLICATIONFACTOR")
        self._settings = settings.read(config, KafkaSettings, "Kafka")
        self._topics = Topics(plan.brokers, self._settings)

    def make(self) -> bool:
        replicas = self._settings.replication_factor if self._factor else None
        try:
            return self._topics.make(self._plan.channel, replicas)
        except TopicRefused as error:
            raise NodeFailed(str(error)) from error
        except BrokersUnreachable as error:
            raise self._unreachable(error) from error

    def messages(self) -> int | None:
        try:
            return self._topics.messages(self._plan.channel)
        except BrokersUnreachable as error:
            raise self._unreachable(error) from error

    def delete(self) -> None:
        try:
            self._topics.delete(self._plan.channel)
        except BrokersUnreachable as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: BrokersUnreachable) -> ConnectionFailed:
        return ConnectionFailed(f"{error}; fastledger up takes brokers that run already")
