# SPDX-License-Identifier: Apache-2.0
"""Composite keys: several parts in one key, so that a range finds all that begin alike."""

from collections.abc import Sequence

NAMESPACE = "\x00"
"""First character of every composite key; a simple key must not begin with it."""

SEPARATOR = "\x00"
LAST = "\U0010ffff"
"""Sorts after everything."""

EMPTY_START = "\x01"
"""Stands for an empty start key: after all composite keys."""


def create(object_type: str, attributes: Sequence[str]) -> str:
    r"""Join parts into a key.

    Raises:
        ValueError: A part holds U+0000 or U+10FFFF, or cannot be encoded.

    Example:
        >>> create("owner~asset", ["Max", "asset1"])
        '\x00owner~asset\x00Max\x00asset1\x00'
    """
    for part in (object_type, *attributes):
        _check(part)
    return NAMESPACE + "".join(part + SEPARATOR for part in (object_type, *attributes))


def split(key: str) -> tuple[str, list[str]]:
    r"""Take a composite key apart.

    Raises:
        ValueError: It is none.

    Example:
        >>> split("\x00owner~asset\x00Max\x00asset1\x00")
        ('owner~asset', ['Max', 'asset1'])
    """
    if not key.startswith(NAMESPACE) or len(key) < 2 or not key.endswith(SEPARATOR):
        raise ValueError(f"{key!r} is no composite key")
    object_type, *attributes = key[1:-1].split(SEPARATOR)
    return object_type, attributes


def range_of(object_type: str, attributes: Sequence[str]) -> tuple[str, str]:
    """The range of all composite keys that begin with these parts."""
    start = create(object_type, attributes)
    return start, start + LAST


def check_simple(*keys: str) -> None:
    """Refuse composite keys.

    Raises:
        ValueError: A key begins with U+0000.
    """
    for key in keys:
        if key.startswith(NAMESPACE):
            raise ValueError(
                f"first character of the key [{key}] contains a null character which is not allowed"
            )


def _check(part: str) -> None:
    for position, character in enumerate(part):
        if character in (SEPARATOR, LAST):
            raise ValueError(
                f"input contains unicode U+{ord(character):04X} starting at position [{position}]. "
                "U+0000 and U+10FFFF are not allowed in the input attribute of a composite key"
            )
    part.encode()
