# SPDX-License-Identifier: Apache-2.0
"""Whether a raft log is as new as the blocks that this orderer wrote out of it.

A block is signed and written here after its entry is in the log, durably. So a log that ends before
the entry of such a block is an old one, as of a backup: what was promised since is not in it, and
who does not know its promises must not vote. Blocks that were pulled are signed by others, and say
nothing; nor does a backup of log and ledger together, which only a leader can tell from
a log that is behind.
"""

from fastledger.common.errors import LedgerCorrupted
from fastledger.orderer.consensus.chain import ConsenterSupport
from fastledger.orderer.consensus.etcdraft.beginning import kept_by
from fastledger.protos.common.common_pb2 import (
    Block,
    BlockMetadataIndex,
    Metadata,
    SignatureHeader,
)

MAX_BLOCKS = 1000
"""So many of the last blocks are looked at; more than that are pulled at once only by a consenter
that was away for long, and is not missed when it dies."""


def check_age(support: ConsenterSupport, last_index: int, identity: bytes, begun: int) -> None:
    """Refuse a log that is older than the ledger.

    Args:
        support: The channel.
        last_index: Where the log ends.
        identity: By which this orderer signs, serialized.
        begun: Height of the channel when the log was begun.

    Raises:
        LedgerCorrupted: It lacks the entry of a block that was written out of it.
    """
    for number in range(support.height - 1, max(begun, support.height - MAX_BLOCKS) - 1, -1):
        block = Block.FromString(support.block(number))
        if _is_signed_by(block, identity):
            kept = kept_by(block)
            if kept is not None and kept.raft_index > last_index:
                raise LedgerCorrupted(
                    f"the raft log of channel {support.channel_id} ends at entry {last_index}, and "
                    f"block {number} was written out of its entry {kept.raft_index}: it is an "
                    "old copy, and this orderer may have voted since; copy the newest log back, or "
                    "have the consenter removed from the channel's configuration and added again"
                )
            return


def _is_signed_by(block: Block, identity: bytes) -> bool:
    signatures = Metadata.FromString(block.metadata.metadata[BlockMetadataIndex.SIGNATURES])
    headers = (one.signature_header for one in signatures.signatures)
    return any(SignatureHeader.FromString(header).creator == identity for header in headers)
