# SPDX-License-Identifier: Apache-2.0
"""Where blocks come from: ledgers and exports of real Fabric networks, as iterators.

::

    chains/<channel>/blockfile_000000 …      a peer's or orderer's own block files, also .zst
    folder/000000.block …                    one block a file
    folder/peer_000.block, orderer_000.block the same, with the name of who gave them
    mychannel.block                          one block, or several with a length before each
    folder/blocks_peer/…, folder.tar.zst     a folder that holds one of these, also packed
    ledgersData/…, chains/…                  what a node keeps around its channels' folders
"""

import io
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, cast

import zstandard
from google.protobuf.message import DecodeError

from fastledger.common.errors import InputError
from fastledger.ledger import archive, framing
from fastledger.protos.core.ledger.blkstorage_pb2 import bootstrappingSnapshotInfo

_BLOCK_FILE = re.compile(r"blockfile_(\d{6})(?:\.zst)?")
_NUMBERED = re.compile(r"(\d+)\.block")
_NAMED = re.compile(r"(.+)_(\d+)\.block")

# A committed copy comes first: it carries the verdicts to compare with.
_PREFERRED_FOLDERS = ("blocks_peer", "blocks_orderer")
_PREFERRED_NAMES = ("peer", "orderer")
# What stands between a node's data folder and its channels' block files: a peer has chains/chains.
_NODE_FOLDERS = ("ledgersData", "chains")
# A peer that joined by a snapshot leaves here what the snapshot's last block was.
_ORIGIN_FILE = "bootstrappingSnapshot.info"


class Origin(NamedTuple):
    """The last block of the snapshot that a peer's block files go on from."""

    number: int
    header_hash: bytes


class Source:
    """Blocks in their order. :func:`open` finds them; use it as a context manager, and iterate."""

    def __init__(
        self, files: Sequence[Path], reader: framing.Reader, cleanup: ExitStack | None = None
    ) -> None:
        """Take the files in the order of their blocks, and how to read each."""
        self.files = tuple(files)
        self.read_bytes = 0
        """How much of the files was read so far."""

        self.torn: str | None = None
        """Set after the last block when the last file ends inside another one."""

        self.origin = _origin(self.files[0].parent) if self.files else None
        """Set for block files of a peer that joined by a snapshot."""

        self._reader = reader
        self._cleanup = cleanup or ExitStack()

    def __enter__(self) -> "Source":
        """Return the source."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove what was unpacked."""
        self._cleanup.close()

    def removing(self, cleanup: ExitStack) -> "Source":
        """Return the same source, with what is to be cleaned up after it."""
        return Source(self.files, self._reader, cleanup)

    @property
    def total_bytes(self) -> int | None:
        """Size of the files, None when they are compressed."""
        if any(path.suffix == ".zst" for path in self.files):
            return None
        return sum(path.stat().st_size for path in self.files)

    def __iter__(self) -> Iterator[bytes]:
        """Yield each block, an encoded ``common.Block``.

        Raises:
            InputError: A file is damaged, or ends inside a block and is not the last.
        """
        self.read_bytes = 0
        self.torn = None
        before = 0
        for path in self.files:
            try:
                with _open_file(path) as file:
                    for block, end in self._reader(file, str(path)):
                        self.read_bytes = before + end
                        yield block
            except framing.TornEnd as torn:
                if path != self.files[-1]:
                    raise InputError(f"{path}: {torn}, but more files follow") from torn
                self.torn = f"{path}: {torn}"
            except (OSError, zstandard.ZstdError) as error:
                raise InputError(f"{path}: cannot be read: {error}") from error
            before = self.read_bytes


def open(path: str | PathLike[str]) -> Source:
    """Find the blocks at a path.

    Raises:
        InputError: There are none, or it is not clear which ones are meant.

    Example:
        >>> with open(corpus) as source:
        ...     blocks = list(source)
        >>> len(blocks), source.torn
        (84, None)
    """
    path = Path(path)
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise InputError(f"{path}: there is no such file or folder")
    if path.name.endswith(".tar.zst"):
        return _unpacked(path)
    if _BLOCK_FILE.fullmatch(path.name):
        return Source([path], framing.block_file)
    return Source([path], framing.recognise(lambda: _open_file(path), str(path)))


def in_folder(path: Path, name: str = "") -> Source | None:
    """Find the blocks that stand directly in a folder.

    Args:
        path: The folder.
        name: Of blocks named ``NAME_NNN.block``, take these; by default a peer's, if there are any.
    """
    files = sorted(entry for entry in path.iterdir() if entry.is_file())
    if found := _matching(files, _BLOCK_FILE):
        return Source(list(found.values()), framing.block_file)
    if found := _matching(files, _NUMBERED):
        return Source(list(found.values()), framing.whole_file)
    named = {m[1] for file in files if (m := _NAMED.fullmatch(file.name))}
    wanted = [name] if name else [*_PREFERRED_NAMES, *sorted(named)]
    for one in wanted:
        if one in named:
            pattern = re.compile(rf"{re.escape(one)}_(\d+)\.block")
            return Source(list(_matching(files, pattern).values()), framing.whole_file)
    return None


def _matching(files: Sequence[Path], pattern: re.Pattern[str]) -> dict[int, Path]:
    found: dict[int, Path] = {}
    for file in files:
        if match := pattern.fullmatch(file.name):
            number = int(match[1])
            if number in found:
                raise InputError(f"{file} and {found[number].name} are the same one twice")
            found[number] = file
    return dict(sorted(found.items()))


def _folder(path: Path) -> Source:
    if source := in_folder(path):
        return source
    for name in _PREFERRED_FOLDERS:
        if (path / name).is_dir() and (source := in_folder(path / name)):
            return source
    return _only_one(path)


def _only_one(path: Path) -> Source:
    """Take the one subfolder that has blocks; one with a peer's blocks, where there are several."""
    found = {
        entry: source
        for entry in sorted(path.iterdir())
        if entry.is_dir() and (source := in_folder(entry))
    }
    committed = {
        entry: source for entry, source in found.items() if source.files[0].name.startswith("peer_")
    }
    choice = committed or found
    if len(choice) == 1:
        return next(iter(choice.values()))
    if choice:
        folders = ", ".join(entry.name for entry in choice)
        raise InputError(f"{path}: several folders in it have blocks, name one of them: {folders}")
    for name in _NODE_FOLDERS:
        if (path / name).is_dir():
            return _folder(path / name)
    raise InputError(
        f"{path}: no blocks there; expected blockfile_NNNNNN or NNNNNN.block files, "
        "or a folder of them"
    )


def _origin(folder: Path) -> Origin | None:
    path = folder / _ORIGIN_FILE
    try:
        info = bootstrappingSnapshotInfo.FromString(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, DecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    return Origin(info.lastBlockNum, info.lastBlockHash)


def _unpacked(path: Path) -> Source:
    with ExitStack() as cleanup:
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="fastledger-")))
        archive.unpack_blocks(path, folder)
        entries = sorted(folder.iterdir())
        if not entries:
            raise InputError(f"{path}: no blocks in it")
        alone = len(entries) == 1 and entries[0].is_dir()
        source = _folder(entries[0] if alone else folder)
        return source.removing(cleanup.pop_all())


def _open_file(path: Path) -> BinaryIO:
    file = path.open("rb")
    if path.suffix != ".zst":
        return file
    decompressor = zstandard.ZstdDecompressor(max_window_size=archive.WINDOW_BYTES)
    stream = decompressor.stream_reader(file, closefd=True, read_across_frames=True)
    return io.BufferedReader(cast(io.RawIOBase, stream))
