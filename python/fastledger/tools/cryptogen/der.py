# SPDX-License-Identifier: Apache-2.0
"""DER, as much of it as a certificate needs (X.690)."""

import string
from datetime import datetime

_PRINTABLE = frozenset(string.ascii_letters + string.digits + " '()+,-./:=?")


def element(tag: int, *contents: bytes) -> bytes:
    """Encode an element: its tag, its length, and its contents one after the other."""
    body = b"".join(contents)
    size = len(body)
    if size < 128:
        return bytes((tag, size)) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + body


def sequence(*elements: bytes) -> bytes:
    """Encode a SEQUENCE."""
    return element(0x30, *elements)


def set_of(*elements: bytes) -> bytes:
    """Encode a SET OF, in DER's order."""
    return element(0x31, *sorted(elements))


def integer(value: int) -> bytes:
    """Encode an INTEGER that is not negative."""
    return element(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def octets(value: bytes) -> bytes:
    """Encode an OCTET STRING."""
    return element(0x04, value)


def bits(value: bytes, unused: int = 0) -> bytes:
    """Encode a BIT STRING whose last bits are unused."""
    return element(0x03, bytes((unused,)), value)


def true() -> bytes:
    """Encode the BOOLEAN true."""
    return element(0x01, b"\xff")


def oid(dotted: str) -> bytes:
    """Encode an OBJECT IDENTIFIER."""
    first, second, *rest = (int(part) for part in dotted.split("."))
    body = bytearray()
    for arc in (first * 40 + second, *rest):
        septets = [arc & 0x7F]
        while arc := arc >> 7:
            septets.append(0x80 | arc & 0x7F)
        body += bytes(reversed(septets))
    return element(0x06, bytes(body))


def text(value: str) -> bytes:
    """Encode a PrintableString, or a UTF8String where that cannot hold the text."""
    return element(0x13 if _PRINTABLE.issuperset(value) else 0x0C, value.encode())


def time(value: datetime) -> bytes:
    """Encode a moment in UTC: a UTCTime until 2049, a GeneralizedTime after (RFC 5280)."""
    if value.year < 2050:
        return element(0x17, value.strftime("%y%m%d%H%M%SZ").encode())
    return element(0x18, value.strftime("%Y%m%d%H%M%SZ").encode())
