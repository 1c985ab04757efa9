# SPDX-License-Identifier: Apache-2.0
"""Fabric's peers and ours see each other, and say so to Fabric's ``discover`` and ours."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deployed import define, install, join, service, service_package
from fabric_tools import fabric_tool
from fastledger.chaincode import package as packages
from fastledger.client.endorsement import invocation
from fastledger.client.target import Target
from fastledger.comm import ClientTls
from fastledger.network.plan import Node, Org, Plan
from fastledger.network.session import Session
from fastledger.protos.common.common_pb2 import Envelope, HeaderType, Payload
from fastledger.protos.gateway.gateway_pb2 import EndorseRequest
from fastledger.protos.gateway.gateway_pb2_grpc import GatewayStub
from fastledger.protos.msp.identities_pb2 import SerializedIdentity
from fastledger.protos.peer.transaction_pb2 import ChaincodeActionPayload, Transaction
from fastledger.protoutil.proposal import create_proposal, signed_proposal
from fastledger.tools.configtxgen.artifacts import genesis_block
from fastledger.tools.configtxgen.load import load_profile
from real_nodes import (
    Commands,
    Nodes,
    client_certificate,
    free_ports,
    plan_of,
    running,
    with_mutual_tls,
)
from test_mixed_network import definition
from waiting import pause, wait_until

POLICY = "AND('Org1MSP.peer','Org2MSP.peer')"
PATIENCE_S = 120
DEAD_S = 60


def without_tls(plan: Plan) -> None:
    for node in plan.nodes:
        kind = "ORDERER_GENERAL" if node is plan.orderer else "CORE_PEER"
        with (node.folder / "env").open("a", encoding="utf-8") as file:
            file.write(f"{kind}_TLS_ENABLED=false\n")


@pytest.mark.parametrize(
    ("version", "tls"),
    [("v3.1.5", False), ("v3.1.5", True), ("v2.5.15", True)],
    ids=["3.1.5, plain text", "3.1.5, mutual TLS", "2.5.15, mutual TLS"],
)
def test_a_real_peer_and_ours_see_each_other(
    version: str, tls: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fabric_tool("peer", version), fabric_tool("discover")
    plan = plan_of(tmp_path, chaincode="mixed")
    (with_mutual_tls if tls else without_tls)(plan)
    cert, key = (file.read_bytes() for file in client_certificate(plan.organizations[0]))

    def target(node: Node) -> Target:
        shown = ClientTls(node.tls_root.read_bytes(), cert, key)
        return Target(node.address, shown if tls else None)

    monkeypatch.setattr("fastledger.network.session._target", target)
    profile = load_profile("ChannelUsingRaft", str(plan.state), {})
    plan.genesis_block.write_bytes(genesis_block(profile, plan.channel).SerializeToString())
    real = plan.organizations[1].peers[0]
    with running(plan, {real.name}, version) as nodes:
        asyncio.run(walk(nodes, Asking(plan, tls), target))


class Asking:
    """Asks peers by Fabric's command, and by ours."""

    def __init__(self, plan: Plan, tls: bool) -> None:
        self.plan = plan
        self.tls = tls

    def flags(self, org: Org, node: Node) -> list[str]:
        msp = org.msp("User1")
        (key,) = (msp / "keystore").iterdir()
        (cert,) = (msp / "signcerts").iterdir()
        flags = ["--MSP", org.mspid, "--userKey", str(key), "--userCert", str(cert)]
        if self.tls:
            shown, its_key = client_certificate(org)
            flags += ["--tlsCert", str(shown), "--tlsKey", str(its_key)]
            flags += ["--peerTLSCA", str(node.tls_root)]
        return flags

    def ours(self, org: Org, node: Node, *words: str) -> Any:
        command = [sys.executable, "-m", "fastledger", "discover", *self.flags(org, node), *words]
        where = ["--channel", self.plan.channel, "--server", node.address]
        done = subprocess.run([*command, *where], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def theirs(self, org: Org, node: Node, *words: str) -> Any:
        where = ["--channel", self.plan.channel, "--server", node.address]
        commands = Commands(self.plan.folder, "v3.1.5")
        done = commands.run("discover", *self.flags(org, node), *words, *where)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


async def walk(nodes: Nodes, asking: Asking, target: Callable[[Node], Target]) -> None:
    plan = nodes.plan
    address = f"127.0.0.1:{free_ports(1)}"
    content = service_package(address)
    package_id = packages.package_id("mixed_1.0", content)
    with service(package_id, address):
        async with Session(plan) as session:
            await join(session)
            await install(session, content)
            await define(session, definition(1, package_id, POLICY))
            await asyncio.to_thread(until_all_are_seen, asking)
            # Without TLS Fabric's gateway connects to no other peer.
            for org in plan.organizations if asking.tls else plan.organizations[:1]:
                signers = await endorsed_by(session, org, target(org.peers[0]))
                assert signers == {"Org1MSP", "Org2MSP"}
    real = plan.organizations[1].peers[0]
    ours = plan.organizations[0].peers[0]
    nodes.kill(real)
    await asyncio.to_thread(until_gone, asking, ours, real)


def until_all_are_seen(asking: Asking) -> None:
    """Wait until all say the same of both peers."""
    first, second = asking.plan.organizations
    deadline = time.monotonic() + PATIENCE_S
    while True:
        views = [
            ordered(ask(org, node, "peers"))
            for ask in (asking.ours, asking.theirs)
            for org in (first, second)
            for node in (first.peers[0], second.peers[0])
        ]
        seen = {json.dumps(view) for view in views}
        if len(seen) == 1 and len(views[0]) == 2:
            break
        assert time.monotonic() < deadline, views
        pause(1, "before peers are asked again, which tell each other by and by")
    for one in views[0]:
        assert one["Chaincodes"] == ["_lifecycle", "mixed"], one
    for words in (["config"], ["endorsers", "--chaincode", "mixed"]):
        answers = {
            json.dumps(comparable(ask(first, node, *words)), sort_keys=True)
            for ask in (asking.ours, asking.theirs)
            for node in (first.peers[0], second.peers[0])
        }
        assert len(answers) == 1, answers
    shared = ["endorsers", "--chaincode", "mixed", "--collection", "mixed:shared"]
    for node in (first.peers[0], second.peers[0]):
        (found,) = asking.theirs(first, node, *shared)
        assert len(found["EndorsersByGroups"]) == 2


def ordered(peers: list[Any]) -> list[Any]:
    found = [one | {"Chaincodes": sorted(one["Chaincodes"] or [])} for one in peers or []]
    return sorted(found, key=lambda one: one["Endpoint"])


def comparable(answer: Any) -> Any:
    """Call groups by who is in them, as their names are by chance."""
    if isinstance(answer, dict):
        return answer
    (one,) = answer
    groups = {
        name: sorted(peer["Endpoint"] for peer in peers)
        for name, peers in one["EndorsersByGroups"].items()
    }
    layouts = [
        sorted((groups[name], count) for name, count in layout["quantities_by_group"].items())
        for layout in one["Layouts"]
    ]
    return [one["Chaincode"], sorted(layouts)]


async def endorsed_by(session: Session, org: Org, target: Target) -> set[str]:
    """Have a gateway collect endorsements; return whose they are."""
    signer = session.identity(org, "User1")
    spec = invocation("mixed", [b"put", b"k", b"v"])
    proposed = create_proposal(
        HeaderType.ENDORSER_TRANSACTION, session.plan.channel, spec, signer.serialized
    )
    proposal = signed_proposal(proposed.proposal, signer)
    request = EndorseRequest(
        transaction_id=proposed.tx_id,
        channel_id=session.plan.channel,
        proposed_transaction=proposal,
    )
    channel = await target.connect("gateway")
    try:
        answer = await GatewayStub(channel).Endorse(request)
    finally:
        await channel.close()
    return {endorser.mspid for endorser in endorsers(answer.prepared_transaction)}


def endorsers(envelope: Envelope) -> list[SerializedIdentity]:
    transaction = Transaction.FromString(Payload.FromString(envelope.payload).data)
    action = ChaincodeActionPayload.FromString(transaction.actions[0].payload).action
    return [SerializedIdentity.FromString(one.endorser) for one in action.endorsements]


def until_gone(asking: Asking, ours: Node, real: Node) -> None:
    org = asking.plan.organizations[0]
    wait_until(lambda: len(asking.ours(org, ours, "peers")) <= 1, DEAD_S)
