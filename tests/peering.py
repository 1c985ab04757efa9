# SPDX-License-Identifier: Apache-2.0
"""A peer for tests, in this process or one of its own, and a client of it."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import grpc.aio

from daemons import Daemon
from fastledger.common.config import load
from fastledger.msp import SigningIdentity
from fastledger.node.peer.node import PeerNode
from fastledger.protos.common.common_pb2 import HeaderType
from fastledger.protos.peer.chaincode_pb2 import ChaincodeInvocationSpec
from fastledger.protos.peer.peer_pb2_grpc import EndorserStub
from fastledger.protos.peer.proposal_pb2 import Proposal, SignedProposal
from fastledger.protos.peer.proposal_response_pb2 import ProposalResponse
from fastledger.protoutil.proposal import create_proposal, create_signed_tx, signed_proposal

DEADLINE_S = 120
_LISTENS = re.compile(r"Started peer with .*address=\[\S+:(\d+)\]")


def folder_of(material: Path, org: str, kind: str, name: str) -> Path:
    """Find an MSP folder in cryptogen's tree: kind is peers or users."""
    domain = f"{org}.example.com"
    separator = "." if kind == "peers" else "@"
    return material / "peerOrganizations" / domain / kind / f"{name}{separator}{domain}" / "msp"


def identity(material: Path, org: str, name: str = "Admin", kind: str = "users") -> SigningIdentity:
    return SigningIdentity.load(folder_of(material, org, kind, name), f"{org.capitalize()}MSP")


def environment(material: Path, org: str, name: str, folder: Path, **more: str) -> dict[str, str]:
    """Set a peer up to listen at free ports, with the keys of `material`."""
    return {
        "CORE_PEER_ID": f"{name}.{org}.example.com",
        "CORE_PEER_LISTENADDRESS": "127.0.0.1:0",
        "CORE_PEER_LOCALMSPID": f"{org.capitalize()}MSP",
        "CORE_PEER_MSPCONFIGPATH": str(folder_of(material, org, "peers", name)),
        "CORE_PEER_FILESYSTEMPATH": str(folder),
        "CORE_OPERATIONS_LISTENADDRESS": "127.0.0.1:0",
        **more,
    }


def overriding(addresses: dict[str, int]) -> str:
    """Put local ports in the place of the orderers that a configuration names."""
    entries = [f'{{"from": "{a}", "to": "127.0.0.1:{p}"}}' for a, p in addresses.items()]
    return f"[{', '.join(entries)}]"


@asynccontextmanager
async def running(environ: dict[str, str]) -> AsyncIterator[PeerNode]:
    """Run a peer in this process."""
    node = PeerNode(load("core", environ=environ))
    await node.start()
    try:
        yield node
    finally:
        await node.stop()


class PeerProcess(Daemon):
    """A peer in a process of its own, to be killed."""

    def __init__(self, environ: dict[str, str]) -> None:
        super().__init__("peer", "node", "start", environ=environ, listens=_LISTENS)


class Client:
    """Proposes as one identity."""

    def __init__(self, port: int, signer: SigningIdentity) -> None:
        self.channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        self._stub = EndorserStub(self.channel)
        self.signer = signer
        self.tx_id = ""
        self.proposal: Proposal | None = None

    async def close(self) -> None:
        await self.channel.close()

    async def call(
        self,
        channel_id: str,
        chaincode: str,
        *args: str | bytes,
        header_type: int = HeaderType.ENDORSER_TRANSACTION,
    ) -> ProposalResponse:
        """Propose an invocation."""
        signed = self.propose(channel_id, chaincode, *args, header_type=header_type)
        return await asyncio.wait_for(self._stub.ProcessProposal(signed), DEADLINE_S)

    def propose(
        self,
        channel_id: str,
        chaincode: str,
        *args: str | bytes,
        header_type: int = HeaderType.ENDORSER_TRANSACTION,
    ) -> SignedProposal:
        """Make a proposal, which `transaction` then is about."""
        spec = ChaincodeInvocationSpec()
        spec.chaincode_spec.chaincode_id.name = chaincode
        encoded = [arg.encode() if isinstance(arg, str) else arg for arg in args]
        spec.chaincode_spec.input.args.extend(encoded)
        proposed = create_proposal(header_type, channel_id, spec, self.signer.serialized)
        self.proposal, self.tx_id = proposed.proposal, proposed.tx_id
        return signed_proposal(proposed.proposal, self.signer)

    async def join(self, block: bytes) -> ProposalResponse:
        """Have the peer join a channel."""
        return await self.call("", "cscc", "JoinChain", block, header_type=HeaderType.CONFIG)

    def transaction(self, responses: Sequence[ProposalResponse]) -> bytes:
        """Make a transaction of the newest proposal."""
        assert self.proposal is not None
        return create_signed_tx(self.proposal, self.signer, responses).SerializeToString()
