# SPDX-License-Identifier: Apache-2.0
"""A limit that one user cannot use up for the others."""

import pytest

from fastledger.common.share import FairLimit


def test_alone_somebody_may_have_all_of_it() -> None:
    limit = FairLimit(20)
    assert [limit.enter(b"A") for _ in range(25)] == [True] * 20 + [False] * 5


def test_beyond_it_only_those_get_in_who_hold_little() -> None:
    limit = FairLimit(20)
    for _ in range(20):
        assert limit.enter(b"A")
    for name in (b"B", b"C", b"D"):
        assert [limit.enter(name) for _ in range(3)] == [True, True, False]
    assert not limit.enter(b"A")


def test_there_is_an_end_however_many_they_are() -> None:
    limit = FairLimit(20)
    assert [limit.enter(b"%d" % number) for number in range(50)].count(True) == 40


def test_whoever_leaves_makes_room() -> None:
    limit = FairLimit(2)
    assert limit.enter(b"A")
    assert limit.enter(b"A")
    assert not limit.enter(b"A")
    limit.leave(b"A")
    assert limit.enter(b"A")


@pytest.mark.parametrize("most", [0, 1, 9])
def test_small_limits_and_none(most: int) -> None:
    limit = FairLimit(most)
    taken = [limit.enter(b"A") for _ in range(30)].count(True)
    assert taken == (most or 30)
    assert limit.enter(b"B")
