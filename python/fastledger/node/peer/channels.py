# SPDX-License-Identifier: Apache-2.0
"""The channels of a peer: those it joined before, and those it joins.

::

    <file system path>/ledgersData/<channel>    block files and what is derived from them
                       pvtdata/<channel>        private values
"""

import asyncio
import contextlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from fastledger.channelconfig import Bundle
from fastledger.committer.deliverclient import DeliverClient
from fastledger.common import log
from fastledger.common.errors import FastledgerError, JoinRefused, LedgerCorrupted
from fastledger.common.topic import Topic
from fastledger.endorser.indexfiles import IndexFiles
from fastledger.ledger import kvledger
from fastledger.node.peer.channel import PeerChannel
from fastledger.protos.common.common_pb2 import Block
from fastledger.protoutil.blocks import channel_id_of
from fastledger.protoutil.signer import Signer

PAUSED = "PAUSED"
"""File in a channel's folder that keeps the peer from opening it (``peer node pause``)."""

_logger = log.get("peer")


class PeerChannels:
    """Finds, joins and closes channels."""

    def __init__(
        self,
        folder: Path,
        signer: Signer,
        orderers: Callable[[PeerChannel], DeliverClient],
        index_files: IndexFiles,
        *,
        workers: int = 0,
    ) -> None:
        """Keep channels under ``peer.fileSystemPath``.

        Args:
            folder: That path.
            signer: The peer.
            orderers: Makes what brings a channel's blocks.
            index_files: What packages say of indexes.
            workers: Threads of a channel that verify signatures; 0 takes one per processor.
        """
        self._index_files = index_files
        self._workers = workers
        self._ledgers = folder / "ledgersData"
        self._private = folder / "pvtdata"
        self._signer = signer
        self._orderers = orderers
        self._channels: dict[str, PeerChannel] = {}
        self._joining = asyncio.Lock()
        self.opened: Topic[PeerChannel] = Topic()
        """Tells of every channel when it begins to grow."""

    def channel(self, channel_id: str) -> PeerChannel | None:
        """Find a channel that the peer has joined."""
        return self._channels.get(channel_id)

    def channel_ids(self) -> Iterable[str]:
        """Names of the channels, in order."""
        return sorted(self._channels)

    async def open(self) -> None:
        """Open every channel that was joined before; drop what a join left half done."""
        self._ledgers.mkdir(parents=True, exist_ok=True)
        for lost in self.lost():
            _logger.error("%s", lost)
        for folder in sorted(self._ledgers.iterdir()):
            if not folder.is_dir():
                continue
            if (folder / PAUSED).exists():
                _logger.warning("channel %s is paused: it stays closed", folder.name)
                continue
            channel = await asyncio.to_thread(self._open, folder)
            if channel is None and (self._private / folder.name).exists():
                raise LedgerCorrupted(
                    f"{folder}: the blocks of channel {folder.name} are gone, which this peer has "
                    "joined; put a backup of the folder there; or remove it, and join again"
                )
            if channel is None:
                _logger.warning("the join of channel %s was not finished: undone", folder.name)
                shutil.rmtree(folder)
            elif channel.channel_id != folder.name:
                raise LedgerCorrupted(
                    f"{folder}: the ledger there is that of channel {channel.channel_id}; every "
                    "folder there is a channel of its name, so move it elsewhere"
                )
            else:
                self._start(channel)

    def lost(self) -> list[str]:
        """Say what to do about each channel whose ledger is gone, but not its private values."""
        if not self._private.is_dir():
            return []
        joined = {folder.name for folder in self._ledgers.iterdir() if folder.is_dir()}
        return [
            f"channel {private.name} was joined, as {private} tells, but {self._ledgers}/"
            f"{private.name} with its ledger is gone: put it back, or join the channel again, "
            f"and its private values are kept; or remove {private}"
            for private in sorted(self._private.iterdir())
            if private.is_dir() and private.name not in joined
        ]

    def look_for_indexes(self, _installed: None) -> None:
        """Look for new indexes: a package was installed."""
        for channel in self._channels.values():
            channel.query_indexes.installed()

    def _open(self, folder: Path) -> kvledger.Ledger | None:
        ledger = kvledger.open(folder, delivered=True, workers=self._workers)
        if ledger.height:
            return ledger
        ledger.close()
        return None

    def _start(self, ledger: kvledger.Ledger) -> None:
        channel_id = ledger.channel_id or ""
        channel = PeerChannel(
            self._ledgers / channel_id,
            self._private / channel_id,
            ledger,
            self._signer,
            self._index_files,
        )
        channel.start(self._orderers(channel))
        self._channels[channel_id] = channel
        self.opened.tell(channel)
        _logger.info("[%s] channel opened at height %d", channel_id, ledger.height)

    async def join(self, block: bytes) -> None:
        """Join the channel that a genesis block begins.

        Raises:
            FastledgerError: It has been joined, or the block begins none.
        """
        channel_id = channel_id_of(Block.FromString(block))
        Bundle.from_block(block)
        async with self._joining:
            with _told("cannot create ledger from genesis block"):
                self._check_new(channel_id)
            ledger = await asyncio.to_thread(self._create, self._ledgers / channel_id, block)
            self._start(ledger)

    def _create(self, folder: Path, block: bytes) -> kvledger.Ledger:
        ledger = kvledger.open(folder, delivered=True, workers=self._workers)
        try:
            ledger.commit(block)
        except BaseException:
            ledger.close()
            shutil.rmtree(folder)
            raise
        return ledger

    async def join_by_snapshot(self, folder: str) -> None:
        """Join a channel with a snapshot of it.

        Raises:
            FastledgerError: The snapshot cannot be used.
        """
        async with self._joining:
            ledger = await asyncio.to_thread(self._restore, Path(folder))
            self._start(ledger)

    def _restore(self, snapshot: Path) -> kvledger.Ledger:
        beginning = self._ledgers.parent / "joining"
        shutil.rmtree(beginning, ignore_errors=True)
        kvledger.restore(snapshot, beginning)
        with kvledger.open(beginning) as ledger:
            channel_id = ledger.channel_id or ""
        failed = f"cannot create ledger from snapshot {snapshot}: error while creating ledger id"
        with _told(failed):
            self._check_new(channel_id)
        beginning.rename(self._ledgers / channel_id)
        return kvledger.open(self._ledgers / channel_id, delivered=True, workers=self._workers)

    def _check_new(self, channel_id: str) -> None:
        if not channel_id or "/" in channel_id or channel_id in (".", ".."):
            raise JoinRefused(f"bad id {channel_id!r}")
        if channel_id in self._channels or (self._ledgers / channel_id).exists():
            raise JoinRefused(f"ledger [{channel_id}] already exists with state [ACTIVE]")

    async def close(self) -> None:
        """Close every channel."""
        for channel_id in list(self._channels):
            await self._channels.pop(channel_id).stop()


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """Say what failed before why it did, as Fabric does."""
    try:
        yield
    except FastledgerError as error:
        raise JoinRefused(f"{what}: {error}") from error
