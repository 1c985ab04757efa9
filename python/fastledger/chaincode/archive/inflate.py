# SPDX-License-Identifier: Apache-2.0
"""A gzip stream that inflates what is asked for, and no more (Go: ``compress/gzip.Reader``)."""

import struct
import zlib

from fastledger.common.errors import InputError

_SLICE_BYTES = 16 * 1024
"""Compressed bytes handed to zlib at a time: it copies what it leaves over."""

_FIXED = struct.Struct("<2sBBIBB")
_MAGIC, _DEFLATE = b"\x1f\x8b", 8
_HEADER_CRC, _EXTRA, _NAME, _COMMENT = 2, 4, 8, 16
_TRAILER = struct.Struct("<II")
_MAX_TEXT_BYTES = 512
"""Longest name or comment in a header; Go's bound."""

EOF = "EOF"
UNEXPECTED_EOF = "unexpected EOF"
_BAD_HEADER = "gzip: invalid header"
_BAD_CHECKSUM = "gzip: invalid checksum"


class Inflated:
    """What a gzip stream of one or more members holds, read forward once."""

    def __init__(self, data: bytes, max_bytes: int) -> None:
        """Read the first member's header.

        Args:
            data: The compressed bytes.
            max_bytes: How much may be inflated in all: a bomb stops there.

        Raises:
            InputError: It is no gzip stream; the text is Go's.
        """
        self._data = memoryview(data)
        self._at = 0
        self._left = max_bytes
        self._max_bytes = max_bytes
        self._ended = False
        self._crc = self._size = 0
        if not data:
            raise InputError(EOF)
        self._begin()

    def read(self, count: int) -> bytes:
        """Return the next bytes; fewer only at the end.

        A checksum is looked at when somebody reads beyond what it covers, as in Go. Of a stream
        that is cut short this gets up to 15 bits more: Go decodes nothing without as many at hand
        as the mark of the end would have.

        Raises:
            InputError: The stream is damaged or cut short, or inflates to too much.
        """
        parts: list[bytes] = []
        missing = count
        while missing and not self._ended:
            if self._inflater.eof:
                self._next_member()
                continue
            part = self._inflate(missing)
            parts.append(part)
            missing -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _inflate(self, most: int) -> bytes:
        pending = self._inflater.unconsumed_tail
        if not pending:
            pending = bytes(self._data[self._at : self._at + _SLICE_BYTES])
            self._at += len(pending)
        try:
            part = self._inflater.decompress(pending, most)
        except zlib.error:
            raise InputError(f"flate: corrupt input before offset {self._at}") from None
        if self._inflater.eof:
            self._at -= len(self._inflater.unused_data)
        elif not part and not self._inflater.unconsumed_tail and self._at >= len(self._data):
            raise InputError(UNEXPECTED_EOF)
        self._left -= len(part)
        if self._left < 0:
            raise InputError(f"it unpacks to more than {self._max_bytes} bytes")
        self._crc = zlib.crc32(part, self._crc)
        self._size += len(part)
        return part

    def _next_member(self) -> None:
        """Check the trailer of a member that has ended; begin another if there is one."""
        checksum, size = _TRAILER.unpack(self._take(_TRAILER.size))
        if (checksum, size) != (self._crc, self._size & 0xFFFFFFFF):
            raise InputError(_BAD_CHECKSUM)
        self._ended = self._at == len(self._data)
        if not self._ended:
            self._begin()

    def _begin(self) -> None:
        start = self._at
        magic, method, flags, _time, _extra, _system = _FIXED.unpack(self._take(_FIXED.size))
        if magic != _MAGIC or method != _DEFLATE:
            raise InputError(_BAD_HEADER)
        if flags & _EXTRA:
            self._take(int.from_bytes(self._take(2), "little"))
        for flag in (_NAME, _COMMENT):
            if flags & flag:
                self._skip_text()
        if flags & _HEADER_CRC:
            expected = zlib.crc32(self._data[start : self._at]) & 0xFFFF
            if int.from_bytes(self._take(2), "little") != expected:
                raise InputError(_BAD_HEADER)
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._crc = self._size = 0

    def _skip_text(self) -> None:
        end = bytes(self._data[self._at : self._at + _MAX_TEXT_BYTES]).find(b"\0")
        if end < 0:
            cut = len(self._data) - self._at < _MAX_TEXT_BYTES
            raise InputError(UNEXPECTED_EOF if cut else _BAD_HEADER)
        self._at += end + 1

    def _take(self, count: int) -> bytes:
        taken = bytes(self._data[self._at : self._at + count])
        if len(taken) < count:
            raise InputError(UNEXPECTED_EOF)
        self._at += count
        return taken
