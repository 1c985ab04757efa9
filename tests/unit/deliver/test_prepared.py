# SPDX-License-Identifier: Apache-2.0
"""Blocks that many ask for, made ready once."""

import asyncio
import threading

import pytest

from fastledger.common.errors import LedgerCorrupted
from fastledger.deliver import PreparedBlocks, prepared

DEADLINE_S = 20


class Disk:
    """Blocks of one size, and who has read which."""

    def __init__(self, size: int = 10) -> None:
        self.size = size
        self.read: list[int] = []
        self.threads: set[int] = set()
        self.gate = threading.Event()
        self.gate.set()
        self.damaged: set[int] = set()

    def height(self) -> int:
        return 8

    def __call__(self, number: int) -> bytes:
        self.read.append(number)
        self.threads.add(threading.get_ident())
        assert self.gate.wait(DEADLINE_S)
        if number in self.damaged:
            raise LedgerCorrupted(f"block {number}")
        return bytes([number]) * self.size


def whole(block: bytes) -> bytes:
    return b"whole " + block


def short(block: bytes) -> bytes:
    return block[:1]


def run(story) -> None:
    asyncio.run(asyncio.wait_for(story, DEADLINE_S))


def test_a_block_is_read_once_for_all_who_ask_and_not_on_the_loop() -> None:
    async def story() -> None:
        disk = Disk()
        blocks = PreparedBlocks(disk, disk.height)
        answers = await asyncio.gather(*(blocks.get(3, whole) for _ in range(100)))
        assert set(answers) == {whole(bytes([3]) * 10)}
        assert len({id(answer) for answer in answers}) == 1
        assert await blocks.get(3, whole) is answers[0]
        assert disk.read == [3]
        assert threading.get_ident() not in disk.threads
        assert await blocks.get(3, short) == bytes([3])
        assert disk.read == [3, 3]

    run(story())


def test_a_failure_is_told_to_all_and_not_kept() -> None:
    async def story() -> None:
        disk = Disk()
        disk.damaged.add(1)
        blocks = PreparedBlocks(disk, disk.height)
        asked = (blocks.get(1, whole) for _ in range(3))
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(answer) for answer in answers] == [LedgerCorrupted] * 3
        assert disk.read == [1]
        disk.damaged.clear()
        assert await blocks.get(1, short) == bytes([1])

    run(story())


def test_whoever_gives_up_takes_the_block_from_nobody() -> None:
    async def story() -> None:
        disk = Disk()
        disk.gate.clear()
        blocks = PreparedBlocks(disk, disk.height)
        first, second = (asyncio.ensure_future(blocks.get(1, short)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        disk.gate.set()
        assert await second == bytes([1])
        assert disk.read == [1]

    run(story())


def test_what_was_asked_for_last_is_kept_within_the_bound(monkeypatch) -> None:
    async def story() -> None:
        monkeypatch.setattr(prepared, "MAX_BYTES", 30)
        disk = Disk(size=10)
        blocks = PreparedBlocks(disk, disk.height)
        for number in (0, 1, 2, 0, 3):
            await blocks.get(number, short)
        assert disk.read == [0, 1, 2, 3]
        await blocks.get(0, short)
        assert disk.read == [0, 1, 2, 3], "it was asked for after block 1"
        await blocks.get(1, short)
        assert disk.read == [0, 1, 2, 3, 1]
        large = Disk(size=1000)
        blocks = PreparedBlocks(large, large.height)
        await blocks.get(7, short)
        await blocks.get(7, short)
        assert large.read == [7], "a block that is larger than the bound is there for those behind"

    run(story())


def test_old_blocks_are_not_kept() -> None:
    async def story() -> None:
        disk = Disk()
        blocks = PreparedBlocks(disk, lambda: 5 + prepared.FOLLOWING)
        for number in (5, 5, 4, 4):
            await blocks.get(number, short)
        assert disk.read == [5, 4, 4]
        both = await asyncio.gather(blocks.get(4, short), blocks.get(4, short))
        assert both == [bytes([4])] * 2
        assert disk.read == [5, 4, 4, 4], "whoever asks at the same time shares one reading"

    run(story())


def test_a_new_block_is_prepared_in_the_forms_that_are_followed() -> None:
    async def story() -> None:
        disk = Disk()
        blocks = PreparedBlocks(disk, disk.height)
        await asyncio.to_thread(blocks.prepare, 1)
        assert disk.read == [], "nobody has asked for any"
        await blocks.get(1, short)
        await asyncio.to_thread(blocks.prepare, 2)
        assert disk.read == [1, 2]
        assert await blocks.get(2, short) == bytes([2])
        assert disk.read == [1, 2], "it was there already"
        await blocks.get(2, whole)
        assert disk.read == [1, 2, 2]
        far = 2 + prepared.FOLLOWING + 1
        await asyncio.to_thread(blocks.prepare, far)
        assert disk.read == [1, 2, 2], "nobody follows any more"

    run(story())


def test_a_new_block_that_cannot_be_read_is_told_of_to_whoever_asks() -> None:
    async def story() -> None:
        disk = Disk()
        blocks = PreparedBlocks(disk, disk.height)
        await blocks.get(1, short)
        disk.damaged.add(2)
        await asyncio.to_thread(blocks.prepare, 2)
        with pytest.raises(LedgerCorrupted):
            await blocks.get(2, short)

    run(story())
