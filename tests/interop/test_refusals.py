# SPDX-License-Identifier: Apache-2.0
"""What Fabric's peers answer to proposals that are wrong, ours answer, too."""

import asyncio
import re
from pathlib import Path

import pytest

import real_nodes
from fabric_tools import fabric_tool
from fastledger.chaincode import package as packages
from fastledger.client.peer import Peer
from fastledger.common.errors import RpcFailed
from fastledger.node.network import deployment
from fastledger.node.network.plan import Plan
from fastledger.node.network.session import Session
from fastledger.protos.peer.proposal_pb2 import SignedProposal
from fastledger.tools.configtxgen.artifacts import genesis_block
from fastledger.tools.configtxgen.load import load_profile
from real_nodes import free_ports, plan_of, running
from refused_proposals import malformed, questions
from test_mixed_network import service, service_package

WORDED_OTHERWISE = {
    "unknown channel": "ours refuses as 1.4 does, before it looks for the channel",
    "cscc GetConfigBlock ": "a policy of a channel is looked for without a channel",
    "cscc JoinChainBySnapshot /nowhere": "the operating system's reason",
    "lscc install b'\\xff'": "the reason why it is no package",
    "_lifecycle InstallChaincode ": "the reason why it is no package",
    "_lifecycle InstallChaincode b'\\n\\x03abc'": "the reason why it is no package",
}
"""Refused by both, for the same reason, in other words."""

_CODEC = re.compile(r"(proto:.*|Error parsing message with type .*)$")
_CHANGING = re.compile(r"\b[0-9a-f]{64}\b|time \S+,|unmarshall?ing")


@pytest.mark.parametrize("version", ["v2.5.15", "v3.1.5"])
def test_peers_refuse_alike(version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built, sample = fabric_tool("peer", version), real_nodes.sample_config(version)
    monkeypatch.setattr(real_nodes, "fabric_tool", lambda _: built)
    monkeypatch.setattr(real_nodes, "sample_config", lambda: sample)
    plan = plan_of(tmp_path, chaincode="mixed", orgs=1, peers=2)
    if version == "v2.5.15":
        without_time_window(plan)
    profile = load_profile("ChannelUsingRaft", str(plan.state), {})
    plan.genesis_block.write_bytes(genesis_block(profile, plan.channel).SerializeToString())
    with running(plan, {plan.organization[0].peers[1].name}):
        asked, different = asyncio.run(walk(plan, version))
    assert not different, "\n".join(different)
    assert asked > 100


def without_time_window(plan: Plan) -> None:
    """Have our peer check what the older sample configuration asks for."""
    file = plan.organization[0].peers[0].folder / "core.yaml"
    text = file.read_text("utf-8")
    assert "- name: TimeWindowCheck" in text
    file.write_text(text.replace("- name: TimeWindowCheck", ""), "utf-8")


async def walk(plan: Plan, version: str) -> tuple[int, list[str]]:
    """Ask both peers everything."""
    org = plan.organization[0]
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
