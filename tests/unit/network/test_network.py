# SPDX-License-Identifier: Apache-2.0
"""Plans of networks, their files, and their processes."""

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path
from unittest.mock import AsyncMock

import pytest

from fastledger.channelconfig import Bundle
from fastledger.cli.network.status import place_line
from fastledger.common.errors import (
    BroadcastRefused,
    ConnectionFailed,
    FastledgerError,
    InputError,
    NodeFailed,
    NotFound,
)
from fastledger.network import channel, identities, lifetime, ordering, processes, settings
from fastledger.network.consensus import Kafka, Raft, read
from fastledger.network.plan import Node, Plan, find
from fastledger.network.session import Session
from fastledger.protos.common.common_pb2 import Envelope
from fastledger.protos.orderer.etcdraft.configuration_pb2 import ConfigMetadata
from fastledger.tools.configtxgen.artifacts import genesis_block
from fastledger.tools.configtxgen.load import load_profile
from waiting import wait_until


def test_the_ports_of_fabric_samples(tmp_path: Path) -> None:
    plan = Plan(tmp_path)
    assert (plan.orderer.port, plan.orderer.side_port) == (7050, 7053)
    assert [peer.port for peer in plan.all_peers] == [7051, 9051]
    assert [peer.port for peer in Plan(tmp_path, peers=2).all_peers] == [7051, 8051, 9051, 10051]


@pytest.mark.parametrize(
    ("orgs", "peers", "base"), [(2, 1, 0), (5, 3, 0), (20, 10, 0), (3, 2, 9000)]
)
def test_no_two_nodes_share_a_port(tmp_path: Path, orgs: int, peers: int, base: int) -> None:
    plan = Plan(tmp_path, orgs=orgs, peers=peers, port_base=base)
    ports = [
        port for node in plan.nodes for port in (node.port, node.side_port, node.operations_port)
    ]
    assert len(ports) == len(set(ports)) == 3 * (1 + orgs * peers)
    assert max(ports) < 65_536


@pytest.mark.parametrize("choice", [{"orgs": 0}, {"peers": 11}, {"port_base": 80}])
def test_choices_have_ranges(tmp_path: Path, choice: dict[str, int]) -> None:
    with pytest.raises(InputError, match="it must be from"):
        Plan(tmp_path, **choice)


@pytest.mark.parametrize("choice", [{"channel": "Mine"}, {"chaincode": "my.py"}])
def test_names_have_a_form(tmp_path: Path, choice: dict[str, str]) -> None:
    with pytest.raises(InputError, match="a name must match"):
        Plan(tmp_path, **choice)


def test_a_plan_is_kept_and_found_from_below(tmp_path: Path) -> None:
    plan = Plan(tmp_path, orgs=3, chaincode="mine")
    plan.save()
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert find(below) == plan
    with pytest.raises(NotFound, match="fastledger up"):
        Plan.load(below)
    (tmp_path / ".fastledger/network.json").write_text("{", "utf-8")
    with pytest.raises(InputError, match=r"network\.json"):
        find(below)


def test_every_node_is_told_its_own(tmp_path: Path) -> None:
    plan = Plan(tmp_path, port_base=9000)
    settings.write(plan)
    peer = plan.all_peers[1]
    env = settings.read_env(peer)
    assert env["CORE_PEER_ADDRESS"] == "127.0.0.1:9006"
    assert env["CORE_PEER_LOCALMSPID"] == "Org2MSP"
    assert Path(env["FABRIC_CFG_PATH"], "core.yaml").is_file()
    assert settings.read_env(plan.orderer)["ORDERER_GENERAL_LISTENPORT"] == "9000"


def test_a_moved_network_keeps_its_variables(tmp_path: Path) -> None:
    before = Plan(tmp_path / "before", port_base=9000)
    settings.write(before)
    edited = before.orderer.folder / "env"
    edited.write_text(edited.read_text("utf-8") + "FABRIC_LOGGING_SPEC=debug\n", "utf-8")
    assert not settings.follow(before)
    before.folder.rename(tmp_path / "after")
    after = before.changed(folder=tmp_path / "after")
    assert settings.follow(after)
    env = settings.read_env(after.orderer)
    assert env["FABRIC_LOGGING_SPEC"] == "debug"
    assert Path(env["FABRIC_CFG_PATH"]) == after.orderer.folder
    assert "before" not in " ".join(env.values())


def test_a_port_that_another_network_has_is_told(tmp_path: Path) -> None:
    plan = Plan(tmp_path / "other", port_base=9000)
    plan.save()
    plan.orderer.folder.mkdir(parents=True)
    command = [sys.executable, "-c", "input()"]
    with subprocess.Popen(command, cwd=plan.orderer.folder, stdin=subprocess.PIPE) as process:
        told = lifetime._who_has(9001)
        process.communicate(b"\n")
    assert told == f"stop that network with fastledger down --dir {plan.folder}"


def test_a_taken_port_is_named_and_nothing_started(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        plan = Plan(tmp_path, port_base=min(taken.getsockname()[1], 65_000))
        with pytest.raises(ConnectionFailed, match=r"port \d+, which .* needs, is taken"):
            lifetime.start(plan)
    assert not (plan.orderer.folder / "pid").exists()


def test_a_commit_that_does_not_come_says_what_is_known(tmp_path: Path, monkeypatch) -> None:
    plan = Plan(tmp_path)
    silent, orderer = AsyncMock(), AsyncMock()
    silent.filtered_blocks.return_value.cancel = lambda: None
    silent.filtered_blocks.return_value.commit = lambda _: asyncio.Event().wait()
    monkeypatch.setattr("fastledger.network.session.COMMIT_TIMEOUT_S", 0.1)

    async def run() -> None:
        session = Session(plan)
        monkeypatch.setattr(session, "orderer", AsyncMock(return_value=orderer))
        monkeypatch.setattr(session, "peers", AsyncMock(return_value=[silent]))
        await session.send(None, Envelope(), "abc", plan.all_peers)

    text = (
        "abc was ordered, but not all of peer0.org1.example.com, peer0.org2.example.com committed"
    )
    with pytest.raises(FastledgerError, match=text):
        asyncio.run(run())


def test_a_process_is_started_and_ended(tmp_path: Path) -> None:
    process = processes.start(tmp_path, ["--version"], {})
    assert process.pid != os.getpid()
    wait_until(lambda: not process.alive)
    assert processes.running(tmp_path) is None
    assert "fastledger" in (tmp_path / "log").read_text("utf-8")
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        # The folder's pid is another process's by now.
        text = (tmp_path / "pid").read_text("utf-8").replace(str(process.pid), str(sleeper.pid))
        (tmp_path / "pid").write_text(text, "utf-8")
        assert processes.stop([tmp_path]) == []
        assert sleeper.poll() is None
    finally:
        sleeper.kill()
        sleeper.wait()


def test_several_orderers_have_names_ports_and_identities_of_their_own(tmp_path: Path) -> None:
    plan = Plan(tmp_path, orderers=3)
    assert [node.name for node in plan.all_orderers] == [
        "orderer.example.com",
        "orderer2.example.com",
        "orderer3.example.com",
    ]
    assert [node.port for node in plan.all_orderers] == [7050, 6060, 6070]
    plan.save()
    identities.write(plan)
    channel.write(plan)
    profile = load_profile(channel.PROFILES["etcdraft"], str(plan.state), {})
    block = genesis_block(profile, plan.channel).SerializeToString()
    orderer = Bundle.from_block(block).orderer
    assert orderer is not None
    raft = ConfigMetadata.FromString(orderer.consensus_metadata)
    certificates = [
        (node.identity / "tls" / "server.crt").read_bytes() for node in plan.all_orderers
    ]
    assert [one.server_tls_cert for one in raft.consenters] == certificates
    assert len(set(certificates)) == 3
    assert [one.port for one in raft.consenters] == [7050, 6060, 6070]
    assert (raft.options.tick_interval, raft.options.election_tick) == ("50ms", 10)
    addresses = tuple(node.address for node in plan.all_orderers)
    assert Bundle.from_block(block).orderer_addresses == addresses


@pytest.mark.parametrize("orderers", [0, 2, 4, 9])
def test_a_cluster_has_an_odd_number_of_orderers(tmp_path: Path, orderers: int) -> None:
    with pytest.raises(InputError, match="it must be one of 1, 3, 5, 7"):
        Plan(tmp_path, orderers=orderers)


def test_where_orderers_are_is_read_and_told() -> None:
    text = """# HELP consensus_etcdraft_term The term of raft.
# TYPE consensus_etcdraft_term gauge
consensus_etcdraft_term{channel="mine"} 4.0
consensus_etcdraft_term{channel="other"} 9.0
# TYPE consensus_etcdraft_node_id gauge
consensus_etcdraft_node_id{channel="mine"} 2.0
# TYPE consensus_etcdraft_leader_id gauge
consensus_etcdraft_leader_id{channel="mine"} 1.0
# TYPE consensus_etcdraft_last_index gauge
consensus_etcdraft_last_index{channel="mine"} 17.0
"""
    second = read(text, "mine")
    assert second == Raft(member=2, leader=1, term=4, last_index=17)
    assert read(text, "third") is None
    rafts = {
        "orderer.example.com": Raft(1, 1, 4, 17),
        "orderer2.example.com": second,
        "orderer3.example.com": Raft(3, 0, 5, 16),
        "orderer4.example.com": Raft(4, 7, 4, 16),
    }
    assert [place_line(name, rafts) for name in rafts] == [
        "leader, term 4, log 17",
        "follows orderer, term 4, log 17",
        "no leader, term 5, log 16",
        "follows consenter 7, term 4, log 16",
    ]


def test_how_far_orderers_are_in_their_topic() -> None:
    text = """# TYPE consensus_kafka_last_offset_persisted gauge
consensus_kafka_last_offset_persisted{channel="mine"} 12.0
# TYPE participation_status gauge
participation_status{channel="mine"} 1.0
participation_status{channel="other"} 1.0
# TYPE another gauge
another{channel="mine"} NaN
"""
    first = read(text, "mine")
    assert first == Kafka(offset=12, answers=True)
    assert read(text, "other") is None
    places = {"a": first, "b": Kafka(-3, answers=False)}
    assert [place_line(name, places) for name in places] == [
        "kafka, at offset 12",
        "kafka, before its first message, no broker answers",
    ]


def test_a_network_on_kafka(tmp_path: Path) -> None:
    brokers = "kafka1.example.com:9092,[::1]:9093"
    plan = Plan(tmp_path, orgs=1, consensus="kafka", kafka=brokers)
    plan.save()
    identities.write(plan)
    channel.write(plan)
    profile = load_profile(channel.PROFILES["kafka"], str(plan.state), {})
    bundle = Bundle.from_block(genesis_block(profile, plan.channel).SerializeToString())
    assert bundle.orderer is not None
    assert bundle.orderer.consensus_type == "kafka"
    assert list(bundle.orderer.kafka_brokers) == brokers.split(",")
    with pytest.raises(InputError, match="was made with --kafka"):
        lifetime.check_same(plan, plan.changed(kafka="elsewhere:9092"))


@pytest.mark.parametrize(
    ("choice", "reason"),
    [
        ({"consensus": "kafka"}, "needs the address of a broker: --kafka HOST:PORT"),
        ({"kafka": "a:1"}, "names the brokers of --consensus kafka"),
        ({"consensus": "paxos"}, "must be one of etcdraft, kafka"),
        ({"consensus": "kafka", "kafka": "nowhere"}, "must be HOST:PORT"),
        ({"consensus": "kafka", "kafka": "a:1,"}, "must be HOST:PORT"),
    ],
)
def test_what_consensus_cannot_be(tmp_path: Path, choice: dict[str, str], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        Plan(tmp_path, **choice)


def test_orderers_know_what_the_environment_says_of_kafka(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDERER_KAFKA_SASLPLAIN_USER", "orderer")
    for consensus, brokers in (("kafka", "a:1"), ("etcdraft", "")):
        plan = Plan(tmp_path / consensus, orgs=1, consensus=consensus, kafka=brokers)
        settings.write(plan)
        known = settings.read_env(plan.orderer)
        assert known.get("ORDERER_KAFKA_SASLPLAIN_USER") == ("orderer" if brokers else None)


def test_another_orderer_takes_what_one_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = Plan(tmp_path, orderers=3)
    monkeypatch.setattr(ordering, "ANSWER_TIMEOUT_S", 0.05)
    monkeypatch.setattr(ordering, "PATIENCE_S", 0.0)
    first, second, third = plan.all_orderers
    asked: list[str] = []

    async def send(node: Node) -> None:
        asked.append(node.name)
        if node is first:
            raise BroadcastRefused("SERVICE_UNAVAILABLE", "no Raft leader")
        if node is second:
            await asyncio.Event().wait()

    async def fail(node: Node) -> None:
        raise BroadcastRefused("SERVICE_UNAVAILABLE", f"not {node.name}")

    async def refuse(node: Node) -> None:
        asked.append(node.name)
        raise BroadcastRefused("FORBIDDEN", "implicit policy")

    async def told() -> None:
        service = ordering.Ordering(plan.all_orderers)
        await service.send(send)
        assert asked == [first.name, second.name, third.name]
        asked.clear()
        # The one that took the last message is asked first.
        await service.send(send)
        assert asked == [third.name]
        asked.clear()
        with pytest.raises(BroadcastRefused, match="implicit policy"):
            await service.send(refuse)
        assert asked == [third.name]
        with pytest.raises(NodeFailed, match="no orderer takes the transaction") as failure:
            await service.send(fail)
        assert all(f"not {node.name}" in str(failure.value) for node in plan.all_orderers)

    asyncio.run(told())
