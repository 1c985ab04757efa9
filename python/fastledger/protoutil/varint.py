# SPDX-License-Identifier: Apache-2.0
"""Protobuf's base-128 varints, for frames around messages that are passed on as they are."""

from collections.abc import Iterable
from itertools import islice

MAX_VARINT_BYTES = 10
"""Of a number of 64 bits."""


def encode(number: int) -> bytes:
    """Encode a number that is not negative.

    Example:
        >>> encode(300).hex()
        'ac02'
    """
    encoded = bytearray()
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def read(octets: Iterable[int]) -> tuple[int, int]:
    """Read the number that some bytes begin with; return it and how many bytes it has.

    Example:
        >>> read(encode(300) + b" and more")
        (300, 2)

    Raises:
        EOFError: The bytes end inside of it.
        ValueError: It is longer than a number can be.
    """
    number = count = 0
    for octet in islice(octets, MAX_VARINT_BYTES):
        number |= (octet & 0x7F) << (7 * count)
        count += 1
        if octet < 0x80:
            return number, count
    if count < MAX_VARINT_BYTES:
        raise EOFError("a number is incomplete")
    raise ValueError("a number is too long")
