# SPDX-License-Identifier: Apache-2.0
"""Which raft logs this orderer has begun, kept apart from the logs.

Whoever had a log and has lost it may have voted in it, and must not vote again under the same raft
id: that could make two leaders, or lose what was agreed on. So there is a note beside the block
files for each channel, with the raft id.
"""

import os
from pathlib import Path

from fastledger.common.errors import LedgerIo


class LogNotes:
    """A folder with a file for each channel."""

    def __init__(self, folder: Path) -> None:
        """Keep them in a folder, which is made with the first."""
        self._folder = folder

    def member(self, channel_id: str) -> int | None:
        """Return the raft id under which a channel's log was begun; None for no log.

        Raises:
            LedgerIo: The note cannot be read.
        """
        try:
            return int((self._folder / channel_id).read_text("ascii"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise LedgerIo(f"cannot read {self._folder / channel_id}: {error}") from error

    def write(self, channel_id: str, member: int) -> None:
        """Note that a log was begun, durably; raises LedgerIo."""
        path = self._folder / channel_id
        # No channel has a name that begins so.
        begun = self._folder / f".{channel_id}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with begun.open("w", encoding="ascii") as file:
                file.write(str(member))
                file.flush()
                os.fsync(file.fileno())
            begun.replace(path)
        except OSError as error:
            raise LedgerIo(f"cannot write {path}: {error}") from error

    def forget(self, channel_id: str) -> None:
        """Know of no log any more, since its raft id is nobody's."""
        (self._folder / channel_id).unlink(missing_ok=True)
