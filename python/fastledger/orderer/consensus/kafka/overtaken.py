# SPDX-License-Identifier: Apache-2.0
"""What has become of the messages that a configuration has overtaken.

Each orderer puts such a message into the topic again with its original offset, and all pass over
whatever comes with an original offset that is not above the last one taken: a second copy. But an
orderer of Fabric's gives a message up when the brokers do not take it at once, and goes on with
those behind it. If these come first, no copy of the one given up is taken, and a message is lost
that its client was told is there.
"""

from collections import OrderedDict

from fastledger.orderer.blockwriter import consenter_metadata
from fastledger.orderer.consensus.chain import ConsenterSupport
from fastledger.orderer.consensus.kafka.messages import Offsets
from fastledger.protos.common.common_pb2 import Block

MAX_REMEMBERED = 100_000
"""Original offsets; more than copies of one message are ever apart."""


class Overtaken:
    """The messages of one channel."""

    def __init__(self, support: ConsenterSupport) -> None:
        """Remember nothing yet; what was taken before is in the blocks below the height."""
        self._support = support
        self._last_before = support.height - 1
        self._settled: OrderedDict[int, None] = OrderedDict()

    def settle(self, original: int) -> None:
        """Remember that the message first received at an offset needs nothing any more."""
        if original:
            self._settled[original] = None
        if len(self._settled) > MAX_REMEMBERED:
            self._settled.popitem(last=False)

    def is_lost(self, original: int, envelope: bytes) -> bool:
        """Whether a message of which a copy is passed over is in no block, and in none to come.

        Args:
            original: Where it was first received.
            envelope: The message itself.
        """
        return original not in self._settled and not self._was_ordered(original, envelope)

    def _was_ordered(self, original: int, envelope: bytes) -> bool:
        """Look through the blocks from before the start that reach behind its offset."""
        for number in range(self._last_before, 0, -1):
            block = Block.FromString(self._support.block(number))
            if envelope in block.data.data:
                return True
            kept = Offsets.read(consenter_metadata(block), self._support.channel_id)
            if kept.persisted < original:
                return False
        return False
