# SPDX-License-Identifier: Apache-2.0
"""Callers take turns, and none has all workers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastledger.common.turns import Turns


def test_callers_take_turns() -> None:
    turns: Turns[int] = Turns(4)
    for number in range(3):
        turns.put(b"A", number)
    turns.put(b"B", 10)
    turns.put(b"C", 20)
    order = []
    while (turn := turns.take()) is not None:
        order.append(turn[1])
        turns.done(turn[0])
    assert order == [0, 10, 20, 1, 2]


@pytest.mark.parametrize(("workers", "alone"), [(1, 1), (2, 1), (3, 2), (4, 2), (64, 32)])
def test_nobody_has_more_workers_than_are_free(workers: int, alone: int) -> None:
    turns: Turns[int] = Turns(workers)
    assert take_all(turns, b"A", workers + 5) == alone


def test_many_who_want_all_leave_a_worker_for_whoever_comes() -> None:
    turns: Turns[int] = Turns(64)
    assert [take_all(turns, b"%d" % name, 100) for name in range(8)] == [32, 16, 8, 4, 2, 1, 1, 0]


def test_in_the_end_all_have_the_same() -> None:
    turns: Turns[int] = Turns(64)
    running = [b"A"] * take_all(turns, b"A", 1000)
    running += [b"B"] * take_all(turns, b"B", 1000)
    running += [b"C"] * take_all(turns, b"C", 1000)
    for _ in range(500):
        turns.done(running.pop(0))
        while (turn := turns.take()) is not None:
            running.append(turn[0])
    assert all(abs(running.count(name) - 16) <= 1 for name in (b"A", b"B", b"C"))


def take_all(turns: Turns[int], caller: bytes, wanted: int) -> int:
    """Put in what a caller wants, and return how many workers it gets."""
    for number in range(wanted):
        turns.put(caller, number)
    return sum(1 for _ in iter(turns.take, None))


@given(st.integers(1, 6), st.lists(st.sampled_from([b"A", b"B", b"C", b"done"]), max_size=60))
def test_nothing_waits_that_could_be_done(workers: int, steps: list[bytes]) -> None:
    """Whoever puts or finishes takes once; then taking again finds nothing, and all is done."""
    turns: Turns[int] = Turns(workers)
    running: list[bytes] = []
    put = begun = 0
    for number, step in enumerate(steps):
        if step != b"done":
            turns.put(step, number)
            put += 1
        elif running:
            turns.done(running.pop(0))
        else:
            continue
        turn = turns.take()
        if turn:
            running.append(turn[0])
            begun += 1
        assert len(running) <= workers
        assert turns.take() is None
    while running:
        turns.done(running.pop())
        turn = turns.take()
        if turn:
            running.append(turn[0])
            begun += 1
    assert begun == put
