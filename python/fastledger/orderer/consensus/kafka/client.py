# SPDX-License-Identifier: Apache-2.0
"""How kafka-python is to speak to a cluster, and what its errors mean."""

from collections.abc import Sequence
from typing import Any

from kafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError

from fastledger.orderer.consensus.kafka.errors import BrokersUnreachable
from fastledger.orderer.consensus.kafka.settings import KafkaSettings, tls_context

MAX_MESSAGE_BYTES = 99 << 20
"""Largest message: what a broker takes by default, less what is around it (Fabric: config.go)."""

FRAMES_BYTES = 1 << 20
"""What may be around the messages of an answer."""


def options(brokers: Sequence[str], settings: KafkaSettings) -> dict[str, Any]:
    """Return what all clients of a cluster are made with.

    Raises:
        ConfigInvalid: A key or certificate cannot be used.
    """
    retry, context = settings.retry, tls_context(settings.tls)
    protocol = ("SASL_" if settings.sasl.enabled else "") + ("SSL" if context else "PLAINTEXT")
    made: dict[str, Any] = {
        "bootstrap_servers": list(brokers),
        "bootstrap_timeout_ms": ms(retry.dial_timeout_s),
        "request_timeout_ms": ms(retry.read_timeout_s),
        "reconnect_backoff_ms": ms(retry.metadata_backoff_s),
        "reconnect_backoff_max_ms": ms(retry.read_timeout_s),
        "receive_message_max_bytes": MAX_MESSAGE_BYTES + FRAMES_BYTES,
        "security_protocol": protocol,
        "ssl_context": context,
        "api_version": settings.protocol,
    }
    if settings.sasl.enabled:
        made |= {
            "sasl_mechanism": "PLAIN",
            "sasl_plain_username": settings.sasl.user,
            "sasl_plain_password": settings.sasl.password,
        }
    return made


def failure(
    topic: str, brokers: Sequence[str], settings: KafkaSettings, what: str, error: KafkaError
) -> BrokersUnreachable:
    """Say in whose topic, where, and why something failed."""
    text = f"channel {topic}: Kafka at {', '.join(brokers)}: {what}: {error!r}"
    if settings.protocol is None and isinstance(error, KafkaTimeoutError | KafkaConnectionError):
        # They know no request that asks for a version, and do not say so.
        text += "; if the brokers are older than 0.10, Kafka.Version has to name their version"
    return BrokersUnreachable(text)


def ms(value_s: float) -> int:
    """Return seconds as kafka-python takes them."""
    return int(1000 * value_s)
