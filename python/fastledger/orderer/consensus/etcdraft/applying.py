# SPDX-License-Identifier: Apache-2.0
"""Committed entries become blocks in the ledger.

The ledger is the truth: what is there already is passed over, what is missing before an entry is
pulled from other orderers, and what contradicts it ends the channel.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

from google.protobuf.message import DecodeError

from fastledger._core import RaftEntry, RaftSnapshot
from fastledger.common import log
from fastledger.common.errors import LedgerCorrupted
from fastledger.orderer.consensus.batcher import MAX_UNWRITTEN_BLOCKS
from fastledger.orderer.consensus.chain import ConsenterSupport
from fastledger.orderer.consensus.etcdraft.beginning import last_kept
from fastledger.orderer.consensus.etcdraft.membership import (
    Membership,
    Transition,
    following_membership,
)
from fastledger.orderer.consensus.etcdraft.metrics import RaftMetrics
from fastledger.orderer.errors import BlockNotNext, Rejected
from fastledger.orderer.msgprocessor.message import OrdererMessage
from fastledger.protos.common.common_pb2 import Block
from fastledger.protoutil.blocks import EncodedBlock
from fastledger.protoutil.coreblock import AnyBlock, CoreBlock, opened
from fastledger.protoutil.hashes import header_hash

_logger = log.get("orderer.consensus.etcdraft")

Pull = Callable[[int], Awaitable[None]]
"""Appends other orderers' blocks until the channel has that many, however long that takes."""


class Told(Protocol):
    """A chain, as it learns what was written."""

    def wrote(self, number: int, transition: Transition | None) -> None:
        """A block is on its way to the disk; a configuration is in force, with who is in it."""

    def moved(self) -> None:
        """Blocks of other orderers came in between: the membership may be another."""


class Applier:
    """Writes one channel's blocks, in the order of the log."""

    def __init__(
        self,
        support: ConsenterSupport,
        membership: Membership,
        pull: Pull,
        told: Told,
        metrics: RaftMetrics,
    ) -> None:
        """Go on after the last block.

        Args:
            support: The channel.
            membership: Its consenters.
            pull: Gets blocks that are missing.
            told: Learns what was written.
            metrics: What is counted.
        """
        self._support = support
        self._pull = pull
        self._told = told
        self._metrics = metrics
        self._next = support.height
        self.membership = membership
        self.unsaved_bytes = 0
        """Of entries since the last snapshot."""
        self.last: RaftEntry | None = None
        """The newest entry that holds a block."""
        metrics.committed_block_number.set(self._next - 1)

    async def apply(self, entry: RaftEntry) -> None:
        """Write an entry's block; raises what ends the channel."""
        data = entry.data
        self.unsaved_bytes += len(data)
        # An entry whose block is there is compared with it: one of the two may be of a backup.
        block = _decoded(data)
        await self._support.drained(MAX_UNWRITTEN_BLOCKS - 1)
        if block.header.number > self._next:
            await self._fetch(block.header.number)
        await self._write(block, entry.index)
        self._metrics.committed_block_number.set(self._next - 1)
        self.last = entry

    async def take_over(self, snapshot: RaftSnapshot) -> None:
        """Come to where a leader's snapshot is; raises what ends the channel."""
        block = _decoded(snapshot.data)
        number = block.header.number
        await self._support.drained(0)
        if number > self._next:
            _logger.info(
                "[channel: %s] Catching up with snapshot taken at block [%d], starting from block "
                "[%d]",
                self._support.channel_id,
                number,
                self._next,
            )
            await self._fetch(number + 1)
        else:
            await self._write(block, snapshot.index)
        stored = (
            Block.FromString(self._support.block(number))
            if number < self._support.height
            else block
        )
        found, expected = header_hash(stored.header), header_hash(block.header)
        if found != expected:
            raise BlockNotNext(
                f"there are two blocks {number}: one in the leader's snapshot with the header "
                f"hash {expected.hex()}, and one in the ledger with {found.hex()}"
            )
        self.unsaved_bytes = 0
        self._metrics.snapshot_block_number.set(number)
        self._metrics.committed_block_number.set(self._next - 1)

    def newest_block(self) -> EncodedBlock | None:
        """Return the block that all that was applied leads to; None while it is not durable."""
        if self._support.unwritten:
            return None
        if self.last is not None:
            return self.last.data
        return self._support.block(self._support.height - 1)

    def snapshot_due(self, interval_bytes: int) -> RaftEntry | None:
        """Return the entry to make a snapshot at, when enough has come since the last one.

        Its block is durable: nothing else will keep it.
        """
        entry = self.last
        if entry is None or self.unsaved_bytes < interval_bytes or self._support.unwritten:
            return None
        number = self._support.height - 1
        _logger.info(
            "[channel: %s] Accumulated %d bytes since last snapshot, exceeding size limit (%d "
            "bytes), taking snapshot at block [%d] (index: %d)",
            self._support.channel_id,
            self.unsaved_bytes,
            interval_bytes,
            number,
            entry.index,
        )
        self.unsaved_bytes = 0
        self._metrics.snapshot_block_number.set(number)
        return entry

    async def _fetch(self, height: int) -> None:
        """Pull blocks, with whatever they say of the consenters."""
        await self._pull(height)
        await self._support.drained(0)
        self._next = self._support.height
        self.membership = Membership.of(last_kept(self._support), self._support.orderer)
        self._told.moved()

    async def _write(self, block: AnyBlock, index: int) -> None:
        number = block.header.number
        if not _configures(block):
            self._support.write(block, self.membership.kept(index))
            self._next = max(self._next, number + 1)
            self._told.wrote(number, None)
            return
        transition = None
        if number >= self._next:
            envelope = block.data.data[0]
            transition = following_membership(self._support, self.membership, envelope)
            self.membership = transition.membership
        await self._support.write_config(block, self.membership.kept(index))
        self._next = max(self._next, number + 1)
        self._told.wrote(number, transition)


def _configures(block: AnyBlock) -> bool:
    """Whether a block changes its channel, or makes another."""
    if isinstance(block, CoreBlock) and block.count != 1:
        return False
    data = block.data.data
    if len(data) != 1:
        return False
    try:
        return OrdererMessage.parse(data[0]).configures
    except Rejected:
        return False


def _decoded(encoded: EncodedBlock) -> AnyBlock:
    try:
        return opened(encoded)
    except DecodeError as error:
        raise LedgerCorrupted(f"an entry of the raft log holds no block: {error}") from error
