# SPDX-License-Identifier: Apache-2.0
"""Groups messages into batches, one batch a block (Fabric: ``orderer/common/blockcutter``).

Sizes count payloads and signatures, not the frames around them.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

from fastledger.channelconfig import BatchSize
from fastledger.common import metrics

Batch = list[bytes]
"""Encoded envelopes."""


class Message(NamedTuple):
    """An envelope on its way into a block."""

    encoded: bytes
    size: int
    """Bytes of payload and signature."""


class BlockCutter:
    """The pending batch of one channel."""

    def __init__(
        self,
        channel_id: str,
        batch_size: Callable[[], BatchSize],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with no message; ``batch_size`` is read anew for each message."""
        self._now = now
        self._batch_size = batch_size
        self._pending: Batch = []
        self._pending_bytes = 0
        self._began = 0.0
        self._fill_duration = metrics.histogram(
            "blockcutter_block_fill_duration",
            "The time from first transaction enqueing to the block being cut in seconds.",
            ("channel",),
        ).labels(channel_id)

    @property
    def pending(self) -> int:
        """How many messages wait for the batch to be cut."""
        return len(self._pending)

    def ordered(self, message: Message) -> list[Batch]:
        """Take a message, and return the batches that are cut by it: none, one or two.

        A message above the preferred bytes gets a batch of its own; one that would bring the
        pending batch above them cuts it first; the one that fills it cuts it, too.
        """
        return self.put(message, self._batch_size())

    def put(self, message: Message, size: BatchSize) -> list[Batch]:
        """Do as `ordered`, by sizes that were read for many messages."""
        batches = []
        if message.size > size.preferred_max_bytes:
            if self._pending:
                batches.append(self.cut())
            self._fill_duration.observe(0)
            return [*batches, [message.encoded]]
        if self._pending and self._pending_bytes + message.size > size.preferred_max_bytes:
            batches.append(self.cut())
        if not self._pending:
            self._began = self._now()
        self._pending.append(message.encoded)
        self._pending_bytes += message.size
        if len(self._pending) >= size.max_message_count:
            batches.append(self.cut())
        return batches

    def cut(self) -> Batch:
        """Return the pending batch, which may be empty, and begin a new one."""
        if self._pending:
            self._fill_duration.observe(self._now() - self._began)
        batch, self._pending, self._pending_bytes = self._pending, [], 0
        return batch
