# SPDX-License-Identifier: Apache-2.0
"""A chaincode on a network whose nodes may be anybody's: run as a service, installed, defined."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fastledger.chaincode import package as packages
from fastledger.common.codes import TxValidationCode as Code
from fastledger.common.errors import BroadcastRefused
from fastledger.network import deployment
from fastledger.network.plan import Node, Org, Plan
from fastledger.network.session import Session
from fastledger.policies import from_string
from fastledger.protos.peer.collection_pb2 import CollectionConfigPackage
from fastledger.protos.peer.lifecycle import lifecycle_pb2 as lb
from fastledger.protos.peer.policy_pb2 import ApplicationPolicy
from real_nodes import answers
from waiting import elapse, wait_until

MIXED = Path(__file__).parent / "mixed"
PATIENCE_S = 120

Arguments = lb.ApproveChaincodeDefinitionForMyOrgArgs | lb.CommitChaincodeDefinitionArgs


@dataclass(frozen=True)
class Definition:
    """What the organizations agree on about a chaincode."""

    sequence: int
    package_id: str
    policy: str = ""
    name: str = "mixed"
    collections: CollectionConfigPackage = field(default_factory=CollectionConfigPackage)

    def fill(self, args: Arguments) -> bytes:
        """Encode the arguments of an approval or a commit."""
        args.name, args.version, args.sequence = self.name, "1.0", self.sequence
        if self.collections.config:
            args.collections.CopyFrom(self.collections)
        if self.policy:
            policy = ApplicationPolicy(signature_policy=from_string(self.policy))
            args.validation_parameter = policy.SerializeToString()
        return args.SerializeToString()


def first_peers(plan: Plan) -> list[Node]:
    """Those that endorse: one of each organization, and of each kind."""
    return [org.peers[0] for org in plan.organizations]


async def join(session: Session) -> None:
    """Let the orderer and the first peers have the channel."""
    await asyncio.to_thread(deployment.join_orderer, session.plan, session.plan.orderer)
    for org in session.plan.organizations:
        await deployment.join_peer(session, org, org.peers[0])


async def install(session: Session, content: bytes) -> None:
    """Install a package on the first peers."""
    for org in session.plan.organizations:
        await deployment.install(session, org, org.peers[0], content)


async def define(session: Session, definition: Definition) -> None:
    """Approve and commit; a real orderer that has just joined takes a moment to elect itself."""
    for org in session.plan.organizations:
        args = lb.ApproveChaincodeDefinitionForMyOrgArgs()
        args.source.local_package.package_id = definition.package_id
        encoded = definition.fill(args)
        name = b"ApproveChaincodeDefinitionForMyOrg"
        await _ordered(session, org, org.peers[:1], name, encoded)
    encoded = definition.fill(lb.CommitChaincodeDefinitionArgs())
    plan = session.plan
    name = b"CommitChaincodeDefinition"
    await _ordered(session, plan.organizations[0], first_peers(plan), name, encoded)


async def _ordered(
    session: Session, org: Org, peers: Sequence[Node], function: bytes, args: bytes
) -> None:
    """Have a call to `_lifecycle` endorsed, ordered, and committed by all as valid."""
    signer = session.identity(org, "Admin")
    async with asyncio.timeout(PATIENCE_S):
        while True:
            answer = await session.endorse(signer, peers, "_lifecycle", [function, args])
            try:
                _, code = await session.submit(signer, answer, first_peers(session.plan))
            except BroadcastRefused as refusal:
                assert "no Raft leader" in str(refusal)
                await elapse(0.2, "before it is sent again: a leader is being elected")
            else:
                assert code == Code.VALID
                return


def service_package(address: str, label: str = "mixed_1.0") -> bytes:
    """A package that says where the chaincode listens."""
    connection = {"address": address, "dial_timeout": "10s", "tls_required": False}
    code = packages.tar_gz({"connection.json": json.dumps(connection).encode()})
    return packages.assemble(label, "ccaas", code)


@contextmanager
def service(
    package_id: str, address: str, folder: Path = MIXED
) -> "Iterator[subprocess.Popen[bytes]]":
    """Run the chaincode of a folder for all peers."""
    env = os.environ | {"CHAINCODE_ID": package_id, "CHAINCODE_SERVER_ADDRESS": address}
    command = [sys.executable, "-m", "fastledger.shim", "start", "chaincode"]
    process = subprocess.Popen(command, cwd=folder, env=env)
    try:
        # Fabric's peers dial once.
        wait_until(lambda: answers(int(address.rpartition(":")[2])), PATIENCE_S)
        yield process
    finally:
        process.kill()
        process.wait()
