# SPDX-License-Identifier: Apache-2.0
"""Base64 as Go's encoding/base64 decodes it."""

import binascii
import re

from fastledger.common.errors import InputError

_WHOLE = re.compile(r"(?:[A-Za-z0-9+/]{4})*+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_UNPADDED = re.compile(r"(?:[A-Za-z0-9+/]{4})*+(?:[A-Za-z0-9+/]{2,3})?")
_LETTERS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_LINE_END_BYTES = frozenset(b"\r\n")
_PAD = ord("=")
_LEAST_LETTERS = 2
"""Of a group that stand for a byte."""

_LINE_ENDS = str.maketrans("", "", "\r\n")
_URL_LETTERS = str.maketrans("-_+/", "+/  ")


class Base64Invalid(InputError):
    """A text is no base64; the error says from which of its bytes on."""


def decode_base64(text: str, *, url: bool = False, padded: bool = True) -> bytes:
    """Decode base64; line ends in it do not count.

    Args:
        text: What to decode.
        url: Whether it is of the alphabet with ``-`` and ``_``.
        padded: Whether it ends with ``=`` where it must, or never does.

    Raises:
        Base64Invalid: It is none.
    """
    plain = text.translate(_URL_LETTERS) if url else text
    joined = plain.translate(_LINE_ENDS)
    if not (_WHOLE if padded else _UNPADDED).fullmatch(joined):
        fault = _fault(plain.encode(), padded=padded)
        raise Base64Invalid(f"illegal base64 data at input byte {fault}")
    return binascii.a2b_base64(joined + "=" * (-len(joined) % 4))


def _fault(data: bytes, *, padded: bool) -> int:
    """The byte that Go names, which takes letters in groups of four."""
    letters = 0
    for place, byte in enumerate(data):
        if byte in _LINE_END_BYTES:
            continue
        if byte in _LETTERS:
            letters = (letters + 1) % 4
        elif padded and byte == _PAD and letters >= _LEAST_LETTERS:
            return _fault_of_padding(data, place, letters)
        else:
            return place
    return len(data) - letters


def _fault_of_padding(data: bytes, place: int, letters: int) -> int:
    """What is wrong from the first ``=`` on, behind two or three letters of a group."""
    following = _behind_line_ends(data, place + 1)
    if letters == _LEAST_LETTERS:
        if following == len(data):
            return following
        if data[following] != _PAD:
            return following - 1
        following = _behind_line_ends(data, following + 1)
    return following


def _behind_line_ends(data: bytes, place: int) -> int:
    while place < len(data) and data[place] in _LINE_END_BYTES:
        place += 1
    return place
