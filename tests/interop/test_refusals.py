# SPDX-License-Identifier: Apache-2.0
"""What Fabric's peers and orderers answer to messages that are wrong, ours answer, too."""

import asyncio
import re
from pathlib import Path

import grpc.aio
import pytest

from deployed import service, service_package
from fabric_tools import fabric_tool
from fastledger.chaincode import package as packages
from fastledger.client.peer import Peer
from fastledger.client.target import Target
from fastledger.comm import ClientTls
from fastledger.common.errors import RpcFailed
from fastledger.network import deployment, settings
from fastledger.network.plan import Plan
from fastledger.network.session import Session
from fastledger.protos.common.common_pb2 import Envelope
from fastledger.protos.orderer.ab_pb2 import BroadcastResponse, DeliverResponse
from fastledger.protos.peer.proposal_pb2 import SignedProposal
from fastledger.tools.configtxgen.artifacts import genesis_block
from fastledger.tools.configtxgen.load import load_profile
from real_nodes import PATIENCE_S, Nodes, free_ports, plan_of, running
from refused_envelopes import broadcasts, seeks
from refused_proposals import malformed, questions
from waiting import until

WORDED_OTHERWISE = {
    "unknown channel": "ours refuses as 1.4 does, before it looks for the channel",
    "cscc GetConfigBlock ": "a policy of a channel is looked for without a channel",
    "cscc JoinChainBySnapshot /nowhere": "the operating system's reason",
    "lscc install b'\\xff'": "the reason why it is no package",
    "_lifecycle InstallChaincode ": "the reason why it is no package",
    "_lifecycle InstallChaincode b'\\n\\x03abc'": "the reason why it is no package",
    "garbled channel header": "the codec's words say twice what it is",
    "update: an unknown value": "two elements are wrong, and Go looks in no fixed order",
    "update: a value that others may change": "as above",
}
"""Refused by both, for the same reason, in other words."""

_CODEC = re.compile(r"(proto:.*|Error parsing message with type .*)$")
_CHANGING = re.compile(r"\b[0-9a-f]{64}\b|time \S+,|unmarshall?ing")


@pytest.mark.parametrize("version", ["v2.5.15", "v3.1.5"])
def test_peers_refuse_alike(version: str, tmp_path: Path) -> None:
    fabric_tool("peer", version)
    plan = plan_of(tmp_path, chaincode="mixed", orgs=1, peers=2)
    if version == "v2.5.15":
        without_time_window(plan)
    profile = load_profile("ChannelUsingRaft", str(plan.state), {})
    plan.genesis_block.write_bytes(genesis_block(profile, plan.channel).SerializeToString())
    with running(plan, {plan.organizations[0].peers[1].name}, version):
        asked, different = asyncio.run(walk(plan, version))
    assert not different, "\n".join(different)
    assert asked > 100


def without_time_window(plan: Plan) -> None:
    """Have our peer check what the older sample configuration asks for."""
    file = plan.organizations[0].peers[0].folder / "core.yaml"
    text = file.read_text("utf-8")
    assert "- name: TimeWindowCheck" in text
    file.write_text(text.replace("- name: TimeWindowCheck", ""), "utf-8")


async def walk(plan: Plan, version: str) -> tuple[int, list[str]]:
    """Ask both peers everything."""
    org = plan.organizations[0]
    address = f"127.0.0.1:{free_ports(1)}"
    content = service_package(address)
    package_id = packages.package_id("mixed_1.0", content)
    asked, different = 0, []
    with service(package_id, address):
        async with Session(plan) as session:
            await deployment.join_all(session)
            for node in org.peers:
                await deployment.install(session, org, node, content)
            await deployment.approve(session, org, package_id)
            await deployment.commit(session)
            peers = await session.peers(org.peers)
            user, admin = (session.identity(org, name) for name in ("User1", "Admin"))
            for name, proposal in [*malformed(user), *questions(user), *questions(admin)]:
                if version == "v3.1.5" and name.startswith("lscc"):
                    continue  # It has none any more.
                ours, theirs = [await answer(peer, proposal) for peer in peers]
                asked += 1
                if ours != theirs and not (name in WORDED_OTHERWISE and refused(ours, theirs)):
                    different.append(f"{name}\n  ours   {ours}\n  theirs {theirs}")
    return asked, different


def refused(*answers: tuple[object, ...]) -> bool:
    return all(answer[0] != 200 for answer in answers)


async def answer(peer: Peer, proposal: SignedProposal) -> tuple[object, ...]:
    """What a peer answers, without what differs from peer to peer and moment to moment."""
    try:
        response = await peer.process_proposal(proposal)
    except RpcFailed as error:
        return "status of the call", told(str(error))
    answered = response.response
    if answered.status != 200:
        return answered.status, told(answered.message)
    return answered.status, answered.message, response.HasField("endorsement")


def told(text: str) -> str:
    """A message without the codec's own words, ids and times."""
    return _CHANGING.sub("#", _CODEC.sub("#", text.replace("\xa0", " ")))


def test_orderers_refuse_alike(tmp_path: Path) -> None:
    ours = plan_of(tmp_path / "ours", orgs=1)
    profile = load_profile("ChannelUsingRaft", str(ours.state), {})
    block = genesis_block(profile, ours.channel).SerializeToString()
    theirs = Plan(folder=tmp_path / "theirs", orgs=1, port_base=ours.port_base + 9)
    theirs.folder.mkdir()
    theirs.identities.symlink_to(ours.identities)
    settings.write(theirs)
    name = ours.orderer.name
    both = Nodes(ours), Nodes(theirs, {name})
    try:
        for nodes in both:
            nodes.plan.genesis_block.write_bytes(block)
            nodes.start(name)
            deployment.join_orderer(nodes.plan, nodes.plan.orderer)
        different = asyncio.run(compare_orderers(ours, theirs))
    finally:
        for nodes in both:
            nodes.stop()
    assert not different, "\n".join(different)


async def compare_orderers(*plans: Plan) -> list[str]:
    """Send everything to two orderers, and return where they answer otherwise."""
    roots = [ClientTls(plan.orderer.tls_root.read_bytes()) for plan in plans]
    targets = [Target(plan.orderer.address, tls) for plan, tls in zip(plans, roots, strict=True)]
    channels = [await target.connect("orderer") for target in targets]
    different = []
    await until_elected(channels[1], plans[1])
    for user in ("User1", "Admin"):
        signer = Session(plans[0]).identity(plans[0].organizations[0], user)
        for method, cases in (("Broadcast", broadcasts(signer)), ("Deliver", seeks(signer))):
            for name, envelope in cases:
                ours, theirs = [await exchange(one, method, envelope) for one in channels]
                if name in WORDED_OTHERWISE:
                    ours, theirs = [[answer[0] for answer in one] for one in (ours, theirs)]
                if ours != theirs:
                    different.append(f"{method} {name}\n  ours   {ours}\n  theirs {theirs}")
    for channel in channels:
        await channel.close()
    return different


async def until_elected(channel: grpc.aio.Channel, plan: Plan) -> None:
    """Wait until a real orderer has elected itself."""
    signer = Session(plan).identity(plan.organizations[0], "User1")
    sound = dict(broadcasts(signer))["sound"]

    async def taken() -> bool:
        return (await exchange(channel, "Broadcast", sound))[0] == (200, "")

    await until(taken, PATIENCE_S)


async def exchange(
    channel: grpc.aio.Channel, method: str, envelope: Envelope
) -> list[tuple[object, ...]]:
    """Send one message, and return all answers; of blocks, that they are some."""
    call = channel.stream_stream(f"/orderer.AtomicBroadcast/{method}")()
    answers: list[tuple[object, ...]] = []
    try:
        await call.write(envelope.SerializeToString())
        await call.done_writing()
        while (encoded := await call.read()) is not grpc.aio.EOF:
            if method == "Broadcast":
                response = BroadcastResponse.FromString(encoded)
                answers.append((response.status, told(response.info)))
            else:
                delivered = DeliverResponse.FromString(encoded)
                answers.append((delivered.WhichOneof("Type"), delivered.status))
    except grpc.aio.AioRpcError as error:
        answers.append((error.code().name, error.details()))
    return answers
