# SPDX-License-Identifier: Apache-2.0
"""Peers of Fabric 3.1.5 and ours in one channel, ordered by either's orderer."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from deployed import (
    Definition,
    define,
    first_peers,
    install,
    join,
    service,
    service_package,
)
from fabric_tools import fabric_tool
from fastledger.chaincode import package as packages
from fastledger.client.endorsement import endorse, invocation
from fastledger.client.target import Target
from fastledger.comm import ClientTls
from fastledger.common.codes import TxValidationCode as Code
from fastledger.common.errors import DeliverEnded
from fastledger.network.plan import Node, Org, Plan
from fastledger.network.session import Session
from fastledger.policies import from_string
from fastledger.protos.peer.chaincode_pb2 import ChaincodeSpec
from fastledger.protos.peer.collection_pb2 import CollectionConfigPackage
from fastledger.protoutil import block as blocks
from fastledger.protoutil.seek import NEWEST, OLDEST
from fastledger.tools.configtxgen.artifacts import genesis_block
from fastledger.tools.configtxgen.load import load_profile
from mixed_workload import Call, calls, envelopes
from real_nodes import (
    Commands,
    Nodes,
    client_certificate,
    free_ports,
    plan_of,
    running,
    with_mutual_tls,
)
from waiting import wait_until

REAL_ORDERER = "orderer.example.com"
TRANSACTIONS = 1000
MORE_TRANSACTIONS = 100
ROUND = 50
PATIENCE_S = 120
ORG1 = "OR('Org1MSP.member')"

EXPECTED = (
    Code.ENDORSEMENT_POLICY_FAILURE,
    Code.MVCC_READ_CONFLICT,
    Code.PHANTOM_READ_CONFLICT,
    Code.DUPLICATE_TXID,
    Code.BAD_PROPOSAL_TXID,
    Code.BAD_COMMON_HEADER,
)


@pytest.mark.parametrize("real", [set(), {REAL_ORDERER}], ids=["our orderer", "their orderer"])
def test_both_peers_judge_alike(
    real: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fabric_tool("peer"), fabric_tool("orderer")
    plan = plan_of(tmp_path, chaincode="mixed", peers=2)
    with_mutual_tls(plan)
    cert, key = (file.read_bytes() for file in client_certificate(plan.organizations[0]))
    monkeypatch.setattr(
        "fastledger.network.session._target",
        lambda node: Target(node.address, ClientTls(node.tls_root.read_bytes(), cert, key)),
    )
    profile = load_profile("ChannelUsingRaft", str(plan.state), {})
    plan.genesis_block.write_bytes(genesis_block(profile, plan.channel).SerializeToString())
    with running(plan, real | {node.name for node in plan.organizations[1].peers}) as nodes:
        codes = asyncio.run(walk(nodes))
    expect_verdicts(codes, TRANSACTIONS)


async def walk(nodes: Nodes) -> list[bytes]:
    """Make the channel, submit everything, compare the peers; return the blocks' codes."""
    plan = nodes.plan
    todo = calls(seed=4, count=TRANSACTIONS)
    half = len(todo) // 2
    address = f"127.0.0.1:{free_ports(1)}"
    content = service_package(address)
    package_id = packages.package_id("mixed_1.0", content)
    with service(package_id, address):
        async with Session(plan) as session:
            await join(session)
            await install(session, content)
            await define(session, definition(1, package_id))
            await submit_all(session, todo[:half])
        nodes.crash()
        # Those that have just come back lose the orderer, whoever's it is, and find it again.
        nodes.crash(plan.orderer)
        async with Session(plan) as session:
            # From here on, the endorsement of one organization is enough for most keys.
            await define(session, definition(2, package_id, "OR('Org1MSP.peer','Org2MSP.peer')"))
            await submit_all(session, todo[half:])
            codes = await compare(session, first_peers(plan))
            # Each kind of peer begins with what the other kind has written down.
            folders = take_snapshots(plan, len(codes))
            for org, folder in zip(plan.organizations, reversed(folders), strict=True):
                join_by_snapshot(plan, org, folder)
                assert await oldest(session, org.peers[1]) == "NOT_FOUND"
            await submit_all(session, calls(seed=5, count=MORE_TRANSACTIONS))
            more = await compare(session, plan.all_peers, start=len(codes))
    take_snapshots(plan, len(codes) + len(more), of_all=True)
    return codes + more


def expect_verdicts(codes: list[bytes], transactions: int) -> None:
    """See that a good part is valid, and that every kind of invalid one was there."""
    found = Counter(code for block in codes for code in block)
    print({Code(code).name: count for code, count in found.most_common()})
    assert sum(found.values()) >= transactions
    assert found[Code.VALID] > transactions / 4
    for code in EXPECTED:
        assert found[code], code


def definition(sequence: int, package_id: str, policy: str = "") -> Definition:
    """Of the chaincode for both kinds of peers, with its collections."""
    return Definition(sequence, package_id, policy, collections=collections())


def collections() -> CollectionConfigPackage:
    """One collection of both organizations, short-lived, and one of the first alone."""
    package = CollectionConfigPackage()
    chosen = (("shared", "OR('Org1MSP.member','Org2MSP.member')", 5), ("narrow", ORG1, 0))
    for name, policy, blocks_to_live in chosen:
        one = package.config.add().static_collection_config
        one.name, one.block_to_live, one.maximum_peer_count = name, blocks_to_live, 1
        one.member_orgs_policy.signature_policy.CopyFrom(from_string(policy))
    return package


async def submit_all(session: Session, todo: Sequence[Call]) -> None:
    for start in range(0, len(todo), ROUND):
        await submit(session, todo[start : start + ROUND])


async def submit(session: Session, todo: Sequence[Call]) -> None:
    """Have one round endorsed by both peers at one height, ordered, and committed by both."""
    plan = session.plan
    signer = session.identity(plan.organizations[0], "User1")
    peers = await session.peers(first_peers(plan))
    streams = [await peer.filtered_blocks(plan.channel, signer) for peer in peers]
    narrow = asyncio.Semaphore(16)

    async def endorsed(call: Call):
        spec = invocation(plan.chaincode, call.args, language=ChaincodeSpec.GOLANG)
        async with narrow:
            answer = await endorse(peers, signer, plan.channel, spec, transient=call.transient)
        for response in answer.responses:
            assert response.response.status == 200, response.response.message
        ours, theirs = answer.responses
        assert ours.payload == theirs.payload, call
        return answer

    answers = await asyncio.gather(*map(endorsed, todo))
    # The last of a round is sent when the others are taken, and can be waited for.
    fates = [call.fate for call in todo[:-1]] + ["sound"]
    made = [envelopes(*pair) for pair in zip(answers, [signer] * len(todo), fates, strict=True)]
    ordering = await session.orderer()
    for round_ in (made[:-1], made[-1:]):
        await asyncio.gather(*(ordering.broadcast(one) for several in round_ for one in several))
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(*(stream.commit(answers[-1].tx_id) for stream in streams))
    for stream in streams:
        stream.cancel()


async def compare(session: Session, nodes: Sequence[Node], start: int = 0) -> list[bytes]:
    """Read the blocks of all peers from a number on; return the codes of each block."""
    plan = session.plan
    signer = session.identity(plan.organizations[0], "User1")
    peers = await session.peers(nodes)
    newest = (await peers[0].blocks(plan.channel, signer).get(NEWEST)).header.number
    found = []
    for peer in peers:
        stream = peer.full_blocks(plan.channel, signer, start)
        async with asyncio.timeout(PATIENCE_S):
            found.append([blocks.parse(await anext(stream)) for _ in range(start, newest + 1)])
    for several in zip(*found, strict=True):
        one = several[0]
        assert one.number == 0 or one.commit_hash
        for other in several[1:]:
            assert one.header_hash == other.header_hash
            assert one.envelopes == other.envelopes
            assert one.codes == other.codes, one.number
            assert one.commit_hash == other.commit_hash, one.number
    return [block.codes for block in found[0]]


async def oldest(session: Session, node: Node) -> str:
    """Ask for the first block, which a snapshot has swallowed; return the status."""
    signer = session.identity(session.plan.organizations[0], "User1")
    stream = (await session.peer(node)).blocks(session.plan.channel, signer)
    try:
        return f"block {(await stream.get(OLDEST)).header.number}"
    except DeliverEnded as end:
        return end.status


def take_snapshots(plan: Plan, height: int, *, of_all: bool = False) -> list[Path]:
    """Have peers make snapshots, which must be equal; return their folders."""
    folders = []
    for org in plan.organizations:
        for node in org.peers if of_all else org.peers[:1]:
            request = ("snapshot", "submitrequest", "-c", plan.channel, "-b", "0")
            tls = ("--tlsRootCertFile", node.tls_root)
            as_admin(org, node)("peer", *request, "--peerAddress", node.address, *tls)
            completed = node.folder / "data" / "snapshots" / "completed"
            folders.append(completed / plan.channel / str(height - 1))
    metadata = [folder / "_snapshot_signable_metadata.json" for folder in folders]
    wait_until(lambda: all(file.exists() for file in metadata), PATIENCE_S)
    assert len({file.read_text() for file in metadata}) == 1
    return folders


def join_by_snapshot(plan: Plan, org: Org, folder: Path) -> None:
    """Let an organization's second peer join."""
    peer = as_admin(org, org.peers[1])
    peer("peer", "channel", "joinbysnapshot", "--snapshotpath", folder)
    wait_until(lambda: plan.channel in peer("peer", "channel", "list"), PATIENCE_S)


def as_admin(org: Org, node: Node, version: str = "v3.1.5") -> Commands:
    """Fabric's commands for a peer, by an admin of its organization."""
    cert, key = client_certificate(org, "Admin")
    return Commands(node.folder, version).at(
        {
            "CORE_PEER_ADDRESS": node.address,
            "CORE_PEER_LOCALMSPID": org.mspid,
            "CORE_PEER_MSPCONFIGPATH": str(org.msp("Admin")),
            "CORE_PEER_TLS_ENABLED": "true",
            "CORE_PEER_TLS_ROOTCERT_FILE": str(node.tls_root),
            "CORE_PEER_TLS_CLIENTAUTHREQUIRED": "true",
            "CORE_PEER_TLS_CLIENTCERT_FILE": str(cert),
            "CORE_PEER_TLS_CLIENTKEY_FILE": str(key),
        }
    )
