# SPDX-License-Identifier: Apache-2.0
"""Which raft logs this orderer has begun, kept apart from the logs.

Whoever had a log and has lost it may have voted in it, and must not vote again under the same raft
id: that could make two leaders, or lose what was agreed on. So there is a note beside the block
files for each channel, with the raft id, and the height at which the log began.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from fastledger.common.errors import LedgerIo


@dataclass(frozen=True, slots=True)
class LogNote:
    """What is known of a log without reading it.

    Attributes:
        member: The raft id under which it was begun.
        height: The channel's height then; None in a note of an earlier release.
    """

    member: int
    height: int | None


class LogNotes:
    """A folder with a file for each channel."""

    def __init__(self, folder: Path) -> None:
        """Keep them in a folder, which is made with the first."""
        self._folder = folder

    def read(self, channel_id: str) -> LogNote | None:
        """Return what is noted of a channel's log; None for no log.

        Raises:
            LedgerIo: The note cannot be read.
        """
        try:
            member, _, height = (self._folder / channel_id).read_text("ascii").partition(" ")
            return LogNote(int(member), int(height) if height else None)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise LedgerIo(f"cannot read {self._folder / channel_id}: {error}") from error

    def write(self, channel_id: str, note: LogNote) -> None:
        """Note that a log was begun, durably; raises LedgerIo."""
        path = self._folder / channel_id
        # No channel has a name that begins so.
        begun = self._folder / f".{channel_id}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with begun.open("w", encoding="ascii") as file:
                file.write(f"{note.member} {note.height}")
                file.flush()
                os.fsync(file.fileno())
            begun.replace(path)
        except OSError as error:
            raise LedgerIo(f"cannot write {path}: {error}") from error

    def forget(self, channel_id: str) -> None:
        """Know of no log any more, since its raft id is nobody's."""
        (self._folder / channel_id).unlink(missing_ok=True)
