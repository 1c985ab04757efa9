# SPDX-License-Identifier: Apache-2.0
"""An orderer of ours and a real one on the same Kafka topics: they make the same blocks."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Coroutine, Iterator
from pathlib import Path

import pytest

from fastledger.protos.common.common_pb2 import Status
from kafka_broker import Broker
from kafka_pair import BOTH, OURS, REAL, Load, Pair

TRANSACTIONS = 5_000 if os.environ.get("FASTLEDGER_SLOW") else 1_000
"""So many at least; the longer run takes minutes."""

TIMEOUT_S = 3_000
_KILLS = 5


def run(story: Coroutine[None, None, None]) -> None:
    asyncio.run(asyncio.wait_for(story, TIMEOUT_S))


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path / "broker")
    made.start()
    yield made
    made.kill()


@pytest.fixture(params=["v2.5.15", "v1.4.12"])
def pair(tmp_path: Path, broker: Broker, request: pytest.FixtureRequest) -> Iterator[Pair]:
    made = Pair(tmp_path, [broker.address], request.param)
    try:
        for name in BOTH:
            made.start(name)
        yield made
    finally:
        made.stop()


@contextlib.asynccontextmanager
async def under(load: Load, each: int) -> AsyncIterator[None]:
    """Go on with a test while four clients send so many messages each."""
    sending = asyncio.create_task(load.together(each))
    await load.until_taken(each)
    yield
    await sending


@pytest.mark.timeout(TIMEOUT_S)
def test_equal_blocks(pair: Pair, broker: Broker) -> None:
    """Messages and configurations at both, while either orderer and the broker are killed."""
    each = TRANSACTIONS // (4 * (2 + _KILLS)) + 1

    async def tell() -> None:
        load = Load(pair)
        for name in BOTH:
            await load.order(name, 1)
        await load.together(each)
        for name in BOTH:
            await load.configure(name, 5 if name == OURS else 9)
            await load.together(each // 2 + 1)
        for victim in (OURS, REAL, OURS, REAL):
            async with under(load, each):
                pair.kill(victim)
                await load.order(REAL if victim == OURS else OURS, 5)
                await asyncio.to_thread(pair.start, victim)
        async with under(load, each):
            broker.kill()
            refused = await pair.client(OURS).broadcast([load.message(b"nowhere to go")])
            assert [one.status for one in refused] == [Status.SERVICE_UNAVAILABLE]
            await asyncio.to_thread(broker.start)
        await load.order(OURS, 1)
        await load.compare()
        assert len(load.taken) >= TRANSACTIONS

    run(tell())
