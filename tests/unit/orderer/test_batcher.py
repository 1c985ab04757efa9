# SPDX-License-Identifier: Apache-2.0
"""When batches are written: by count, by time, before a configuration; and who waits for whom."""

import asyncio

import pytest

from consenting import TIMEOUT_S, ManualClock, Support, message, run, turns
from fastledger.orderer.consensus.batcher import MAX_UNWRITTEN_BLOCKS, Batcher
from fastledger.orderer.consensus.chain import ChainHalted
from fastledger.orderer.errors import Rejected


class Channel(Support):
    """A channel with an open batcher."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.batcher = Batcher(
            self,
            lambda batch: self.write(self.create_next(batch)),
            lambda envelope: self.write_config(self.create_next([envelope])),
            clock=self.clock,
        )
        self.batcher.open()

    async def order(self, *names: bytes, sequence: int = 0) -> None:
        for name in names:
            await self.batcher.order(message(name), sequence)


def test_full_batches_at_once_and_the_rest_in_time() -> None:
    async def story() -> None:
        channel = Channel()
        await channel.order(b"a", b"b", b"c", b"d")
        assert channel.contents == [[b"a", b"b", b"c"]]
        channel.clock.advance(TIMEOUT_S)
        assert channel.contents == [[b"a", b"b", b"c"], [b"d"]]

    run(story())


def test_the_timer_runs_from_the_first_message() -> None:
    async def story() -> None:
        channel = Channel()
        await channel.order(b"a")
        channel.clock.advance(TIMEOUT_S * 0.75)
        await channel.order(b"b")
        channel.clock.advance(TIMEOUT_S * 0.2)
        assert channel.contents == []
        channel.clock.advance(TIMEOUT_S * 0.05)
        assert channel.contents == [[b"a", b"b"]]

    run(story())


def test_a_batch_that_was_cut_leaves_no_timer() -> None:
    async def story() -> None:
        channel = Channel()
        await channel.order(b"a")
        assert channel.clock.pending == 1
        await channel.order(b"b", b"c")
        assert channel.clock.pending == 0
        channel.clock.advance(TIMEOUT_S)
        assert channel.contents == [[b"a", b"b", b"c"]]

    run(story())


def test_a_new_timeout_holds_from_the_next_batch() -> None:
    async def story() -> None:
        channel = Channel()
        await channel.order(b"a")
        channel.orderer.batch_timeout = TIMEOUT_S / 4
        channel.clock.advance(TIMEOUT_S / 2)
        assert channel.contents == []
        channel.clock.advance(TIMEOUT_S / 2)
        await channel.order(b"b")
        channel.clock.advance(TIMEOUT_S / 4)
        assert channel.contents == [[b"a"], [b"b"]]

    run(story())


def test_a_configuration_stands_alone_after_what_was_pending() -> None:
    async def story() -> None:
        channel = Channel()
        await channel.order(b"a")
        await channel.batcher.configure(b"config", 0)
        await channel.order(b"b", sequence=1)
        await channel.batcher.close()
        assert channel.contents == [[b"a"], [b"config"], [b"b"]]
        assert channel.configurations == [2]

    run(story())


def test_messages_that_wait_for_a_configuration_are_judged_anew() -> None:
    async def story() -> None:
        channel = Channel()
        channel.refused = {b"late"}
        channel.may_write_config.clear()
        configuring = asyncio.ensure_future(channel.batcher.configure(b"config", 0))
        await turns()
        late = asyncio.ensure_future(channel.order(b"late"))
        fine = asyncio.ensure_future(channel.order(b"fine"))
        second = asyncio.ensure_future(channel.batcher.configure(b"second", 0))
        await turns()
        assert channel.contents == []
        channel.may_write_config.set()
        with pytest.raises(Rejected):
            await late
        await asyncio.gather(configuring, fine, second)
        assert channel.contents == [[b"config"], [b"fine"], [b"second'"]]

    run(story())


def test_messages_wait_while_the_disk_is_behind() -> None:
    async def story() -> None:
        channel = Channel()
        channel.unwritten = MAX_UNWRITTEN_BLOCKS
        waiting = asyncio.ensure_future(channel.order(b"a"))
        await turns()
        assert not waiting.done()
        channel.unwritten -= 1
        channel.room.set()
        await waiting

    run(story())


def test_who_closes_has_what_was_pending_written_and_a_configuration_in_force() -> None:
    async def story() -> None:
        channel = Channel()
        await channel.order(b"a")
        channel.may_write_config.clear()
        configuring = asyncio.ensure_future(channel.batcher.configure(b"config", 0))
        await turns()
        waiting = asyncio.ensure_future(channel.order(b"b"))
        closing = asyncio.ensure_future(channel.batcher.close())
        await turns()
        assert not closing.done()
        channel.may_write_config.set()
        await closing
        assert channel.sequence == 1
        assert channel.contents == [[b"a"], [b"config"]]
        with pytest.raises(ChainHalted):
            await waiting
        await configuring

    run(story())


def test_who_drops_forgets_what_was_pending() -> None:
    async def story() -> None:
        channel = Channel()
        await channel.order(b"a")
        channel.batcher.drop()
        channel.clock.advance(TIMEOUT_S)
        with pytest.raises(ChainHalted):
            await channel.order(b"b")
        channel.batcher.open()
        await channel.order(b"c")
        channel.clock.advance(TIMEOUT_S)
        assert channel.contents == [[b"c"]]

    run(story())


def test_many_messages_at_once_are_taken_as_long_as_none_has_to_wait() -> None:
    async def story() -> None:
        channel = Channel()
        many = [message(b"%d" % number) for number in range(7)]
        assert channel.batcher.room >= 7
        assert channel.batcher.order_now(many, 0) == 7
        assert channel.contents == [[b"0", b"1", b"2"], [b"3", b"4", b"5"]]
        channel.unwritten = MAX_UNWRITTEN_BLOCKS - 1
        assert channel.batcher.room == 2
        channel.unwritten = MAX_UNWRITTEN_BLOCKS
        assert channel.batcher.order_now(many, 0) == channel.batcher.room == 0
        channel.unwritten = 0
        channel.clock.advance(TIMEOUT_S)
        assert channel.contents[-1] == [b"6"]

    run(story())


def test_what_is_taken_at_once_fills_no_more_blocks_than_may_be_on_their_way() -> None:
    async def story() -> None:
        channel = Channel()
        channel.unwritten = MAX_UNWRITTEN_BLOCKS - 1
        write = channel.batcher._write

        def count(batch: list[bytes]) -> None:
            channel.unwritten += 1
            write(batch)

        channel.batcher._write = count
        assert channel.batcher.order_now([message(b"%d" % number) for number in range(7)], 0) == 3
        assert channel.contents == [[b"0", b"1", b"2"]]

    run(story())


def test_nothing_is_taken_at_once_that_has_to_be_judged_anew_or_comes_too_late() -> None:
    async def story() -> None:
        channel = Channel()
        channel.sequence = 1
        assert channel.batcher.order_now([message(b"a")], 0) == 0
        channel.may_write_config.clear()
        configuring = asyncio.ensure_future(channel.batcher.configure(b"config", 1))
        await turns()
        assert channel.batcher.order_now([message(b"a")], 1) == 0
        channel.may_write_config.set()
        await configuring
        await channel.batcher.close()
        assert channel.batcher.order_now([message(b"a")], channel.sequence) == 0
        assert channel.contents == [[b"config"]]

    run(story())


def test_who_waits_for_the_disk_goes_on_with_all_others() -> None:
    async def story() -> None:
        channel = Channel()
        channel.unwritten = MAX_UNWRITTEN_BLOCKS
        waiting = [asyncio.ensure_future(channel.order(b"%d" % number)) for number in range(6)]
        await turns()
        channel.unwritten = 0
        channel.room.set()
        await asyncio.gather(*waiting)
        assert channel.contents == [[b"0", b"1", b"2"], [b"3", b"4", b"5"]]

    run(story())
