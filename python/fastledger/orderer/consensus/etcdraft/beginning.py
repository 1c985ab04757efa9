# SPDX-License-Identifier: Apache-2.0
"""How a channel's raft log begins, where this orderer has none of it yet.

=============  ===========================================  =======================================
beginning      the channel                                  the log
=============  ===========================================  =======================================
new            has its first block only, or has just come   all consenters are in it from the start
               from another kind of consensus
grown          had this one consenter, and no log           a snapshot at the last block; the
                                                            consenter that was added comes after it
joiner         has blocks, and never had this consenter     nothing: a leader will send it
=============  ===========================================  =======================================
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from fastledger._core import RaftSnapshot
from fastledger.channelconfig import Bundle
from fastledger.orderer.blockwriter import consenter_metadata
from fastledger.orderer.capabilities import orderer_of
from fastledger.orderer.consensus.chain import ConsenterSupport
from fastledger.orderer.consensus.etcdraft.membership import Membership, consenters_of
from fastledger.protos.common.common_pb2 import Block, Metadata
from fastledger.protos.orderer.etcdraft.metadata_pb2 import BlockMetadata
from fastledger.protoutil.blocks import METADATA_SLOTS, last_config_index

KIND = "etcdraft"


@dataclass(frozen=True, slots=True)
class Beginning:
    """What an empty log starts with."""

    members: Sequence[int] = ()
    snapshot: RaftSnapshot | None = None


def kept_by(block: Block) -> BlockMetadata | None:
    """Return what a block keeps for raft, None for nothing."""
    value = Metadata.FromString(consenter_metadata(block)).value
    return BlockMetadata.FromString(value) if value else None


def last_kept(support: ConsenterSupport) -> BlockMetadata | None:
    """Return what the newest block that keeps something for raft keeps; None where none does.

    A block may keep nothing: a real orderer writes one so that it takes from a snapshot. Blocks
    from before the channel came here from another kind of consensus do not count.
    """
    for number in range(support.height - 1, 0, -1):
        block = Block.FromString(support.block(number))
        kept = kept_by(block)
        if kept is not None or _moves_here(support, block):
            return kept
    return None


def beginning_of(
    support: ConsenterSupport, kept: BlockMetadata | None, membership: Membership, member: int
) -> Beginning:
    """Say how the log of a consenter begins that has none."""
    if kept is None:
        return Beginning(members=membership.ids)
    last = Block.FromString(support.block(support.height - 1))
    if not _was_alone(support, last, member):
        return Beginning()
    del last.metadata.metadata[:]
    last.metadata.metadata.extend([b""] * METADATA_SLOTS)
    # Each term of a log without votes took a place in it, so there were no more terms than places.
    index = kept.raft_index
    return Beginning(snapshot=RaftSnapshot(index, index, [member], last.SerializeToString()))


def campaigns_first(channel_id: str, member: int, members: int) -> bool:
    """Whether a consenter of a new channel stands for election without waiting (``node.go``)."""
    number = _uvarint(hashlib.sha256(channel_id.encode()).digest()[24:])
    return member == number % members + 1


def _uvarint(encoded: bytes) -> int:
    """Read Go's varint; 0 where it has no end."""
    value = 0
    for place, byte in enumerate(encoded):
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value
    return 0


def _was_alone(support: ConsenterSupport, last: Block, member: int) -> bool:
    """Whether the last block is the configuration by which a single consenter got company."""
    number = last.header.number
    if number == 0 or last_config_index(last) != number:
        return False
    before = Block.FromString(support.block(number - 1))
    kept = kept_by(before)
    if kept is not None:
        return list(kept.consenter_ids) == [member]
    before_it = orderer_of(Bundle.from_block(support.block(last_config_index(before))))
    return before_it.consensus_type == KIND and len(consenters_of(before_it)) == 1


def _moves_here(support: ConsenterSupport, block: Block) -> bool:
    """Whether a block is the configuration by which the channel came to this kind of consensus."""
    number = block.header.number
    if last_config_index(block) != number:
        return False
    before = last_config_index(Block.FromString(support.block(number - 1)))
    return orderer_of(Bundle.from_block(support.block(before))).consensus_type != KIND
