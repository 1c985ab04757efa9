# SPDX-License-Identifier: Apache-2.0
"""Unpacks the blocks in a ``.tar.zst``."""

import shutil
import tarfile
from pathlib import Path, PurePosixPath
from typing import IO, cast

import zstandard

from fastledger.common.errors import InputError

MAX_UNPACKED_BYTES = 64 << 30
"""Most that an archive may unpack to; a small archive can hold any number of zeros."""

MAX_ENTRIES = 1_000_000
"""Most entries in an archive: that many blocks, one file each."""

MAX_HEADER_BYTES = 1 << 20
"""Most that stands before an entry's content: its header, and what a long name or attributes take.
``tarfile`` keeps all of that in memory; Go's ``archive/tar`` has the same bound."""

WINDOW_BYTES = 128 << 20
"""Largest window of a zstd frame, which is memory; what ``zstd --long`` takes by default."""


def unpack_blocks(archive: Path, folder: Path) -> None:
    """Unpack the files of an archive that can hold blocks; leave everything else.

    Links and entries that lead out of the folder are refused.

    Raises:
        InputError: The archive cannot be read, is too large, or holds what it should not.
    """
    decompressor = zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES)
    total = 0
    try:
        with (
            archive.open("rb") as file,
            decompressor.stream_reader(file, read_across_frames=True) as stream,
            tarfile.open(
                fileobj=cast("IO[bytes]", steps := _Steps(archive, stream)), mode="r|"
            ) as tar,
        ):
            for count, member in enumerate(tar):
                if count >= MAX_ENTRIES:
                    raise InputError(f"{archive}: more than {MAX_ENTRIES} entries")
                total += max(member.size, 0)
                if total > MAX_UNPACKED_BYTES:
                    raise InputError(f"{archive}: unpacks to more than {MAX_UNPACKED_BYTES} bytes")
                steps.allow(max(member.size, 0))
                if member.isfile() and can_hold_blocks(PurePosixPath(member.name).name):
                    _extract(tar, member, _inside(archive, folder, member.name))
    except (tarfile.TarError, zstandard.ZstdError, EOFError) as error:
        raise InputError(f"{archive}: not a readable .tar.zst: {error}") from error


class _Steps:
    """A stream of which each step may take so much, and no more."""

    def __init__(self, archive: Path, stream: zstandard.ZstdDecompressionReader) -> None:
        self._archive = archive
        self._stream = stream
        self.allow(0)

    def allow(self, size: int) -> None:
        """Let an entry's content be read, and the header of the next entry."""
        # What tarfile reads ahead, and what fills the last block, is less than the header's bound.
        self._left = size + 2 * MAX_HEADER_BYTES

    def read(self, size: int) -> bytes:
        """Read on; raises InputError."""
        if self._left <= 0:
            raise InputError(
                f"{self._archive}: an entry's header takes more than {MAX_HEADER_BYTES} bytes"
            )
        data = self._stream.read(size)
        self._left -= len(data)
        return data


def can_hold_blocks(name: str) -> bool:
    """Tell by a file's name whether blocks can be in it."""
    return name.endswith(".block") or name.startswith("blockfile_")


def _inside(archive: Path, folder: Path, name: str) -> Path:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise InputError(f"{archive}: the entry {name!r} leads out of the folder")
    return folder.joinpath(*path.parts)


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    source = tar.extractfile(member)
    if source is None:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with source, target.open("wb") as out:
        shutil.copyfileobj(source, out)
