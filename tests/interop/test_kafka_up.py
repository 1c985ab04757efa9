# SPDX-License-Identifier: Apache-2.0
"""``fastledger up --consensus kafka``: a whole network on a broker that somebody else runs."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastledger.orderer.consensus.kafka.settings import KafkaSettings
from fastledger.orderer.consensus.kafka.topics import Topics
from kafka_broker import Broker, OldBroker, Security, free_ports
from kafka_pair import make_crypto
from live_network import Network
from waiting import wait_until

_LINE = re.compile(
    r"(?P<name>orderer\d*)\.\S+ +\S+ +running, pid \d+, kafka, at offset (?P<offset>\d+)"
    r"(?P<alone>, no broker answers)?, (?P<height>\d+) blocks of mychannel"
)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    made = Broker(tmp_path_factory.mktemp("kafka") / "broker")
    made.start()
    yield made
    made.kill()


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    patience = {"ORDERER_KAFKA_RETRY_NETWORKTIMEOUTS_READTIMEOUT": "2s"}
    found = Network(tmp_path, **patience)
    yield found
    found.run("down", "--clean")


def on(broker: str, *more: str) -> tuple[str, ...]:
    return "--consensus", "kafka", "--kafka", broker, "--orgs", "1", *more


def orderers(network: Network) -> dict[str, dict[str, str]]:
    """What status shows of the orderers."""
    shown = network.run("status").stdout.splitlines()
    found = {match["name"]: match.groupdict() for line in shown if (match := _LINE.match(line))}
    assert len(found) == len(network.plan.all_orderers), shown
    return found


def write(network: Network, key: str) -> None:
    network.ok("invoke", "CreateAsset", key, "red", "1", "Ann", "2")
    assert json.loads(network.ok("query", "ReadAsset", key))["ID"] == key


def level(network: Network, count: int) -> bool:
    heights = [one["height"] for one in orderers(network).values()]
    return len(heights) == count and len(set(heights)) == 1


@pytest.mark.parametrize("count", [1, 3])
def test_a_network_on_a_broker(network: Network, broker: Broker, count: int) -> None:
    choices = on(broker.address, "--orderers", str(count))
    network.up(*choices)
    write(network, "first")
    wait_until(lambda: level(network, count))
    before = orderers(network)
    if count > 1:
        network.kill(network.plan.orderer)
        write(network, "without-the-first")
        network.restart()
        wait_until(lambda: level(network, count))
    network.ok("down")
    network.up(*choices)
    assert json.loads(network.ok("query", "ReadAsset", "first"))["ID"] == "first"
    write(network, "second")
    wait_until(lambda: level(network, count))
    after = orderers(network)
    assert all(int(after[one]["offset"]) > int(before[one]["offset"]) for one in before)
    # Another network of that name would put these messages into its blocks, unless they are gone.
    network.ok("down", "--clean")
    network.up(*choices)
    assert "does not exist" in network.run("query", "ReadAsset", "first").stderr


def test_a_broker_that_goes_and_comes(network: Network, tmp_path: Path) -> None:
    broker = Broker(tmp_path / "broker")
    broker.start()
    try:
        choices = on(broker.address)
        network.up(*choices)
        write(network, "before")
        broker.kill()
        wait_until(lambda: all(one["alone"] for one in orderers(network).values()))
        refused = network.run("invoke", "CreateAsset", "during", "red", "1", "Ann", "2")
        assert refused.returncode == 2
        assert "no orderer takes the transaction" in refused.stderr
        again = network.run("up", *choices)
        assert (again.returncode, broker.address in again.stderr) == (2, True)
        broker.start()
        wait_until(lambda: not any(one["alone"] for one in orderers(network).values()))
        write(network, "after")
        network.ok("down")
        Topics([broker.address], KafkaSettings()).delete("mychannel")
        lost = network.run("up", *choices)
        assert (lost.returncode, "has no topic mychannel any more" in lost.stderr) == (2, True)
    finally:
        broker.kill()


def test_nobody_answers(network: Network) -> None:
    [port] = free_ports(1)
    done = network.run("up", *on(f"127.0.0.1:{port}"))
    assert done.returncode == 2
    assert f"Kafka at 127.0.0.1:{port}: it cannot be used" in done.stderr
    assert "fastledger up takes brokers that run already" in done.stderr
    # Nothing was begun, so other choices are free.
    assert not (network.folder / ".fastledger").exists()


def test_the_topic_cannot_be_made(tmp_path: Path, broker: Broker) -> None:
    network = Network(tmp_path, ORDERER_KAFKA_TOPIC_REPLICATIONFACTOR="3")
    done = network.run("up", *on(broker.address, "--channel", "nowhere"))
    assert done.returncode == 2
    assert "does not make the topic nowhere: Unable to replicate" in done.stderr


def test_a_topic_of_somebody_else(network: Network, broker: Broker, tmp_path: Path) -> None:
    network.up(*on(broker.address, "--channel", "taken"))
    other = Network(tmp_path / "other")
    other.folder.mkdir()
    done = other.run("up", *on(broker.address, "--channel", "taken", "--port-base", "30000"))
    assert done.returncode == 2
    assert "messages of another network: choose another name" in done.stderr


def test_a_secured_listener(tmp_path: Path) -> None:
    """The environment in which the network is made says how, and the orderers keep it."""
    org = make_crypto(tmp_path / "keys")
    security = Security(org / "orderers/broker.example.com/tls", "orderer", "a secret")
    broker = Broker(tmp_path / "broker", security=security)
    folder = tmp_path / "network"
    folder.mkdir()
    choices = on(broker.address_of("SASL_SSL"))
    login = {
        "ORDERER_KAFKA_TLS_ENABLED": "true",
        "ORDERER_KAFKA_TLS_ROOTCAS_FILE": str(org / "orderers/o0.example.com/tls/ca.crt"),
        "ORDERER_KAFKA_SASLPLAIN_ENABLED": "true",
        "ORDERER_KAFKA_SASLPLAIN_USER": "orderer",
        "ORDERER_KAFKA_SASLPLAIN_PASSWORD": "a secret",
    }
    network = Network(folder)
    try:
        broker.start()
        secured = network.seeing(**login)
        wrong = secured.seeing(ORDERER_KAFKA_SASLPLAIN_PASSWORD="a guess")
        done = wrong.run("up", *choices)
        assert (done.returncode, "it cannot be used" in done.stderr) == (2, True), done.stderr
        secured.up(*choices)
        write(network, "secured")
        network.ok("down")
        network.up(*choices)
        write(network, "again")
    finally:
        network.run("down", "--clean")
        broker.kill()


def test_a_broker_that_is_too_old(tmp_path: Path) -> None:
    broker = OldBroker(tmp_path / "broker")
    try:
        broker.start()
        patience = {"ORDERER_KAFKA_RETRY_NETWORKTIMEOUTS_DIALTIMEOUT": "3s"}
        for known, reason in (
            ({}, "if the brokers are older than 0.10, Kafka.Version has to name their version"),
            (
                {"ORDERER_KAFKA_VERSION": OldBroker.VERSION},
                "is too old to make the topic mychannel: it does so since version 0.10.1",
            ),
        ):
            network = Network(tmp_path, **patience, **known)
            done = network.run("up", *on(broker.address))
            assert (done.returncode, reason in done.stderr) == (2, True), done.stderr
    finally:
        broker.kill()
