# SPDX-License-Identifier: Apache-2.0
"""A peer of Fabric 2.5.15 and ours in one channel of 1.4: deployed by lscc, judged by its rules."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deployed import first_peers, join, service
from fabric_tools import fabric_tool
from fastledger.chaincode import package as packages
from fastledger.common.codes import TxValidationCode as Code
from fastledger.network.plan import Node, Plan
from fastledger.network.session import Session
from fastledger.protos.peer.chaincode_pb2 import (
    ChaincodeDeploymentSpec,
    ChaincodeID,
    ChaincodeSpec,
)
from fastledger.tools.configtxgen.artifacts import genesis_block
from fastledger.tools.configtxgen.load import load_profile
from mixed_workload import Call, calls
from real_nodes import Nodes, free_ports, plan_of, running, write_core_yaml
from test_mixed_network import ORG1, as_admin, compare, expect_verdicts, submit_all
from waiting import wait_until

VERSION = "v2.5.15"
TRANSACTIONS = 400
PRIVATE_TRANSACTIONS = 30
PRIVATE = (b"hide", b"unhide", b"purge")
BOTH = "AND('Org1MSP.peer','Org2MSP.peer')"
EITHER = "OR('Org1MSP.peer','Org2MSP.peer')"
COLLECTIONS = [
    {"name": "shared", "policy": "OR('Org1MSP.member','Org2MSP.member')", "blockToLive": 5},
    {"name": "narrow", "policy": ORG1, "blockToLive": 0},
]


def test_both_peers_judge_alike(tmp_path: Path) -> None:
    fabric_tool("peer", VERSION)
    plan = plan_of(tmp_path, chaincode="mixed")
    ours, theirs = first_peers(plan)
    write_core_yaml(ours.folder, VERSION)
    profile = load_profile("ChannelUsingRaft", str(plan.state), {})
    profile.capabilities = {"V1_4_3": True}
    assert profile.application is not None
    assert profile.orderer is not None
    profile.application.capabilities = profile.orderer.capabilities = {"V1_4_2": True}
    plan.genesis_block.write_bytes(genesis_block(profile, plan.channel).SerializeToString())
    with running(plan, {theirs.name}, VERSION) as nodes:
        codes = asyncio.run(walk(nodes))
    expect_verdicts(codes, TRANSACTIONS)


async def walk(nodes: Nodes) -> list[bytes]:
    """Deploy, submit, upgrade, submit more; return the blocks' codes."""
    plan = nodes.plan
    chosen = calls(seed=6, count=2 * TRANSACTIONS)
    todo = [call for call in chosen if call.args[0] not in PRIVATE][:TRANSACTIONS]
    private = [call for call in chosen if is_private_of_old(call)][:PRIVATE_TRANSACTIONS]
    half = len(todo) // 2
    async with Session(plan) as session:
        await join(session)
        with deployed(plan, "1.0", "instantiate", BOTH):
            await submit_all(session, todo[:half])
            with deployed(plan, "2.0", "upgrade", EITHER):
                await submit_all(session, todo[half:])
                for number, call in enumerate(private):
                    await submit_alone(session, call, first_peers(plan)[number % 2])
        return await compare(session, first_peers(plan))


@contextmanager
def deployed(plan: Plan, version: str, how: str, policy: str) -> Iterator[None]:
    """Run a version of the chaincode as a service, and have lscc put it on the channel."""
    address = f"127.0.0.1:{free_ports(1)}"
    package, collections = plan.folder / f"{version}.pak", plan.folder / "collections.json"
    package.write_bytes(legacy_package(version, address))
    collections.write_text(json.dumps(COLLECTIONS), "utf-8")
    peers = [as_admin(org, org.peers[0], VERSION) for org in plan.organizations]
    with service(f"mixed:{version}", address):
        for peer in peers:
            peer("peer", "chaincode", "install", package)
        orderer = ("-o", plan.orderer.address, "--tls", "--cafile", plan.orderer.tls_root)
        definition = ("-C", plan.channel, "-n", "mixed", "-v", version, "-P", policy)
        what = ("-c", '{"Args":[]}', "--collections-config", collections)
        # By a peer of either kind, in turn.
        peers[how == "upgrade"]("peer", "chaincode", how, *orderer, *definition, *what)
        listed = ("peer", "chaincode", "list", "--instantiated", "-C", plan.channel)
        for peer in peers:
            wait_until(lambda p=peer: f"Name: mixed, Version: {version}" in p(*listed))
        yield


def legacy_package(version: str, address: str) -> bytes:
    """What `lscc` installs: here no code, but where it runs."""
    code = {"src/connection.json": json.dumps({"address": address, "dial_timeout": "10s"}).encode()}
    chaincode = ChaincodeID(name="mixed", version=version, path="mixed")
    spec = ChaincodeSpec(type=ChaincodeSpec.GOLANG, chaincode_id=chaincode)
    return ChaincodeDeploymentSpec(
        chaincode_spec=spec, code_package=packages.tar_gz(code)
    ).SerializeToString()


def is_private_of_old(call: Call) -> bool:
    """Whether it is a private write that 1.4 knows."""
    return call.args[0] in (b"hide", b"unhide") and not call.args[1].startswith(b"_implicit")


async def submit_alone(session: Session, call: Call, node: Node) -> None:
    """Have one peer endorse, and both commit.

    Peers since 2.0 look a collection up in `_lifecycle` before lscc, in channels of 1.4, too, and
    put that into the read set; those of 1.4 and ours do not.
    """
    plan = session.plan
    signer = session.identity(plan.organizations[0], "User1")
    answer = await session.endorse(signer, [node], "mixed", call.args, transient=call.transient)
    _, code = await session.submit(signer, answer, first_peers(plan))
    assert code == Code.VALID, (call, Code(code))
