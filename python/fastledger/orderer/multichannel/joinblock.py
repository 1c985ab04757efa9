# SPDX-License-Identifier: Apache-2.0
"""The block that an administrator joined a channel with, where its blocks are pulled from others.

It is the one thing that is trusted. The blocks before it lead to it by their hashes: what others
have sent is the channel only if the block of this number is this one.
"""

from dataclasses import dataclass

from fastledger.channelconfig import Bundle
from fastledger.common.errors import BlockRefused
from fastledger.orderer.blockwriter import Tip
from fastledger.protos.common.common_pb2 import Block


@dataclass(frozen=True, slots=True)
class JoinBlock:
    """A configuration block that is not in the ledger yet."""

    tip: Tip
    bundle: Bundle
    """The configuration that counts for everything but the signatures of earlier blocks."""

    @staticmethod
    def read(encoded: bytes) -> "JoinBlock":
        """Take an encoded block; raises ConfigRefused, Unsupported."""
        return JoinBlock(Tip.of(Block.FromString(encoded)), Bundle.from_block(encoded))

    def check(self, block: Block) -> None:
        """Refuse another block of its number; raises BlockRefused."""
        found = Tip.of(block)
        if found.number == self.tip.number and found != self.tip:
            raise BlockRefused(
                found.number,
                f"its header hash is {found.header_hash.hex()}, and that of the block which the "
                f"channel was joined with {self.tip.header_hash.hex()}: the blocks before it are "
                "not the channel's; remove the channel, and join it again",
            )
