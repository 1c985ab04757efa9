# SPDX-License-Identifier: Apache-2.0
"""Why a topic cannot be written or read."""

from fastledger.common.errors import FastledgerError


class BrokersUnreachable(FastledgerError):
    """The Kafka cluster does not do what it was asked for, now."""


class TopicRefused(BrokersUnreachable):
    """The Kafka cluster does not make a topic."""


class BrokersTooOld(TopicRefused):
    """The Kafka cluster is of a version that makes no topic when asked."""


class OffsetGone(FastledgerError):
    """The topic does not have the messages that a channel needs: they were deleted, or it was."""


class TopicOutOfStep(FastledgerError):
    """The topic says what cannot be, as when it is another one than the channel's."""
