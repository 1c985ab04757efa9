# SPDX-License-Identifier: Apache-2.0
"""A consenter without a leader asks the others whether it still is one."""

import itertools

import pytest

from consenting import ManualClock, Support, run, turns
from fastledger.orderer.consensus.etcdraft.rejoining import MAX_PAUSE_S, Rejoining
from fastledger.orderer.replication.puller import NoSource
from fastledger.protoutil.blocks import new_block


class Others:
    """Give the first block as the newest configuration, or refuse."""

    def __init__(self) -> None:
        self.asked_at: list[float] = []
        self.refusal: NoSource | None = None
        self.clock = ManualClock()

    async def pull(self, height: int) -> None:
        raise AssertionError(height)

    async def newest_config(self) -> bytes:
        self.asked_at.append(self.clock.time())
        if self.refusal:
            raise self.refusal
        return new_block(0, b"", []).SerializeToString()


async def retire() -> None:
    raise AssertionError("nothing says that it was evicted")


async def doubting(others: Others, rejoining: Rejoining, seconds: int) -> list[float]:
    """Doubt each second, and tell when the others were asked."""
    others.asked_at.clear()
    for _ in range(seconds):
        rejoining.doubt()
        await turns()
        others.clock.advance(1.0)
    return list(others.asked_at)


def test_those_who_refuse_are_asked_less_and_less(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        others, support = Others(), Support()
        support.height = 1  # type: ignore[attr-defined]
        rejoining = Rejoining(support, others, retire, lambda: True, pause_s=10, clock=others.clock)
        assert await doubting(others, rejoining, 30) == [0, 10, 20]
        others.refusal = NoSource("forbidden", is_refusal=True)
        assert await doubting(others, rejoining, 200) == [30, 50, 90, 170]
        assert "asking again in 160 s" in caplog.text
        assert "remove the channel here" in caplog.text
        # Whoever is spoken to is a consenter.
        rejoining.doubt(is_spoken_to=True)
        await turns()
        assert others.asked_at[-1] == others.clock.time()
        pauses = await doubting(others, rejoining, 4000)
        assert pauses[-1] - pauses[-2] == MAX_PAUSE_S
        # What does not answer is not what refuses.
        others.refusal = None
        await doubting(others, rejoining, 600)
        others.refusal = NoSource("no connection", is_refusal=False)
        asked = await doubting(others, rejoining, 100)
        assert [later - earlier for earlier, later in itertools.pairwise(asked)] == [10] * 9

    run(story())
