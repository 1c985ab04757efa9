# SPDX-License-Identifier: Apache-2.0
"""A channel's way from Kafka to Raft: three orderers, whose broker is switched off in the end."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastledger.orderer.consensus.etcdraft.chain import RaftChain
from fastledger.orderer.consensus.kafka.chain import KafkaChain
from kafka_broker import Broker
from migration import migrate, network_of
from raft_network import running
from waiting import until

TIMEOUT_S = 400


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path / "broker")
    made.start()
    yield made
    made.kill()


@pytest.mark.parametrize("restarts", [True, False])
def test_from_kafka_to_raft(tmp_path: Path, broker: Broker, restarts: bool) -> None:
    """As documented, and by itself without any restart."""

    async def story() -> None:
        network = network_of(tmp_path / "network", 7800 + 20 * restarts, 3, [broker.address])
        async with running(network):
            for number in (1, 2, 3):
                await _order(network, number, b"by kafka at %d" % number)
            await until(lambda: all(network.height(one) == 4 for one in (1, 2, 3)))
            assert isinstance(network.chain(1), KafkaChain)
            await migrate(network, "kafka", restarts=restarts)
            await asyncio.to_thread(broker.kill)
            assert all(isinstance(network.chain(one), RaftChain) for one in (1, 2, 3))
            leader = await network.leader()
            await network.stop(leader)
            await network.leader(other_than=leader)
            others = sorted(network.nodes)
            for number in others:
                await _order(network, number, b"by raft at %d" % number)
            await network.start(leader)
            await network.level(9)
            network.check_equal()
            assert sorted(network.contents(1)) == sorted(
                [
                    *(b"by kafka at %d" % number for number in (1, 2, 3)),
                    *(b"by raft at %d" % number for number in others),
                ]
            )

    asyncio.run(asyncio.wait_for(story(), TIMEOUT_S))


async def _order(network, number: int, content: bytes) -> None:  # type: ignore[no-untyped-def]
    """Have an orderer take a message as soon as it takes any."""

    async def is_taken() -> bool:
        response = await network.broadcast(number, network.envelope(content))
        return response.status == 200

    await until(is_taken)
