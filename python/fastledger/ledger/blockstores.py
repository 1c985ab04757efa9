# SPDX-License-Identifier: Apache-2.0
"""The block files of all channels under one folder, as Fabric lays them out.

::

    <location>/chains/<channel>/blockfile_NNNNNN
    <location>/joined/<channel>                   empty: this orderer has blocks of the channel
    <location>/pendingops/join/<channel>.join     the later block that it was joined with, while
                                                  blocks up to that one are missing
    <location>/pendingops/remove/<channel>        being deleted; gone at the next start

A channel that was joined and whose blocks are gone is damage. Only who has removed it, or never
stored its first block, has it no more.

``<location>`` is ``FileLedger.Location``.
"""

import os
import shutil
from pathlib import Path

from fastledger._core import BlockStore
from fastledger.common import log
from fastledger.common.errors import LedgerCorrupted, LedgerIo
from fastledger.ledger import room

_JOIN = ".join"

_logger = log.get("common.ledger.blockledger.file")


__all__ = ["BlockStore", "Ledgers"]


class Ledgers:
    """Opens, lists and deletes channels' block files."""

    def __init__(self, location: Path) -> None:
        """Use a folder, which is made when it is not there; finish earlier deletions.

        Raises:
            LedgerIo: The folder cannot be used.
        """
        self._location = location
        self._chains = location / "chains"
        self._joined = location / "joined"
        self._joins = location / "pendingops" / "join"
        self._removed = location / "pendingops" / "remove"
        try:
            self._chains.mkdir(parents=True, exist_ok=True)
            self._removed.mkdir(parents=True, exist_ok=True)
            self._joined.mkdir(exist_ok=True)
            self._joins.mkdir(exist_ok=True)
            for left in self._removed.iterdir():
                self._forget(left.name)
                shutil.rmtree(left)
            for partial in self._joins.glob("*.partial"):
                partial.unlink()
        except OSError as error:
            raise LedgerIo(
                f"cannot use {location}: {error}; set FileLedger.Location in orderer.yaml, or "
                "ORDERER_FILELEDGER_LOCATION, to a folder that can be written"
            ) from error

    def channel_ids(self) -> list[str]:
        """Return the channels that have a folder, or are to have one, by name.

        Raises:
            LedgerCorrupted: The folder of one that was joined is gone.
        """
        found = {path.name for path in self._chains.iterdir() if path.is_dir()}
        for name in sorted(path.name for path in self._joined.iterdir()):
            if name not in found:
                raise LedgerCorrupted(self.loss(name))
        found.update(path.stem for path in self._joins.glob(f"*{_JOIN}"))
        return sorted(found)

    def knows(self, channel_id: str) -> bool:
        """Whether this orderer has stored blocks of a channel."""
        return (self._joined / channel_id).exists()

    def know(self, channel_id: str) -> None:
        """Remember that it has."""
        (self._joined / channel_id).touch()

    def begin_join(self, channel_id: str, block: bytes) -> None:
        """Keep the encoded block that a channel is joined with, durably.

        Raises:
            LedgerIo: It cannot be written.
        """
        path = self._join_file(channel_id)
        partial = path.with_suffix(".partial")
        try:
            with partial.open("wb") as file:
                file.write(block)
                file.flush()
                os.fsync(file.fileno())
            partial.rename(path)
            _sync(self._joins)
        except OSError as error:
            raise LedgerIo(f"cannot write {path}: {error.strerror}") from error

    def join_block(self, channel_id: str) -> bytes | None:
        """Return the block that a channel was joined with, while blocks up to it are missing."""
        path = self._join_file(channel_id)
        return path.read_bytes() if path.exists() else None

    def end_join(self, channel_id: str) -> None:
        """Know that this orderer has the blocks of a channel, and need its join block no more."""
        self.know(channel_id)
        self._join_file(channel_id).unlink(missing_ok=True)

    def loss(self, channel_id: str) -> str:
        """Say what to do about a channel whose blocks are gone."""
        folder = self._chains / channel_id
        return (
            f"{folder}: the blocks of channel {channel_id} are gone, which this orderer has joined;"
            " copy them there from another orderer, or from a backup; to serve the channel no "
            f"more, remove {self._joined / channel_id}"
        )

    def confusion(self, folder: str, channel_id: str) -> str:
        """Say what to do about a folder with another channel's blocks: a copy, most often."""
        return (
            f"{self._chains / folder}: the blocks there are those of channel {channel_id}; every "
            "folder there is a channel of its name, so move it elsewhere"
        )

    def is_full(self, wanted_bytes: int) -> bool:
        """Whether the disk has no room for so much."""
        return room.is_full(self._location, wanted_bytes)

    def open(self, channel_id: str) -> BlockStore:
        """Open a channel's block files, or make them.

        Raises:
            LedgerLocked: Another process serves them.
            LedgerCorrupted: They are damaged.
            LedgerIo: The disk failed.
        """
        store = BlockStore.open(str(self._chains / channel_id), known=self.knows(channel_id))
        if store.torn is not None:
            _logger.warning(
                "%s: cut at %d, %d bytes of blocks dropped that a crash cut short", *store.torn
            )
        return store

    def discard(self, channel_id: str) -> Path | None:
        """Take a closed channel out of the list, durably; what to delete is returned."""
        folder = self._chains / channel_id
        if not folder.exists():
            self._forget(channel_id)
            return None
        target = self._removed / channel_id
        folder.rename(target)
        self._forget(channel_id)
        return target

    def remove(self, channel_id: str) -> None:
        """Delete a closed channel's blocks."""
        folder = self.discard(channel_id)
        if folder is not None:
            shutil.rmtree(folder)

    def _join_file(self, channel_id: str) -> Path:
        # A channel's name may have dots.
        return self._joins / f"{channel_id}{_JOIN}"

    def _forget(self, channel_id: str) -> None:
        (self._joined / channel_id).unlink(missing_ok=True)
        self._join_file(channel_id).unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """Make the names in a folder durable."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
