# SPDX-License-Identifier: Apache-2.0
"""Bytes of collation against a slow judge that compares values level by level."""

import unicodedata
from itertools import permutations

from hypothesis import example, given
from hypothesis import strategies as st

from fastledger.ledger.richquery.collation import MAX_NESTED, compare, sort_key

NUMBERS = st.one_of(
    st.integers(),
    st.floats(allow_nan=False),
    st.sampled_from([2**53, 2**53 + 1, float(2**53), 10**400, -(10**400), 10**400 + 1]),
)
TEXTS = st.one_of(
    st.text(max_size=6),
    st.text(st.sampled_from("aAbB \0\1_~é\u0301eßẞs\u212aKkﬁfi\ud800"), max_size=6),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)
ASCII = " `^_-,;:!?.'\"()[]{}@*/\\&#%+<=>|~$0123456789"


def slow_key(value: object) -> tuple:
    match value:
        case None:
            return (0,)
        case bool():
            return (2,) if value else (1,)
        case int() | float():
            return (3, value)
        case str():
            return (4, *slow_text(value))
        case list():
            return (5, tuple(slow_key(item) for item in value))
        case dict():
            return (6, tuple((slow_text(name), slow_key(item)) for name, item in value.items()))
    raise TypeError(value)


def slow_text(text: str) -> tuple:
    letters, accents, capitals = [], [], []
    for character in unicodedata.normalize("NFKD", text):
        if unicodedata.combining(character):
            accents.append((len(capitals), ord(character)))
            continue
        small = character.casefold()
        if small in ASCII:
            letters.append(ASCII.index(small))
        else:
            letters += [1000 + ord(one) for one in small]
        capitals.append(small != character)
    while capitals and not capitals[-1]:
        capitals.pop()
    return (tuple(letters), tuple(accents), tuple(capitals), text)


@given(VALUES, VALUES)
@example(2**53, float(2**53))
@example(2**53 + 1, float(2**53))
@example(float("inf"), 10**400)
@example(-(10**400), float("-inf"))
@example(0.0, -0.0)
@example("", "\0")
@example([], [[]])
@example({}, {"": 1})
def test_bytes_are_ordered_as_values_are(left: object, right: object) -> None:
    slow = (slow_key(left) > slow_key(right)) - (slow_key(left) < slow_key(right))
    assert compare(left, right) == slow


@given(st.lists(VALUES, max_size=6))
def test_no_values_bytes_begin_with_those_of_another(values: list) -> None:
    keys = {sort_key(value) for value in values}
    assert not any(one.startswith(other) for one, other in permutations(keys, 2))


def test_values_in_great_depth_are_alike() -> None:
    deep: object = 1
    other: object = 2
    for _ in range(MAX_NESTED + 1):
        deep, other = [deep], [other]
    assert compare(deep, other) == 0
    assert compare([1], [2]) < 0
