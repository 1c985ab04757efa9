# SPDX-License-Identifier: Apache-2.0
"""Kafka clusters of several kinds below an orderer of ours and a real one: equal blocks."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, TopicPartition

from kafka_broker import NEWEST, Broker, OldBroker, Security, brokers_of
from kafka_pair import BOTH, CHANNEL, OURS, REAL, Load, Pair, make_crypto
from test_kafka import TIMEOUT_S, run, under
from waiting import wait_until

USER, PASSWORD = "orderer", "a secret"
EACH = 20


@contextmanager
def serving(pair: Pair) -> Iterator[Pair]:
    try:
        for name in BOTH:
            pair.start(name)
        yield pair
    finally:
        pair.stop()


async def short_story(pair: Pair) -> None:
    """Messages and a configuration at both, and each killed once."""
    load = Load(pair)
    for name in BOTH:
        await load.order(name, 1)
    for victim in BOTH:
        async with under(load, EACH):
            pair.kill(victim)
            await load.order(REAL if victim == OURS else OURS, 2)
            await asyncio.to_thread(pair.start, victim)
    await load.compare()


@pytest.mark.timeout(TIMEOUT_S)
@pytest.mark.parametrize("protocol", ["SSL", "SASL_PLAINTEXT", "SASL_SSL"])
def test_secured_listeners(tmp_path: Path, protocol: str) -> None:
    """TLS with certificates on both sides, and SASL/PLAIN, all that Fabric's orderer.yaml has."""
    org = make_crypto(tmp_path)
    broker = Broker(
        tmp_path / "broker",
        security=Security(org / "orderers/broker.example.com/tls", USER, PASSWORD),
    )
    broker.start()
    own = org / "orderers/o0.example.com/tls"
    kafka: dict[str, object] = {}
    if protocol.endswith("SSL"):
        kafka["TLS"] = {
            "Enabled": True,
            "PrivateKey": {"File": str(own / "server.key")},
            "Certificate": {"File": str(own / "server.crt")},
            "RootCAs": {"File": str(own / "ca.crt")},
        }
    if protocol.startswith("SASL"):
        kafka["SASLPlain"] = {"Enabled": True, "User": USER, "Password": PASSWORD}
    try:
        with serving(Pair(tmp_path, [broker.address_of(protocol)], kafka=kafka)) as pair:
            run(short_story(pair))
    finally:
        broker.kill()


@pytest.mark.timeout(TIMEOUT_S)
def test_newest_kafka(tmp_path: Path) -> None:
    """Sarama, the real one's client, has to be told a version; ours asks, and makes the topic."""
    broker = Broker(tmp_path / "broker", NEWEST)
    broker.start()
    try:
        with serving(Pair(tmp_path, [broker.address], real_kafka={"Version": "1.0.0"})) as pair:
            run(short_story(pair))
    finally:
        broker.kill()


@pytest.mark.timeout(TIMEOUT_S)
def test_kafka_0_9_with_zookeeper(tmp_path: Path) -> None:
    """Both have to be told its version, which it cannot be asked for."""
    broker = OldBroker(tmp_path / "broker")
    try:
        broker.start()
        pair = Pair(tmp_path, [broker.address], kafka={"Version": OldBroker.VERSION})
        with serving(pair):
            run(short_story(pair))
    finally:
        broker.kill()


def test_kafka_0_9_whose_version_nobody_told(tmp_path: Path) -> None:
    broker = OldBroker(tmp_path / "broker")
    pair = Pair(tmp_path, [broker.address])
    try:
        broker.start()
        pair.start(OURS)
        cure = "if the brokers are older than 0.10, Kafka.Version has to name their version"
        wait_until(lambda: cure in pair.log(OURS))
    finally:
        pair.stop()
        broker.kill()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[list[Broker]]:
    """Three brokers."""
    made = brokers_of(tmp_path, 3)
    try:
        for broker in made:
            broker.launch()
        for broker in made:
            broker.wait()
        yield made
    finally:
        for broker in made:
            broker.kill()


@pytest.mark.timeout(TIMEOUT_S)
def test_the_partitions_leader_moves(tmp_path: Path, cluster: list[Broker]) -> None:
    """Moved by an administrator, and with the broker that leads killed: nothing taken is lost."""
    addresses = [broker.address for broker in cluster]

    async def tell() -> None:
        load = Load(pair)
        for name in BOTH:
            await load.order(name, 1)
        for _ in range(3):
            async with under(load, EACH):
                await asyncio.to_thread(_move, addresses)
        await load.compare()
        async with under(load, EACH):
            gone = cluster[(await asyncio.to_thread(_leader, addresses)) - 1]
            gone.kill()
            for name in BOTH:
                await load.order(name, 5)
            await asyncio.to_thread(gone.start)
        await load.compare()

    with serving(Pair(tmp_path, addresses)) as pair:
        run(tell())


def _leader(addresses: list[str]) -> int:
    """Return the number of the broker that leads the channel's partition."""
    admin = KafkaAdminClient(bootstrap_servers=addresses)
    try:
        return int(_described(admin)["leader_id"])
    finally:
        admin.close()


def _move(addresses: list[str]) -> None:
    """Have the next broker lead the channel's partition."""
    admin = KafkaAdminClient(bootstrap_servers=addresses)
    try:
        before = int(_described(admin)["leader_id"])
        following = [(before + step) % 3 + 1 for step in range(3)]
        admin.alter_partition_reassignments({TopicPartition(CHANNEL, 0): following})
        wait_until(lambda: _described(admin)["replica_nodes"] == following)

        def leads() -> bool:
            # Refused as long as it is behind.
            admin.elect_leaders(0, {CHANNEL: [0]}, raise_errors=False)
            return _described(admin)["leader_id"] == following[0]

        wait_until(leads)
        assert following[0] != before
    finally:
        admin.close()


def _described(admin: KafkaAdminClient) -> dict[str, Any]:
    [topic] = admin.describe_topics([CHANNEL])
    [partition] = topic["partitions"]
    return dict(partition)
