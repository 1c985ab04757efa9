# SPDX-License-Identifier: Apache-2.0
"""A user with an identity, and nodes that answer what a test tells them to."""

from collections.abc import Iterator
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest

from fastledger.protos.common.common_pb2 import Block, BlockMetadata, Envelope, Payload, Status
from fastledger.protos.orderer import ab_pb2, ab_pb2_grpc
from fastledger.protos.peer import events_pb2, events_pb2_grpc, peer_pb2_grpc
from fastledger.protos.peer.chaincode_pb2 import ChaincodeInvocationSpec
from fastledger.protos.peer.proposal_pb2 import (
    ChaincodeAction,
    ChaincodeProposalPayload,
    Proposal,
    SignedProposal,
)
from fastledger.protos.peer.proposal_response_pb2 import (
    Endorsement,
    ProposalResponse,
    ProposalResponsePayload,
    Response,
)
from fastledger.tools.cryptogen import generate, spec


@dataclass
class Nodes(
    peer_pb2_grpc.EndorserServicer,
    events_pb2_grpc.DeliverServicer,
    ab_pb2_grpc.AtomicBroadcastServicer,
):
    """A peer and an orderer at one address."""

    address: str = ""
    response: Response = field(default_factory=lambda: Response(status=200, payload=b"100"))
    endorses: bool = True
    refusal: str = ""
    ack: ab_pb2.BroadcastResponse = field(
        default_factory=lambda: ab_pb2.BroadcastResponse(status=Status.SUCCESS)
    )
    code: int = 0
    height: int = 3
    proposals: list[SignedProposal] = field(default_factory=list)
    envelopes: list[Envelope] = field(default_factory=list)

    def args(self, place: int = -1) -> list[bytes]:
        """The arguments of a proposal that came."""
        proposal = Proposal.FromString(self.proposals[place].proposal_bytes)
        payload = ChaincodeProposalPayload.FromString(proposal.payload)
        spec = ChaincodeInvocationSpec.FromString(payload.input).chaincode_spec
        return list(spec.input.args)

    def ProcessProposal(self, request, context):
        self.proposals.append(request)
        if self.refusal:
            context.abort(grpc.StatusCode.UNKNOWN, self.refusal)
        if not self.endorses:
            return ProposalResponse(version=1, response=self.response)
        action = ChaincodeAction(response=self.response)
        payload = ProposalResponsePayload(extension=action.SerializeToString())
        return ProposalResponse(
            version=1,
            response=self.response,
            payload=payload.SerializeToString(),
            endorsement=Endorsement(endorser=b"peer", signature=b"signature"),
        )

    def Broadcast(self, request_iterator, context):
        for envelope in request_iterator:
            self.envelopes.append(envelope)
            yield self.ack

    def Deliver(self, request_iterator, context):
        for envelope in request_iterator:
            info = ab_pb2.SeekInfo.FromString(Payload.FromString(envelope.payload).data)
            newest = info.start.WhichOneof("Type") == "newest"
            number = self.height - 1 if newest else info.start.specified.number
            if number >= self.height:
                yield ab_pb2.DeliverResponse(status=Status.NOT_FOUND)
                return
            block = Block(metadata=BlockMetadata(metadata=[b""] * 5))
            block.header.number = number
            yield ab_pb2.DeliverResponse(block=block)
            yield ab_pb2.DeliverResponse(status=Status.SUCCESS)

    def DeliverFiltered(self, request_iterator, context):
        list(request_iterator)
        yield events_pb2.DeliverResponse(filtered_block=events_pb2.FilteredBlock(number=6))
        while not self.envelopes:
            if not context.is_active():
                return
        proposal = Proposal.FromString(self.proposals[-1].proposal_bytes)
        from fastledger.protos.common.common_pb2 import ChannelHeader, Header

        header = Header.FromString(proposal.header)
        tx_id = ChannelHeader.FromString(header.channel_header).tx_id
        block = events_pb2.FilteredBlock(number=7)
        block.filtered_transactions.add(txid=tx_id, tx_validation_code=self.code)
        yield events_pb2.DeliverResponse(filtered_block=block)


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    """Nodes that run."""
    served = Nodes()
    server = grpc.server(futures.ThreadPoolExecutor(8))
    peer_pb2_grpc.add_EndorserServicer_to_server(served, server)
    events_pb2_grpc.add_DeliverServicer_to_server(served, server)
    ab_pb2_grpc.add_AtomicBroadcastServicer_to_server(served, server)
    served.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield served
    server.stop(None)


@pytest.fixture(scope="session")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The MSP folder of Org1's administrator."""
    folder = tmp_path_factory.mktemp("crypto")
    org = spec.OrgSpec(
        domain="org1.example.com",
        enable_node_ous=True,
        ca=spec.NodeSpec(hostname="ca", common_name="ca.org1.example.com"),
    )
    generate.generate(spec.Config((org,), ()), folder, lambda _: None)
    users = folder / "peerOrganizations/org1.example.com/users"
    return users / "Admin@org1.example.com/msp"


@pytest.fixture
def user(admin: Path, nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user in an empty folder whose environment names admin and nodes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FABRIC_CFG_PATH", raising=False)
    monkeypatch.setenv("CORE_PEER_MSPCONFIGPATH", str(admin))
    monkeypatch.setenv("CORE_PEER_LOCALMSPID", "Org1MSP")
    monkeypatch.setenv("CORE_PEER_ADDRESS", nodes.address)
    return tmp_path
