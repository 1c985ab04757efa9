# SPDX-License-Identifier: Apache-2.0
"""CouchDB's order of JSON values, as bytes: those of the lesser value are the lesser ones.

``null < false < true < numbers < text < arrays < objects``. Text is ordered as people order it:
punctuation, digits, letters; among equal letters accents count, then small before capital, as in
the table of CouchDB's documentation ("Views collation"). For letters beyond Latin it is the order
of code points, which ICU refines further.

No value's bytes begin with those of another one, so the bytes of several values, one behind the
other, order as the values do one after the other: they are the keys of indexes.
"""

import struct
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

MAX_NESTED = 200
"""Depth behind which values are all alike."""

_ASCII = " `^_-,;:!?.'\"()[]{}@*/\\&#%+<=>|~$0123456789"
_RANK = {character: rank for rank, character in enumerate(_ASCII, start=2)}
_END = b"\0"
_CONTROL, _FIRST_LETTER, _OTHER = 0x70, 0x80, 0xF0
"""Where letters stand, behind punctuation and digits: what Latin letters precede, these, others."""

_PLAIN = bytes(
    _RANK.get(chr(code), _FIRST_LETTER + code - ord("a") if code < 128 else 0)
    for code in range(256)
)
"""Small printable ASCII characters as letters."""

_EXACT = 2.0**53
"""Below it every whole number is a float."""

_LEAST, _NEGATIVE, _NONE, _POSITIVE, _GREATEST = b"\x01", b"\x10", b"\x20", b"\x30", b"\xff"
_MAX_CACHED = 4096
_MAX_CACHED_LETTERS = 256
"""Keys of longer texts are not remembered: documents may be of many megabytes."""

_PIECE = 256
"""Characters that are decomposed at once."""


def sort_key(value: Any, depth: int = 0) -> bytes:
    """Bytes that order JSON values as CouchDB does, equal for equal values alone.

    Example:
        >>> sorted([{}, [], "B", "a", "b", 1, True, False, None], key=sort_key)
        [None, False, True, 1, 'a', 'b', 'B', [], {}]
    """
    if isinstance(value, str):
        return _text_key(value)
    if isinstance(value, bool):
        return b"\x03" if value else b"\x02"
    if isinstance(value, int | float):
        return b"\x04" + _number(value)
    if value is None:
        return b"\x01"
    if depth >= MAX_NESTED:
        return b"\x08"
    if isinstance(value, list):
        return b"\x06" + b"".join(sort_key(item, depth + 1) for item in value) + _END
    if isinstance(value, dict):
        pairs = (_text_key(name) + sort_key(item, depth + 1) for name, item in value.items())
        return b"\x07" + b"".join(pairs) + _END
    raise TypeError(f"{type(value).__name__} is no JSON value")


def compare(left: Any, right: Any) -> int:
    """Negative, zero or positive, as left sorts before, with or after right."""
    first, second = sort_key(left), sort_key(right)
    return (first > second) - (first < second)


def _number(value: int | float) -> bytes:
    """A float's bits in its order; behind great ones, by how much the whole number is off."""
    try:
        near = float(value) + 0.0  # Negative zero is zero.
    except OverflowError:
        near = float("inf") if value > 0 else float("-inf")
    bits: int = struct.unpack(">Q", struct.pack(">d", near))[0]
    bits ^= (1 << 64) - 1 if bits >> 63 else 1 << 63
    encoded = bits.to_bytes(8, "big")
    return encoded if -_EXACT < near < _EXACT else encoded + _distance(value, near)


def _distance(value: int | float, near: float) -> bytes:
    infinite = near in (float("inf"), float("-inf"))
    if not isinstance(value, int):
        if infinite:
            return _GREATEST if near > 0 else _LEAST
        return _NONE
    off = value if infinite else value - int(near)
    if not off:
        return _NONE
    size = (abs(off).bit_length() + 7) // 8
    encoded = size.to_bytes(4, "big") + abs(off).to_bytes(size, "big")
    if off > 0:
        return _POSITIVE + encoded
    return _NEGATIVE + bytes(0xFF - byte for byte in encoded)


def _text_key(text: str) -> bytes:
    return _remembered_key(text) if len(text) <= _MAX_CACHED_LETTERS else _key_of_text(text)


def _key_of_text(text: str) -> bytes:
    """Letters first, then accents, then capitals; the text itself where these do not tell it."""
    if text.isascii() and text.isprintable():
        small = text.lower()
        letters, capitals = small.encode().translate(_PLAIN), b""
        if small != text:
            capitals = bytes(1 + (a != b) for a, b in zip(text, small, strict=True))
        return b"\x05" + letters + b"\0\0" + capitals.rstrip(b"\x01") + b"\0\0"
    return b"\x05" + _END.join((*_levels(text), _exact(text), b""))


_remembered_key = lru_cache(maxsize=_MAX_CACHED)(_key_of_text)


def _levels(text: str) -> tuple[bytes, bytes, bytes]:
    letters, accents, capitals = bytearray(), bytearray(), bytearray()
    place = 0
    for character in _decomposed(text):
        if unicodedata.combining(character):
            accents += b"\x01" + place.to_bytes(4, "big") + ord(character).to_bytes(3, "big")
            continue
        small = character.casefold()
        letters += _letter(small)
        capitals.append(1 + (small != character))
        place += 1
    return bytes(letters), bytes(accents), bytes(capitals).rstrip(b"\x01")


def _decomposed(text: str) -> Iterator[str]:
    """The characters of a text with their accents apart.

    Putting many accents of one letter in order takes the square of their number: pieces of a text
    are decomposed alone.
    """
    for start in range(0, len(text), _PIECE):
        yield from unicodedata.normalize("NFKD", text[start : start + _PIECE])


def _letter(small: str) -> bytes:
    rank = _RANK.get(small)
    if rank is not None:
        return bytes([rank])
    encoded = bytearray()
    for character in small:
        code = ord(character)
        if code < ord("a"):
            encoded += bytes([_CONTROL, code])
        elif code <= ord("z"):
            encoded.append(_FIRST_LETTER + code - ord("a"))
        else:
            encoded += bytes([_OTHER]) + code.to_bytes(3, "big")
    return bytes(encoded)


def _exact(text: str) -> bytes:
    """UTF-8 without zeros, in the order of code points; ASCII text is known by its levels."""
    if text.isascii():
        return b""
    return text.encode("utf-8", "surrogatepass").replace(b"\1", b"\1\2").replace(b"\0", b"\1\1")
