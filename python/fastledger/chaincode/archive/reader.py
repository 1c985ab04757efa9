# SPDX-License-Identifier: Apache-2.0
"""The entries of a gzipped tar, one after the other (Go: ``archive/tar.Reader``)."""

from collections.abc import Iterator
from dataclasses import dataclass

from fastledger.chaincode.archive import header as headers
from fastledger.chaincode.archive.header import BLOCK, Header
from fastledger.chaincode.archive.inflate import UNEXPECTED_EOF, Inflated
from fastledger.common.errors import InputError

MAX_ENTRIES = 200_000
"""Entries of one archive; a vendored Go chaincode has some thousands, an npm tree some ten."""

MAX_SPECIAL_TOTAL = 64 * 1024 * 1024
"""Bytes of all pax headers and long names of one archive: some 300 for each entry."""

MAX_NAME_BYTES = 4096
"""Longest path of an entry: no file system of ours takes a longer one (``PATH_MAX``)."""

_CHUNK_BYTES = 1024 * 1024
_ZEROS = bytes(BLOCK)


@dataclass(slots=True)
class Entry:
    """One entry; its content can be read until the next is asked for."""

    name: str
    """As it is written there; bytes that are no UTF-8 are surrogates."""

    type: str
    """The tar type flag: ``0`` for a regular file, ``5`` for a folder."""

    mode: int
    size: int
    _content: "_Content"

    @property
    def is_regular(self) -> bool:
        """Whether it is a regular file."""
        return self.type == headers.REGULAR

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.type == headers.FOLDER

    def chunks(self) -> Iterator[bytes]:
        """Yield the content in parts of up to 1 MiB; raises InputError when it is cut short."""
        while chunk := self._content.read(_CHUNK_BYTES):
            yield chunk

    def read(self, most: int) -> bytes:
        """Return the whole content.

        Raises:
            InputError: There are more than ``most`` bytes, or fewer than the entry's size.
        """
        if self.size > most:
            raise InputError(f"it has {self.size} bytes, {most} are allowed")
        return b"".join(self.chunks())


class _Content:
    """What is left of one entry's data, and the padding behind it."""

    def __init__(self, stream: Inflated, size: int) -> None:
        self._stream = stream
        self._left = size
        self._padding = -size % BLOCK

    def read(self, most: int) -> bytes:
        wanted = min(most, self._left)
        data = self._stream.read(wanted)
        self._left -= len(data)
        if len(data) < wanted:
            raise InputError(UNEXPECTED_EOF)
        return data

    def skip(self) -> bool:
        """Go past the end; whether the padding is all there, without which an archive ends."""
        while self._left:
            self.read(_CHUNK_BYTES)
        padding, self._padding = self._padding, 0
        return len(self._stream.read(padding)) == padding


class Archive:
    """A gzipped tar; iterate over it once."""

    def __init__(self, data: bytes, max_bytes: int) -> None:
        """Read the gzip header.

        Args:
            data: The archive.
            max_bytes: How much it may unpack to, headers and what is skipped included.

        Raises:
            InputError: It is no gzip stream; the text is Go's.
        """
        self._stream = Inflated(data, max_bytes)

    def __iter__(self) -> Iterator[Entry]:
        """Yield the entries.

        Raises:
            InputError: The archive is damaged, or beyond its bounds; the text is Go's where Go has
                one, such as ``unexpected EOF``.
        """
        stream, special = self._stream, _Special()
        content = _Content(stream, 0)
        count = 0
        while content.skip() and (found := _header(stream)) is not None:
            content = _content(stream, found)
            if found.type in _IN_FRONT:
                special.take(found, content)
                continue
            special.apply(found, content)
            if found.type != headers.PAX_GLOBAL:
                content = _content(stream, found)
            count += 1
            if count > MAX_ENTRIES:
                raise InputError(f"it has more than {MAX_ENTRIES} entries")
            if len(found.name.encode("utf-8", "surrogateescape")) > MAX_NAME_BYTES:
                raise InputError(f"a path has more than {MAX_NAME_BYTES} bytes")
            yield Entry(found.name, found.type, found.mode, found.size, content)


_IN_FRONT = (headers.PAX, headers.LONG_NAME, headers.LONG_LINK)


class _Special:
    """Headers in front of an entry that say more of it than its own can hold."""

    def __init__(self) -> None:
        self._left = MAX_SPECIAL_TOTAL
        self._records: dict[str, str] = {}
        self._name = ""

    def _read(self, content: _Content) -> bytes:
        data = content.read(headers.MAX_SPECIAL_BYTES)
        if content.read(1):
            raise InputError(headers.TOO_LONG)
        self._left -= len(data)
        if self._left < 0:
            raise InputError(f"its special headers have more than {MAX_SPECIAL_TOTAL} bytes")
        return data

    def take(self, header: Header, content: _Content) -> None:
        """Keep what a header in front says, in place of what an earlier one of its kind said."""
        data = self._read(content)
        if header.type == headers.PAX:
            self._records = headers.pax_records(data)
        elif header.type == headers.LONG_NAME:
            self._name = headers.text(data)

    def apply(self, header: Header, content: _Content) -> None:
        """Complete the header of an entry, and forget what was kept for it."""
        if header.type == headers.PAX_GLOBAL:
            records = headers.pax_records(self._read(content))
            header.name = records.get("path") or header.name
            header.size = header.mode = 0
        else:
            headers.merge(header, self._records)
            header.name = self._name or header.name
        if header.type == headers.OLD_REGULAR:
            is_folder = header.name.endswith("/")
            header.type = headers.FOLDER if is_folder else headers.REGULAR
        if header.type == headers.SPARSE:
            raise InputError(f"{header.name!a} is a sparse file, which no package needs")
        self._records, self._name = {}, ""


def _content(stream: Inflated, header: Header) -> _Content:
    size = 0 if header.type in headers.WITHOUT_DATA else header.size
    if size < 0:
        raise InputError(headers.BAD)
    return _Content(stream, size)


def _header(stream: Inflated) -> Header | None:
    """Read the next header; None at the end: nothing more, or blocks of zeros."""
    block = _block(stream)
    if block is None:
        return None
    if block == _ZEROS:
        block = _block(stream)
        if block is None or block == _ZEROS:
            return None
        raise InputError(headers.BAD)
    return headers.parse(block)


def _block(stream: Inflated) -> bytes | None:
    block = stream.read(BLOCK)
    if not block:
        return None
    if len(block) < BLOCK:
        raise InputError(UNEXPECTED_EOF)
    return block
