# SPDX-License-Identifier: Apache-2.0
"""Base64 as Go's encoding/base64 decodes it."""

import binascii
import re

from fastledger.common.errors import InputError

_WHOLE = re.compile(r"(?:[A-Za-z0-9+/]{4})*+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_UNPADDED = re.compile(r"(?:[A-Za-z0-9+/]{4})*+(?:[A-Za-z0-9+/]{2,3})?")
_LETTER = re.compile(r"[A-Za-z0-9+/]")
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
        raise Base64Invalid(f"illegal base64 data at input byte {_fault(plain, padded=padded)}")
    return binascii.a2b_base64(joined + "=" * (-len(joined) % 4))


def _fault(text: str, *, padded: bool) -> int:
    """Where Go sees the fault: at a wrong letter, or where the last group of four begins."""
    places = [place for place, letter in enumerate(text) if letter not in "\r\n"]
    wrong = next((n for n, place in enumerate(places) if not _LETTER.match(text[place])), None)
    if wrong is None:
        # Too few letters: Go counts back from the end by those of the unfinished group.
        return len(text.encode()) - len(places) % 4
    at = places[wrong]
    if padded and text[at] == "=" and wrong % 4 >= 2:
        needed = 4 - wrong % 4
        if len(places) < wrong + needed:
            at = len(text)
        elif needed == 1 or text[places[wrong + 1]] == "=":
            at = places[wrong + needed] if len(places) > wrong + needed else at
        else:
            at = places[wrong + 1]
    return len(text[:at].encode())
