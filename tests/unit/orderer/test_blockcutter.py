# SPDX-License-Identifier: Apache-2.0
"""When batches are cut; the cases are those of Fabric's blockcutter_test.go."""

from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fastledger.orderer.blockcutter import BlockCutter, Message


@dataclass
class Size:
    max_message_count: int
    absolute_max_bytes: int
    preferred_max_bytes: int


def cutter(count: int, preferred: int = 1 << 20) -> BlockCutter:
    size: Any = Size(count, 1 << 30, preferred)
    return BlockCutter("channel", lambda: size)


def message(name: bytes, size: int = 10) -> Message:
    return Message(name, size)


def test_a_batch_is_cut_when_it_is_full() -> None:
    blocks = cutter(2)
    assert blocks.ordered(message(b"a")) == []
    assert blocks.pending == 1
    assert blocks.ordered(message(b"b")) == [[b"a", b"b"]]
    assert blocks.pending == 0


def test_each_message_is_a_batch_when_one_may_stand_in_it() -> None:
    assert cutter(1).ordered(message(b"a")) == [[b"a"]]


def test_a_message_that_would_overflow_cuts_what_waits() -> None:
    blocks = cutter(100, preferred=25)
    assert blocks.ordered(message(b"a")) == []
    assert blocks.ordered(message(b"b")) == []
    assert blocks.ordered(message(b"c")) == [[b"a", b"b"]]
    assert blocks.pending == 1
    assert blocks.cut() == [b"c"]


def test_a_message_above_the_preferred_bytes_stands_alone() -> None:
    blocks = cutter(100, preferred=25)
    assert blocks.ordered(message(b"large", 26)) == [[b"large"]]
    blocks.ordered(message(b"a"))
    assert blocks.ordered(message(b"large", 26)) == [[b"a"], [b"large"]]
    assert blocks.pending == 0


def test_one_that_overflows_can_fill_the_next_batch_too() -> None:
    size: Any = Size(2, 1 << 30, 25)
    blocks = BlockCutter("channel", lambda: size)
    blocks.ordered(message(b"a", 20))
    size.max_message_count = 1
    assert blocks.ordered(message(b"b", 20)) == [[b"a"], [b"b"]]


def test_nothing_is_an_empty_batch() -> None:
    assert cutter(2).cut() == []


@given(st.lists(st.integers(0, 60), max_size=60), st.integers(1, 8), st.integers(1, 50))
def test_batches_hold_every_message_once_in_order(
    sizes: list[int], count: int, preferred: int
) -> None:
    blocks = cutter(count, preferred)
    batches = []
    for number, size in enumerate(sizes):
        batches += blocks.ordered(message(str(number).encode(), size))
    batches.append(blocks.cut())
    assert [m for batch in batches for m in batch] == [str(n).encode() for n in range(len(sizes))]
    for batch in batches:
        total = sum(sizes[int(m)] for m in batch)
        assert len(batch) <= count
        assert total <= preferred or len(batch) == 1
    assert all(batches[:-1])
