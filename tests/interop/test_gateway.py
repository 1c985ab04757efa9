# SPDX-License-Identifier: Apache-2.0
"""A real 3.1.5 peer's gateway and ours answer odd requests alike: code, message and details."""

import asyncio
import json
import re
from dataclasses import replace
from pathlib import Path

import grpc.aio
from google.protobuf.any_pb2 import Any

from config_changes import administrators
from deployed import service
from fabric_tools import fabric_tool
from fastledger.chaincode import package as packages
from fastledger.client.target import Target
from fastledger.comm import ClientTls
from fastledger.msp import SigningIdentity
from fastledger.network import channel, deployment, settings
from fastledger.network.plan import Plan
from fastledger.network.session import Session
from fastledger.protos.gateway import gateway_pb2 as pb
from fastledger.tools.configtxgen.artifacts import genesis_block
from fastledger.tools.configtxgen.load import load_profile
from odd_gateway_requests import Request, odd_requests
from real_nodes import PATIENCE_S, Nodes, free_ports, plan_of
from test_refusals import told

WORDED_OTHERWISE = {
    "Evaluate cscc GetConfigBlock ": "a policy of a channel is looked for without a channel",
    "Endorse cscc GetConfigBlock ": "as above",
    "Endorse get for own organization twice": "a real gateway asks its peer twice",
    "Endorse nofunction for own organization twice": "as above",
    "Evaluate a chaincode that does not run": "why it cannot be launched",
    "Endorse a chaincode that does not run": "as above",
}
"""Refused by both, with the same code and for the same reason, in other words."""

Answer = tuple[str, str, list[tuple[str, str]]]


def test_gateways_answer_alike(tmp_path: Path) -> None:
    fabric_tool("peer")
    ours = plan_of(tmp_path / "ours", chaincode="mixed", orgs=1, peers=1)
    theirs = Plan(
        folder=tmp_path / "theirs",
        chaincode="mixed",
        orgs=1,
        peers=1,
        port_base=free_ports(60) + 40,
    )
    theirs.folder.mkdir()
    theirs.save()
    theirs.identities.symlink_to(ours.identities)
    channel.write(theirs)
    settings.write(theirs)
    real = theirs.organizations[0].peers[0].name
    both = Nodes(ours), Nodes(theirs, {real})
    try:
        for nodes in both:
            profile = load_profile("ChannelUsingRaft", str(nodes.plan.state), {})
            block = genesis_block(profile, nodes.plan.channel).SerializeToString()
            nodes.plan.genesis_block.write_bytes(block)
            nodes.start(nodes.plan.orderer.name, real)
            deployment.join_orderer(nodes.plan, nodes.plan.orderer)
        asked, different = asyncio.run(walk(ours, theirs))
    finally:
        for nodes in both:
            nodes.stop()
    assert not different, "\n".join(different)
    assert asked > 150


async def walk(*plans: Plan) -> tuple[int, list[str]]:
    """Ask both gateways everything."""
    address = f"127.0.0.1:{free_ports(1)}"
    content, package_id = packaged("mixed", address)
    with service(package_id, address):
        for plan in plans:
            await deploy(plan, content, package_id)
            # Nobody listens there.
            await deploy(replace(plan, chaincode="gone"), *packaged("gone", "127.0.0.1:1"))
        answers = [await ask_all(plan) for plan in plans]
    different = [
        f"{name}\n  ours   {ours}\n  theirs {theirs}"
        for (name, ours), (_, theirs) in zip(*answers, strict=True)
        if ours != theirs and not (name in WORDED_OTHERWISE and ours[0] == theirs[0])
    ]
    return len(answers[0]), different


def packaged(name: str, address: str) -> tuple[bytes, str]:
    """A package that says where the chaincode listens, and its id."""
    connection = {"address": address, "dial_timeout": "1s", "tls_required": False}
    code = packages.tar_gz({"connection.json": json.dumps(connection).encode()})
    content = packages.assemble(f"{name}_1.0", "ccaas", code)
    return content, packages.package_id(f"{name}_1.0", content)


async def deploy(plan: Plan, content: bytes, package_id: str) -> None:
    """Define the chaincode for the one organization that there is."""
    org = plan.organizations[0]
    async with Session(plan) as session:
        if plan.chaincode == "mixed":
            await deployment.join_peer(session, org, org.peers[0])
        await deployment.install(session, org, org.peers[0], content)
        await deployment.approve(session, org, package_id)
        await deployment.commit(session)


async def ask_all(plan: Plan) -> list[tuple[str, Answer]]:
    """Ask one peer's gateway everything."""
    peer = plan.organizations[0].peers[0]
    target = Target(peer.address, ClientTls(peer.tls_root.read_bytes()))
    connection = await target.connect("peer")
    session = Session(plan)
    signer = session.identity(plan.organizations[0], "User1")
    [(mspid, folder), _] = administrators(plan)
    stranger = SigningIdentity.load(Path(folder), mspid)
    try:
        return [
            (str(request), await answer(connection, request))
            for request in odd_requests(signer, stranger)
        ]
    finally:
        await connection.close()


async def answer(connection: grpc.aio.Channel, request: Request) -> Answer:
    """Code, message and details, without what differs from peer to peer."""
    path = f"/gateway.Gateway/{request.method}"
    encoded = request.message.SerializeToString()
    try:
        if request.method == "ChaincodeEvents":
            stream = connection.unary_stream(path)(encoded, timeout=PATIENCE_S)
            await anext(aiter(stream))
        else:
            await connection.unary_unary(path)(encoded, timeout=PATIENCE_S)
    except grpc.aio.AioRpcError as error:
        details = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
        return error.code().name, plain(str(error.details())), details_of(details)
    return "OK", "", []


def details_of(encoded: str | bytes) -> list[tuple[str, str]]:
    """Organization and message of each detail of an encoded ``google.rpc.Status``."""
    assert isinstance(encoded, bytes)
    found = []
    for part in _repeated(encoded, 3):
        detail = pb.ErrorDetail.FromString(Any.FromString(part).value)
        found.append((detail.msp_id, plain(detail.message)))
    return found


def _repeated(encoded: bytes, field: int) -> list[bytes]:
    """The parts of a message under one field, all of whose fields are numbers or lengths."""
    found, place = [], 0

    def number() -> int:
        nonlocal place
        value = shift = 0
        while True:
            byte = encoded[place]
            place += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while place < len(encoded):
        tag = number()
        if tag & 7 == 0:
            number()
            continue
        length = number()
        if tag >> 3 == field:
            found.append(encoded[place : place + length])
        place += length
    return found


def plain(text: str) -> str:
    """A message without addresses, ids and times."""
    return re.sub(r"127\.0\.0\.1:\d+|timestamp \S+,", "#", told(text))
