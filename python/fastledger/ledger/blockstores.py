# SPDX-License-Identifier: Apache-2.0
"""The block files of all channels under one folder, as Fabric lays them out.

::

    <location>/chains/<channel>/blockfile_NNNNNN
    <location>/pendingops/remove/<channel>        being deleted; gone at the next start

``<location>`` is ``FileLedger.Location``.
"""

import shutil
from pathlib import Path

from fastledger._core import BlockStore
from fastledger.common import log
from fastledger.common.errors import LedgerIo

_logger = log.get("common.ledger.blockledger.file")


__all__ = ["BlockStore", "Ledgers"]


class Ledgers:
    """Opens, lists and deletes channels' block files."""

    def __init__(self, location: Path) -> None:
        """Use a folder, which is made when it is not there; finish earlier deletions.

        Raises:
            LedgerIo: The folder cannot be used.
        """
        self._chains = location / "chains"
        self._removed = location / "pendingops" / "remove"
        try:
            self._chains.mkdir(parents=True, exist_ok=True)
            self._removed.mkdir(parents=True, exist_ok=True)
            for left in self._removed.iterdir():
                shutil.rmtree(left)
        except OSError as error:
            raise LedgerIo(
                f"cannot use {location}: {error}; set FileLedger.Location in orderer.yaml, or "
                "ORDERER_FILELEDGER_LOCATION, to a folder that can be written"
            ) from error

    def channel_ids(self) -> list[str]:
        """Return the channels that have a folder, by name."""
        return sorted(path.name for path in self._chains.iterdir() if path.is_dir())

    def open(self, channel_id: str) -> BlockStore:
        """Open a channel's block files, or make them.

        Raises:
            LedgerLocked: Another process serves them.
            LedgerCorrupted: They are damaged.
            LedgerIo: The disk failed.
        """
        store = BlockStore.open(str(self._chains / channel_id))
        if store.torn is not None:
            _logger.warning(
                "%s: cut at %d, %d bytes of blocks dropped that a crash cut short", *store.torn
            )
        return store

    def discard(self, channel_id: str) -> Path | None:
        """Take a closed channel out of the list, durably; what to delete is returned."""
        folder = self._chains / channel_id
        if not folder.exists():
            return None
        target = self._removed / channel_id
        folder.rename(target)
        return target

    def remove(self, channel_id: str) -> None:
        """Delete a closed channel's blocks."""
        folder = self.discard(channel_id)
        if folder is not None:
            shutil.rmtree(folder)
