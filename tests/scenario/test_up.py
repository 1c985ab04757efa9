# SPDX-License-Identifier: Apache-2.0
"""`fastledger up`: a network in one command, used without flags, stopped and started again."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from fastledger.client.endorsement import Endorsement
from fastledger.common.codes import TxValidationCode
from fastledger.network import audit, processes
from fastledger.network.session import Session, User
from fastledger.policies import from_string
from fastledger.protos.peer.lifecycle import lifecycle_pb2 as lb
from fastledger.protos.peer.policy_pb2 import ApplicationPolicy
from live_network import Network, free_port_base
from waiting import wait_until

LUCK = """
import random
from fastledger import shim

class Luck(shim.Contract):
    @shim.transaction
    def Draw(self, ctx: shim.Context, key: str) -> str:
        value = str(random.random())
        ctx.stub.put_state(key, value.encode())
        return value

    @shim.query
    def Say(self, ctx: shim.Context) -> str:
        return "before"
"""


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """A network of two organizations with the sample chaincode."""
    made = Network(tmp_path_factory.mktemp("up"))
    try:
        shown = made.ok("up", "--port-base", str(free_port_base()))
        assert "The network is up" in shown
        made.ok("invoke", "InitLedger")
        yield made
    finally:
        made.run("down", "--clean")


def test_what_is_written_is_read_by_the_other_organization(network: Network) -> None:
    network.ok("invoke", "CreateAsset", "mine", "red", "5", "Ann", "100")
    shown = json.loads(network.ok("query", "--org", "org2", "ReadAsset", "mine"))
    assert shown["Owner"] == "Ann"


def test_blocks_and_status(network: Network) -> None:
    lines = network.ok("blocks").splitlines()
    assert lines[0].startswith("block     0     1 tx")
    assert "_lifecycle VALID" in lines[1]
    genesis = json.loads(network.ok("blocks", "0"))
    assert genesis["header"]["number"] == 0
    heights = [line.split(", ")[-1] for line in network.ok("status").splitlines()]
    assert len(heights) == 3
    assert len(set(heights)) == 1


def test_a_refused_call_says_who_refused_and_why(network: Network) -> None:
    done = network.run("invoke", "DeleteAsset", "nothing")
    assert done.returncode == 1
    assert "Org1MSP (peer0.org1.example.com): status 500: the asset nothing" in done.stderr
    assert "Org2MSP (peer0.org2.example.com): status 500: the asset nothing" in done.stderr


def test_a_conflict_is_explained(network: Network) -> None:
    async def collide() -> tuple[int, str]:
        plan = network.plan
        user = User(plan.organizations[0], "User1")
        nodes = [org.peers[0] for org in plan.organizations]
        async with Session(plan) as session:
            signer = session.signer(user)

            async def move(owner: bytes) -> Endorsement:
                args = [b"TransferAsset", b"asset1", owner]
                return await session.endorse(signer, nodes, plan.chaincode, args)

            first, second = await move(b"Ann"), await move(b"Bob")
            _, code = await session.submit(signer, first, nodes)
            assert code == TxValidationCode.VALID
            number, code = await session.submit(signer, second, nodes)
            why = await audit.explain(session, user, second.tx_id, number)
            return code, str(why)

    code, why = asyncio.run(collide())
    assert code == TxValidationCode.MVCC_READ_CONFLICT
    assert "it read key 'asset1' of basic" in why


def test_the_files_are_those_that_the_samples_expect(network: Network) -> None:
    org1 = network.folder / "organizations/peerOrganizations/org1.example.com"
    assert (org1 / "users/User1@org1.example.com/msp/signcerts").is_dir()
    assert (org1 / "peers/peer0.org1.example.com/tls/ca.crt").is_file()
    profile = json.loads((org1 / "connection-org1.json").read_text("utf-8"))
    assert profile == yaml.safe_load((org1 / "connection-org1.yaml").read_text("utf-8"))
    port = network.plan.organizations[0].peers[0].port
    assert profile["peers"]["peer0.org1.example.com"]["url"] == f"grpcs://localhost:{port}"


def test_a_killed_peer_comes_back_with_all_it_had(network: Network) -> None:
    network.ok("invoke", "CreateAsset", "kept", "red", "5", "Ann", "100")
    peer = network.plan.organizations[0].peers[0]
    process = processes.running(peer.folder)
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    wait_until(lambda: not process.alive)
    assert network.run("status").returncode == 1
    alone = network.run("invoke", "CreateAsset", "none", "red", "5", "Ann", "100").stderr
    assert "peer0.org1.example.com does not run; fastledger up starts it again" in alone
    network.ok("up")
    assert json.loads(network.ok("query", "ReadAsset", "kept"))["Owner"] == "Ann"


def test_two_at_once_bring_up_one_network(tmp_path: Path) -> None:
    network = Network(tmp_path)
    base = str(free_port_base())
    command = [sys.executable, "-m", "fastledger", "up", "--port-base", base]
    beside = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    try:
        network.ok("up", "--port-base", base)
        shown, _ = beside.communicate(timeout=60)
        assert beside.returncode == 0
        assert "The network is up" in shown
        network.ok("invoke", "CreateAsset", "ü", "röd", "5", "Änn", "100")
        known = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
        arguments = [sys.executable, "-m", "fastledger", "query", "ReadAsset", "ü"]
        done = subprocess.run(arguments, cwd=tmp_path, env=known, check=True, capture_output=True)
        assert json.loads(done.stdout)["Owner"] == "Änn"
    finally:
        network.run("down", "--clean")


def test_state_is_kept_from_down_to_up(network: Network) -> None:
    before = network.ok("blocks", "-n", "1")
    assert "peer0.org2.example.com stopped" in network.ok("down")
    assert network.run("status").returncode == 1
    network.ok("up")
    assert network.ok("blocks", "-n", "1") == before
    network.ok("invoke", "TransferAsset", "asset2", "Eve")


def test_other_choices_are_refused(network: Network) -> None:
    done = network.run("up", "--orgs", "3")
    assert done.returncode == 2
    assert "was made with --orgs 2, not 3" in done.stderr


def test_a_second_chaincode_is_added_and_changed_sources_are_a_new_version(
    network: Network,
) -> None:
    source = network.folder / "luck.py"
    source.write_text(LUCK, "utf-8")
    done = network.run("up", "--name", "luck")
    assert done.returncode == 2
    assert "there is no chaincode luck yet: name its sources with --chaincode" in done.stderr
    assert "chaincode luck 1.0 is committed" in network.ok("up", "--chaincode", str(source))
    assert network.ok("query", "Say") == "before\n"
    source.write_text(LUCK.replace("before", "after"), "utf-8")
    # Had up been killed before it could remember this: the channel knows.
    known = network.plan.state / "chaincodes.json"
    remembered = json.loads(known.read_text("utf-8"))
    del remembered["luck"]
    known.write_text(json.dumps(remembered), "utf-8")
    assert "chaincode luck 1.1 is committed" in network.ok("up")
    assert network.ok("query", "Say") == "after\n"
    source.write_text("def broken(", "utf-8")
    done = network.run("up")
    assert done.returncode == 2
    assert "does not install the chaincode" in done.stderr
    assert "could not build chaincode" in done.stderr
    assert "SyntaxError: '(' was never closed" in done.stderr
    # What cannot be built is not committed: the version before goes on.
    assert network.ok("query", "Say", "--chaincode", "luck") == "after\n"
    source.write_text("raise SystemError('no luck')", "utf-8")
    done = network.run("up", "--name", "luck")
    assert done.returncode == 2
    assert "chaincode luck does not start at peer0.org" in done.stderr
    assert "SystemError: no luck (all of it" in done.stderr
    assert "committed" not in network.ok("up", "--name", "basic")
    assert json.loads(network.ok("query", "ReadAsset", "asset1"))["ID"] == "asset1"


def definition(network: Network, name: str) -> lb.QueryChaincodeDefinitionResult:
    """What the channel has of a chaincode."""

    async def ask() -> bytes:
        plan = network.plan
        org = plan.organizations[0]
        args = lb.QueryChaincodeDefinitionArgs(name=name).SerializeToString()
        async with Session(plan) as session:
            answer = await session.endorse(
                session.identity(org, "Admin"),
                org.peers,
                "_lifecycle",
                [b"QueryChaincodeDefinition", args],
            )
        return answer.responses[0].response.payload

    return lb.QueryChaincodeDefinitionResult.FromString(asyncio.run(ask()))


def test_a_policy_and_collections_are_given_and_kept(network: Network, tmp_path: Path) -> None:
    source = tmp_path / "guarded.py"
    source.write_text(LUCK, "utf-8")
    file = tmp_path / "collections.json"
    file.write_text(json.dumps([{"name": "secret", "policy": "OR('Org1MSP.member')"}]), "utf-8")
    network.ok(
        *("up", "--chaincode", str(source), "--signature-policy", "OR('Org1MSP.peer')"),
        *("--collections-config", str(file)),
    )
    first = definition(network, "guarded")
    policy = ApplicationPolicy.FromString(first.validation_parameter)
    assert policy.signature_policy == from_string("OR('Org1MSP.peer')")
    assert [one.static_collection_config.name for one in first.collections.config] == ["secret"]
    # Unlike answers of the two organizations would not go together.
    network.ok("invoke", "--chaincode", "guarded", "--endorser", "Org1", "Draw", "a")

    assert "chaincode guarded 1.0 is running" in network.ok("up")
    assert definition(network, "guarded") == first

    network.ok("up", "--channel-config-policy", "/Channel/Application/Endorsement")
    second = definition(network, "guarded")
    assert second.sequence == 2
    assert second.collections == first.collections
    policy = ApplicationPolicy.FromString(second.validation_parameter)
    assert policy.channel_config_policy_reference == "/Channel/Application/Endorsement"

    done = network.run("up", "--signature-policy", "OR('Org1MSP.nobody')")
    assert done.returncode == 2
    assert "invalid signature policy" in done.stderr
    network.ok("up", "--name", "basic")


def test_wrong_arguments_say_what_there_is(network: Network) -> None:
    for arguments, code, text in (
        (["query", "Nothing"], 1, "there is no function 'Nothing'; there are"),
        (["query", "ReadAsset"], 1, "ReadAsset takes 1 argument"),
        (["query", "--chaincode", "no", "f"], 1, "chaincodes of this network: basic"),
        (["invoke", "--org", "Org9", "f"], 2, "no organization Org9, there are Org1, Org2"),
        (["invoke", "--user", "Eve", "f"], 2, "Org1 has no user 'Eve', it has Admin, User1"),
        (["events", "--chaincode", "no"], 2, "channel mychannel has no chaincode no"),
        (["blocks", "999"], 2, "no block 999, the newest is"),
        (["blocks", "--last", "0"], 2, "0 is not in the range"),
        (["logs", "peer7"], 2, "no node peer7, there are orderer.example.com, peer0"),
        (["up", "--chaincode", "missing.py"], 2, "missing.py: no such file or folder"),
        (["up", "--chaincode", "organizations"], 2, "organizations: neither a Python file nor"),
    ):
        done = network.run(*arguments)
        assert done.returncode == code, arguments
        assert text in done.stderr
        assert "Traceback" not in done.stderr


def test_a_network_beside_it_needs_other_ports(network: Network, tmp_path: Path) -> None:
    other = Network(tmp_path)
    done = other.run("up", "--port-base", str(network.plan.port_base))
    assert done.returncode == 2
    assert f"fastledger down --dir {network.folder}, or choose others with --port" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_network_that_is_down_says_how_to_start_it(network: Network) -> None:
    network.ok("down")
    for command in (["query", "GetAllAssets"], ["invoke", "InitLedger"], ["blocks"], ["events"]):
        done = network.run(*command)
        assert done.returncode == 2
        assert "is down; start it with fastledger up" in done.stderr
    network.ok("up")


def test_down_spares_a_process_that_is_not_ours(tmp_path: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        content = json.dumps({"pid": other.pid, "began": "1"})
        (tmp_path / "pid").write_text(content, "utf-8")
        assert processes.stop([tmp_path]) == []
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_watched_sources_are_live_and_differing_answers_are_told(tmp_path: Path) -> None:
    source = tmp_path / "luck.py"
    source.write_text(LUCK, "utf-8")
    network = Network(tmp_path)
    arguments = ["up", "--watch", "--chaincode", str(source)]
    log = tmp_path / "watcher"
    with log.open("wb") as output:
        watcher = subprocess.Popen(
            [sys.executable, "-m", "fastledger", *arguments, "--port-base", str(free_port_base())],
            cwd=tmp_path,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until(lambda: network.run("query", "Say").stdout == "before\n", 60)
        done = network.run("invoke", "Draw", "k")
        assert done.returncode == 1
        assert "the peers endorsed different results" in done.stderr
        assert "write luck k" in done.stderr
        source.write_text(LUCK.replace("before", "after"), "utf-8")
        wait_until(lambda: network.run("query", "Say").stdout == "after\n", 30)
        source.write_text("def broken(", "utf-8")
        told = "not taken up: " + f"{source}:1: SyntaxError: '(' was never closed"
        wait_until(lambda: told in log.read_text("utf-8"), 30)
        assert network.ok("query", "Say") == "after\n"
        assert "another fastledger up watches" in network.ok("up")
        source.write_text("raise RuntimeError('boom')", "utf-8")
        wait_until(lambda: "starting it again when it is saved" in log.read_text("utf-8"), 30)
        assert "fastledger up --watch runs it" in network.run("query", "Say").stderr
        source.write_text(LUCK, "utf-8")
        wait_until(lambda: network.run("query", "Say").stdout == "before\n", 30)
        # In sandboxes from now on.
        assert "chaincode luck 1.1 is running" in network.ok("up", "--no-watch")
        assert watcher.wait(30) == 0
        assert network.ok("query", "Say") == "before\n"
    finally:
        watcher.terminate()
        watcher.wait(30)
        network.run("down", "--clean")
