# SPDX-License-Identifier: Apache-2.0
"""PEM as Go's encoding/pem reads it.

A block begins and ends at the beginning of a line; what stands around it does not count, nor does
its type to whoever only wants its bytes.
"""

from dataclasses import dataclass

from fastledger.common.gojson import Base64Invalid, decode_base64

_BEGIN, _END, _DASHES = b"-----BEGIN ", b"\n-----END ", b"-----"


@dataclass(frozen=True, slots=True)
class PemBlock:
    """One block."""

    type: str
    headers: frozenset[str]
    """Names of its headers."""
    data: bytes

    @property
    def is_encrypted(self) -> bool:
        """Whether a password is needed to read it."""
        return "DEK-Info" in self.headers


def first_block(text: bytes) -> PemBlock | None:
    """Find the first block of a file; None if it has none that is whole."""
    rest = text
    while True:
        # Each END belongs to the last BEGIN before it; others have no end.
        end = rest.find(_END)
        if end < 0:
            return None
        begin = rest.rfind(_BEGIN, 0, end)
        if begin >= 0 and (begin == 0 or rest[begin - 1 : begin] == b"\n"):
            block = _block(rest[begin + len(_BEGIN) :], end - begin - len(_BEGIN))
            if block is not None:
                return block
        rest = rest[end + len(_END) :]


def _block(text: bytes, end: int) -> PemBlock | None:
    """Read the block whose type begins the text and whose END line is at a place."""
    type_line, start = _line(text, 0)
    if not type_line.endswith(_DASHES):
        return None
    headers = set()
    while True:
        line, following = _line(text, start)
        name, colon, _ = line.partition(b":")
        if not colon:
            break
        headers.add(name.strip().decode("latin-1"))
        start = following
    if headers and start > end:
        return None
    trailer, _ = _line(text, end + len(_END))
    if trailer != type_line:
        return None
    letters = text[start:end].translate(None, b" \t")
    try:
        data = decode_base64(letters.decode("latin-1"))
    except Base64Invalid:
        return None
    kind = type_line.removesuffix(_DASHES).decode("utf-8", "replace")
    return PemBlock(kind, frozenset(headers), data)


def _line(text: bytes, start: int) -> tuple[bytes, int]:
    """The line at a place, without blanks at its end, and where the next one begins."""
    end = text.find(b"\n", start)
    if end < 0:
        return text[start:].rstrip(b" \t"), len(text)
    line = text[start:end]
    return line.removesuffix(b"\r").rstrip(b" \t"), end + 1
