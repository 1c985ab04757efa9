# SPDX-License-Identifier: Apache-2.0
"""CouchDB's order of JSON values, as keys that Python can compare.

``null < false < true < numbers < text < arrays < objects``. Text is ordered as people order it:
punctuation, digits, letters; among equal letters accents count, then small before capital, as in
the table of CouchDB's documentation ("Views collation"). For letters beyond Latin it is the order
of code points, which ICU refines further.
"""

import unicodedata
from functools import lru_cache
from typing import Any

_ASCII = " `^_-,;:!?.'\"()[]{}@*/\\&#%+<=>|~$0123456789"
_RANK = {character: rank for rank, character in enumerate(_ASCII, start=1)}
_LETTERS = 1000
"""Where letters begin, after all ranks of punctuation and digits."""

_MAX_CACHED = 4096

Key = tuple[Any, ...]


def sort_key(value: Any) -> Key:
    """A key that orders JSON values as CouchDB does.

    Example:
        >>> sorted([{}, [], "B", "a", "b", 1, True, False, None], key=sort_key)
        [None, False, True, 1, 'a', 'b', 'B', [], {}]
    """
    match value:
        case None:
            return (0,)
        case bool():
            return (2,) if value else (1,)
        case int() | float():
            return (3, value)
        case str():
            return (4, *text_key(value))
        case list():
            return (5, tuple(sort_key(item) for item in value))
        case dict():
            parts = tuple((text_key(name), sort_key(item)) for name, item in value.items())
            return (6, len(parts), parts) if not parts else (6, 1, parts)
    raise TypeError(f"{type(value).__name__} is no JSON value")


@lru_cache(maxsize=_MAX_CACHED)
def text_key(text: str) -> Key:
    """A key that orders text: letters first, then accents, then capitals."""
    letters: list[tuple[int, ...]] = []
    accents: list[tuple[int, int]] = []
    capitals: list[bool] = []
    for character in unicodedata.normalize("NFKD", text):
        if unicodedata.combining(character):
            accents.append((len(letters), ord(character)))
            continue
        small = character.casefold()
        letters.append(_rank(small))
        capitals.append(small != character)
    # The text itself comes last, so that different texts are never equal.
    return (tuple(letters), tuple(accents), tuple(capitals), text)


def compare(left: Any, right: Any) -> int:
    """Negative, zero or positive, as left sorts before, with or after right."""
    first, second = sort_key(left), sort_key(right)
    return (first > second) - (first < second)


def _rank(small: str) -> tuple[int, ...]:
    rank = _RANK.get(small)
    if rank is not None:
        return (rank,)
    return tuple(_LETTERS + ord(character) for character in small)
