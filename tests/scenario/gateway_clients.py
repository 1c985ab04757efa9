# SPDX-License-Identifier: Apache-2.0
"""Clients of a peer's gateway, each with a connection of its own, and what they ask."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastledger.client.endorsement import invocation
from fastledger.client.target import Target
from fastledger.comm import ClientTls, GrpcChannel
from fastledger.msp import SigningIdentity
from fastledger.network.plan import Node
from fastledger.protos.common.common_pb2 import Envelope, HeaderType
from fastledger.protos.gateway import gateway_pb2 as pb
from fastledger.protos.gateway.gateway_pb2_grpc import GatewayStub
from fastledger.protoutil.proposal import Proposed, create_proposal, signed_proposal

if TYPE_CHECKING:
    from fastledger.protos.gateway.gateway_pb2_grpc import GatewayAsyncStub

CHANNEL = "mychannel"


@dataclass
class GatewayClient:
    """One user at one gateway."""

    channel: GrpcChannel
    signer: SigningIdentity

    @property
    def stub(self) -> "GatewayAsyncStub":
        return GatewayStub(self.channel)

    def _propose(self, chaincode: str, args: tuple[str, ...]) -> Proposed:
        spec = invocation(chaincode, [one.encode() for one in args])
        kind = HeaderType.ENDORSER_TRANSACTION
        return create_proposal(kind, CHANNEL, spec, self.signer.serialized)

    async def evaluate(self, chaincode: str, *args: str) -> bytes:
        proposal = signed_proposal(self._propose(chaincode, args).proposal, self.signer)
        request = pb.EvaluateRequest(channel_id=CHANNEL, proposed_transaction=proposal)
        answer = await self.stub.Evaluate(request)
        return answer.result.payload

    async def transact(self, chaincode: str, *args: str) -> int:
        """Have a transaction endorsed, ordered and committed; return its code."""
        proposed = self._propose(chaincode, args)
        request = pb.EndorseRequest(
            transaction_id=proposed.tx_id,
            channel_id=CHANNEL,
            proposed_transaction=signed_proposal(proposed.proposal, self.signer),
        )
        envelope = (await self.stub.Endorse(request)).prepared_transaction
        envelope.signature = self.signer.sign(envelope.payload)
        await self.submit(envelope)
        return (await self.status(proposed.tx_id)).result

    async def submit(self, envelope: Envelope) -> None:
        request = pb.SubmitRequest(channel_id=CHANNEL, prepared_transaction=envelope)
        await self.stub.Submit(request)

    async def status(self, tx_id: str) -> pb.CommitStatusResponse:
        asked = pb.CommitStatusRequest(
            transaction_id=tx_id, channel_id=CHANNEL, identity=self.signer.serialized
        ).SerializeToString()
        signature = self.signer.sign(asked)
        signed = pb.SignedCommitStatusRequest(request=asked, signature=signature)
        return await self.stub.CommitStatus(signed)

    async def first_event(self, chaincode: str) -> pb.ChaincodeEventsResponse:
        """Wait for an event of a chaincode."""
        asked = pb.ChaincodeEventsRequest(
            channel_id=CHANNEL, chaincode_id=chaincode, identity=self.signer.serialized
        ).SerializeToString()
        signature = self.signer.sign(asked)
        signed = pb.SignedChaincodeEventsRequest(request=asked, signature=signature)
        async for response in self.stub.ChaincodeEvents(signed):
            return response
        raise AssertionError("the stream ended well")


@asynccontextmanager
async def gateway_client(node: Node, signer: SigningIdentity) -> AsyncIterator[GatewayClient]:
    """Connect a user to a peer's gateway."""
    target = Target(node.address, ClientTls(node.tls_root.read_bytes()))
    async with await target.connect("gateway") as channel:
        yield GatewayClient(channel, signer)
