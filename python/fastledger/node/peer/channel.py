# SPDX-License-Identifier: Apache-2.0
"""One channel of a peer: its ledger, who fills it, and who is told."""

import asyncio
from bisect import bisect_left
from collections.abc import Callable, Sequence
from pathlib import Path

from fastledger.channelconfig import Bundle
from fastledger.committer.committer import MAX_BYTES, Committer
from fastledger.committer.deliverclient import DeliverClient
from fastledger.committer.intake import Intake
from fastledger.committer.notifier import Notifier
from fastledger.committer.puller import Connector
from fastledger.common import log
from fastledger.common.codes import TxValidationCode
from fastledger.common.errors import BlockRefused, LedgerCorrupted, NotFound
from fastledger.common.topic import Topic
from fastledger.deliver import PreparedBlocks
from fastledger.endorser.channel import Channel
from fastledger.endorser.collectionconfigs import PeerRules
from fastledger.endorser.indexfiles import IndexFiles, calls_lifecycle
from fastledger.ledger import kvledger, room
from fastledger.ledger.pvtdata import PrivateDataStore
from fastledger.ledger.queryindexes import QueryIndexes
from fastledger.ledger.records import Commit
from fastledger.ledger.results import verdicts
from fastledger.protos.common.common_pb2 import Block
from fastledger.protos.common.configtx_pb2 import ConfigEnvelope
from fastledger.protoutil.blocks import EncodedBlock, is_config_block, last_config_index
from fastledger.protoutil.signer import Signer

_logger = log.get("peer")

_ONE_VALID = bytes([TxValidationCode.VALID])

Connect = Callable[[Channel], Connector]
"""Makes what dials a channel's orderers."""

Overrides = Callable[[Sequence[str]], Sequence[str]]
"""Puts other addresses in the place of those that the configuration names."""


class PeerChannel(Channel):
    """A channel that grows."""

    def __init__(
        self,
        folder: Path,
        private_folder: Path,
        ledger: kvledger.Ledger,
        signer: Signer,
        index_files: IndexFiles,
    ) -> None:
        """Take over an open ledger that is not empty."""
        channel_id = ledger.channel_id or ""
        bundle = _configuration(channel_id, ledger)
        kept_private = _holds_anything(private_folder / "data.mdb")
        private = PrivateDataStore(private_folder, PeerRules(self, signer))
        super().__init__(channel_id, ledger, private, bundle)
        self._index_files = index_files
        self.query_indexes = QueryIndexes(folder, ledger, private, lambda: index_files.of(self))
        self.indexes = self.query_indexes
        self.first = _first_block(ledger)
        """Number of the first block that is there, or will be: older ones are in a snapshot."""
        if not kept_private and ledger.height > self.first + 1:
            _logger.warning(
                "[%s] %s is gone or empty, and with it all private values of this peer; a backup "
                "of it brings them back",
                channel_id,
                private_folder,
            )
        self.notifier = Notifier(ledger.height)
        self.committed: Topic[int] = Topic()
        """Tells the number of every block when it is committed."""
        self._committer = Committer(
            channel_id,
            ledger,
            private,
            self._committed,
            self._refused,
            self._follow,
            # What waits, and what the ledger flushes, is far more than a probe alone.
            lambda: room.is_full(folder, MAX_BYTES),
            self._go_on,
        )
        self.blocks = PreparedBlocks(self.block, lambda: self.height)
        """As Deliver and the gateway give them to clients."""
        self.intake = Intake(self._committer, lambda: ledger.height)
        """Where blocks of the channel are brought, by whoever has them."""
        self.orderers: DeliverClient | None = None
        """Brings those of the orderers, while it is on."""
        self._damage: LedgerCorrupted | None = None
        """What is wrong with a block that somebody wanted to read, if anything was."""

    # A BlockSource.

    @property
    def height(self) -> int:
        """Blocks that are committed."""
        return self.notifier.height

    @property
    def sequence(self) -> int:
        """Of the configuration in force."""
        return self.bundle.sequence

    @property
    def errored(self) -> asyncio.Event | None:
        """A peer goes on delivering what it has."""
        return None

    async def wait(self, height: int) -> None:
        """Return when there are so many blocks."""
        await self.notifier.wait(height)

    def block(self, number: int) -> EncodedBlock:
        """Read a block that is only handed on, in any thread."""
        try:
            return self.ledger.block_in_core(number)
        except LedgerCorrupted as error:
            self._damage = error
            raise

    # Growth.

    def start(self, orderers: DeliverClient) -> None:
        """Begin to commit, and to take blocks of the orderers."""
        self._committer.start()
        self.query_indexes.start()
        self.orderers = orderers
        orderers.start()

    async def stop(self) -> None:
        """Commit what was taken, and close the stores."""
        if self.orderers is not None:
            await self.orderers.stop()
        await self._committer.stop()
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self.query_indexes.stop()
        self.ledger.close()
        self.private.close()

    async def check(self) -> None:
        """Return while the channel can go on; for /healthz."""
        if self._committer.failure is not None:
            raise RuntimeError(f"channel {self.id}: {self._committer.failure}")
        if self._damage is not None:
            raise RuntimeError(f"channel {self.id}: {self._damage}")

    def _follow(self, number: int, block: EncodedBlock) -> None:
        """Let what depends on definitions follow a block, on the committing thread."""
        if self.private.knows_others and calls_lifecycle(self, block):
            self.private.reconsider()
        if self._index_files.may_change(self, block):
            self.query_indexes.deploy()
        self.query_indexes.committed()
        self.blocks.prepare(number)

    def _committed(self, block: EncodedBlock, commit: Commit) -> None:
        if commit.filter == _ONE_VALID and is_config_block(Block.FromString(bytes(block))):
            self.bundle = Bundle.from_block(bytes(block))
            _logger.info("[%s] configuration %d is in force", self.id, self.bundle.sequence)
            self.notifier.tell_configuration()
        self.notifier.tell(commit.number, verdicts(block, commit.filter))
        self.committed.tell(commit.number)

    def _go_on(self) -> None:
        """Take blocks from the ledger's height on: what came while the disk was full is dropped."""
        self.intake.rewind()
        if self.orderers is not None:
            self.orderers.restart()

    def _refused(self, _refusal: BlockRefused) -> None:
        self.intake.rewind()
        if self.orderers is not None:
            self.orderers.reject()


def _configuration(channel_id: str, ledger: kvledger.Ledger) -> Bundle:
    """Read the configuration in force, from its block or, when a snapshot has that, the state.

    Fabric: ``core/peer``'s ``retrieveChannelConfig``; peers before 2.0 kept no envelope.
    """
    try:
        newest = Block.FromString(ledger.encoded_block(ledger.height - 1))
        return Bundle.from_block(ledger.encoded_block(last_config_index(newest)))
    except NotFound:
        envelope = ledger.get("", "CHANNEL_CONFIG_ENV_BYTES")
        if envelope is not None:
            config = ConfigEnvelope.FromString(envelope.value).config.SerializeToString()
            return Bundle.from_config(channel_id, config)
        stored = ledger.get("", "resourcesconfigtx.CHANNEL_CONFIG_KEY")
        if stored is None:
            raise NotFound(f"the ledger of {channel_id} has no channel configuration") from None
        return Bundle.from_config(channel_id, stored.value)


def _first_block(ledger: kvledger.Ledger) -> int:
    """Find where the block files begin."""
    if _has(ledger, 0):
        return 0
    return bisect_left(range(ledger.height), True, key=lambda number: _has(ledger, number))


def _holds_anything(file: Path) -> bool:
    return file.is_file() and file.stat().st_size > 0


def _has(ledger: kvledger.Ledger, number: int) -> bool:
    try:
        ledger.encoded_block(number)
    except NotFound:
        return False
    return True
