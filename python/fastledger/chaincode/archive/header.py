# SPDX-License-Identifier: Apache-2.0
"""The blocks that describe a tar archive's entries (Go: ``archive/tar``, ``readHeader``)."""

import re
import struct
from dataclasses import dataclass

from fastledger.common.errors import InputError

BLOCK = 512
MAX_SPECIAL_BYTES = 1024 * 1024
"""Longest pax header or GNU name; Go's bound, which is libarchive's."""

REGULAR, OLD_REGULAR, FOLDER = "0", "\0", "5"
PAX, PAX_GLOBAL, LONG_NAME, LONG_LINK, SPARSE = "x", "g", "L", "K", "S"
WITHOUT_DATA = frozenset("123456")
"""Links, devices, folders and pipes: whatever size they say."""

BAD = "archive/tar: invalid tar header"
TOO_LONG = "archive/tar: header field too long"

_SIGNED = struct.Struct(f"{BLOCK}b")
_OCTAL = re.compile(rb"[0-7]+")
_DECIMAL = re.compile(r"[+-]?[0-9]+")
_TIME = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?")
_TEXTS = ("path", "linkpath", "uname", "gname")
_SPARSE_RECORD = "GNU.sparse."


@dataclass(slots=True)
class Header:
    """What a header says of its entry."""

    name: str
    """Bytes that are no UTF-8 are surrogates (``surrogateescape``)."""

    type: str
    """The type flag: one character."""

    size: int
    mode: int


def parse(block: bytes) -> Header:
    """Read a header block.

    Raises:
        InputError: It is none.
    """
    expected = _octal(block[148:156])
    blank = block[:148] + b" " * 8 + block[156:]
    if expected not in (sum(blank), sum(_SIGNED.unpack(blank))):
        raise InputError(BAD)
    size, mode = _number(block[124:136]), _number(block[100:108])
    for start, end in ((108, 116), (116, 124), (136, 148)):
        _number(block[start:end])
    name = text(block[:100])
    magic = block[257:263]
    if magic == b"ustar\0" or (magic == b"ustar " and block[263:265] == b" \0"):
        for start, end in ((329, 337), (337, 345)):
            _number(block[start:end])
        name = _prefixed(block, magic, name)
    return Header(name, chr(block[156]), size, mode)


def _prefixed(block: bytes, magic: bytes, name: str) -> str:
    if magic == b"ustar\0":
        is_star = block[508:512] == b"tar\0"
        for start, end in ((476, 488), (488, 500)) if is_star else ():
            _number(block[start:end])
        prefix = text(block[345 : 476 if is_star else 500])
    else:
        prefix = _misplaced_prefix(block)
    return f"{prefix}/{name}" if prefix else name


def _misplaced_prefix(block: bytes) -> str:
    """A prefix where GNU's format has two times: Go's own writer did that before 1.8."""
    try:
        for start, end in ((345, 357), (357, 369)):
            if block[start]:
                _number(block[start:end])
    except InputError:
        prefix = text(block[345:500])
        return prefix if prefix.isascii() else ""
    return ""


def text(field: bytes) -> str:
    """Text up to the first NUL."""
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _number(field: bytes) -> int:
    """A number in octal, or in two's complement when its first bit says so."""
    if not field[0] & 0x80:
        return _octal(field)
    number = int.from_bytes(bytes([field[0] & 0x7F]) + field[1:])
    if field[0] & 0x40:
        number -= 1 << (8 * len(field) - 1)
    if not -(1 << 63) <= number < 1 << 63:
        raise InputError(BAD)
    return number


def _octal(field: bytes) -> int:
    digits = field.strip(b" \0").partition(b"\0")[0]
    if not field.strip(b" \0"):
        return 0
    if not _OCTAL.fullmatch(digits) or int(digits, 8) >= 1 << 64:
        raise InputError(BAD)
    number = int(digits, 8)
    return number - (1 << 64) if number >> 63 else number


def pax_records(data: bytes) -> dict[str, str]:
    """Read the records of a pax header.

    Raises:
        InputError: One is malformed.
    """
    records = {}
    at = 0
    while at < len(data):
        space = data.find(b" ", at, at + _MAX_LENGTH_DIGITS)
        length = _decimal(data[at:space].decode("latin-1")) if space > at else 0
        end = at + length
        if length < _SHORTEST_RECORD or end > len(data) or end <= space + 1:
            raise InputError(BAD)
        key, equals, value = data[space + 1 : end - 1].partition(b"=")
        is_text = key.decode("latin-1") in _TEXTS
        if data[end - 1 : end] != b"\n" or not equals or not key or b"\0" in key:
            raise InputError(BAD)
        if is_text and b"\0" in value:
            raise InputError(BAD)
        records[key.decode("utf-8", "surrogateescape")] = value.decode("utf-8", "surrogateescape")
        at = end
    return records


_MAX_LENGTH_DIGITS = 21
"""Of a record's length, with its space: Go reads 64 bits."""

_SHORTEST_RECORD = 5


def merge(header: Header, records: dict[str, str]) -> None:
    """Let a pax header's records replace what the entry's own header says.

    Raises:
        InputError: A record is no number, or the file is sparse.
    """
    for key, value in records.items():
        if not value:
            continue
        if key == "path":
            header.name = value
        elif key == "size":
            header.size = _decimal(value)
        elif key in ("uid", "gid"):
            _decimal(value)
        elif key in ("atime", "mtime", "ctime"):
            if not _TIME.fullmatch(value):
                raise InputError(BAD)
        elif key.startswith(_SPARSE_RECORD):
            raise InputError(f"{header.name!a} is a sparse file, which no package needs")


def _decimal(digits: str) -> int:
    if not _DECIMAL.fullmatch(digits) or not -(1 << 63) <= int(digits) < 1 << 63:
        raise InputError(BAD)
    return int(digits)
