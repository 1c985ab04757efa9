# SPDX-License-Identifier: Apache-2.0
"""Evaluate, endorse, submit, and wait (``internal/pkg/gateway/api.go``)."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any, TypeAlias

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from fastledger.comm import ServiceLimit
from fastledger.common.errors import FastledgerError
from fastledger.common.shorten import shortened
from fastledger.gateway import events
from fastledger.gateway.endorsing import endorse
from fastledger.gateway.evaluating import evaluate
from fastledger.gateway.failure import GatewayFailed, abort
from fastledger.gateway.peer import GatewayChannel, GatewayPeer, Status
from fastledger.gateway.permit import Permit
from fastledger.gateway.submitting import submit
from fastledger.protos.gateway import gateway_pb2 as pb
from fastledger.protos.gateway import gateway_pb2_grpc
from fastledger.protoutil.envelope import creator_of_envelope
from fastledger.protoutil.signed_data import SignedData
from fastledger.protoutil.unpacked import UnpackedProposal

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Code = grpc.StatusCode


class Gateway(gateway_pb2_grpc.GatewayServicer):
    """The gateway of one peer."""

    def __init__(
        self,
        peer: GatewayPeer,
        *,
        endorsement_timeout_s: float = 30.0,
        broadcast_timeout_s: float = 30.0,
        limit: ServiceLimit | None = None,
    ) -> None:
        """Speak for a peer's clients.

        Args:
            peer: The peer.
            endorsement_timeout_s: ``peer.gateway.endorsementTimeout``, for each other peer.
            broadcast_timeout_s: ``peer.gateway.broadcastTimeout``, for each orderer.
            limit: On calls at a time, ``peer.limits.concurrency.gatewayService``.
        """
        self._limit = limit or ServiceLimit("/gateway.Gateway", 0)
        self._peer = peer
        self._endorsement_timeout_s = endorsement_timeout_s
        self._broadcast_timeout_s = broadcast_timeout_s

    async def Evaluate(self, request: pb.EvaluateRequest, context: _Context) -> pb.EvaluateResponse:
        """Have one peer simulate, and return the result."""
        proposal = UnpackedProposal(request.proposed_transaction.SerializeToString())
        async with self._limit.call(proposal.claimed_creator, context):
            try:
                targets, timeout_s = request.target_organizations, self._endorsement_timeout_s
                return await evaluate(self._peer, proposal, targets, timeout_s)
            except GatewayFailed as failure:
                await abort(context, failure)
                raise

    async def Endorse(self, request: pb.EndorseRequest, context: _Context) -> pb.EndorseResponse:
        """Collect the endorsements that a transaction needs."""
        proposal = UnpackedProposal(request.proposed_transaction.SerializeToString())
        async with self._limit.call(proposal.claimed_creator, context):
            try:
                wanted, timeout_s = request.endorsing_organizations, self._endorsement_timeout_s
                envelope = await endorse(self._peer, proposal, wanted, timeout_s)
            except GatewayFailed as failure:
                await abort(context, failure)
                raise
            return pb.EndorseResponse(prepared_transaction=envelope)

    async def Submit(self, request: pb.SubmitRequest, context: _Context) -> pb.SubmitResponse:
        """Hand a transaction to an orderer."""
        async with self._limit.call(creator_of_envelope(request.prepared_transaction), context):
            try:
                await submit(self._peer, request, self._broadcast_timeout_s)
            except GatewayFailed as failure:
                await abort(context, failure)
            return pb.SubmitResponse()

    async def CommitStatus(
        self, request: pb.SignedCommitStatusRequest, context: _Context
    ) -> pb.CommitStatusResponse:
        """Wait for a transaction's verdict."""
        try:
            asked = _status_request(request)
            async with self._limit.call(asked.identity, context):
                signed = SignedData(request.request, asked.identity, request.signature)
                channel, permit = self._permit("gateway/CommitStatus", asked.channel_id, signed)
                code, number = await _verdict(channel, asked.transaction_id, permit)
        except GatewayFailed as failure:
            await abort(context, failure)
            raise
        return pb.CommitStatusResponse(result=int(code), block_number=number)  # type: ignore[arg-type]

    async def ChaincodeEvents(
        self, request: pb.SignedChaincodeEventsRequest, context: _Context
    ) -> AsyncIterator[pb.ChaincodeEventsResponse]:
        """Stream a chaincode's events, block by block."""
        try:
            asked = _events_request(request)
            async with self._limit.call(asked.identity, context):
                signed = SignedData(request.request, asked.identity, request.signature)
                channel, permit = self._permit("gateway/ChaincodeEvents", asked.channel_id, signed)
                async for response in events.stream(channel, asked, permit):
                    yield response
        except GatewayFailed as failure:
            await abort(context, failure)

    def _permit(
        self, resource: str, channel_id: str, signed: SignedData
    ) -> tuple[GatewayChannel, Permit]:
        """Find a channel, and a client's right to it; who has none does not learn of channels."""
        check = partial(self._authorize, resource, channel_id, signed)
        channel = self._peer.channel(channel_id)
        if channel is None:
            check()
            text = f"channel does not exist: {shortened(channel_id)}"
            raise GatewayFailed(Code.NOT_FOUND, text)
        return channel, Permit(channel, signed.identity, check)

    def _authorize(self, resource: str, channel_id: str, signed: SignedData) -> None:
        try:
            self._peer.check(resource, channel_id, signed)
        except FastledgerError as error:
            raise GatewayFailed(Code.PERMISSION_DENIED, str(error)) from error


async def _verdict(channel: GatewayChannel, tx_id: str, permit: Permit) -> Status:
    """Wait for a transaction's verdict for as long as the client may."""
    found = channel.status_of(tx_id)
    if found is not None:
        return found
    # Asked for before looking again, so that no commit falls in between.
    waiting = channel.await_status(tx_id)
    found = channel.status_of(tx_id)
    if found is None:
        return await permit.wait(waiting)
    waiting.cancel()
    return found


def _status_request(request: pb.SignedCommitStatusRequest) -> pb.CommitStatusRequest:
    if not request.request:
        raise GatewayFailed(Code.INVALID_ARGUMENT, "a commit status request is required")
    try:
        asked = pb.CommitStatusRequest.FromString(request.request)
    except DecodeError as error:
        text = f"invalid status request: {error}"
        raise GatewayFailed(Code.INVALID_ARGUMENT, text) from error
    for is_missing, text in (
        (not asked.identity, "no identity provided"),
        (not asked.channel_id, "no channel ID provided"),
        (not asked.transaction_id, "transaction ID should not be empty"),
    ):
        if is_missing:
            raise GatewayFailed(Code.INVALID_ARGUMENT, text)
    return asked


def _events_request(request: pb.SignedChaincodeEventsRequest) -> pb.ChaincodeEventsRequest:
    if not request.request:
        raise GatewayFailed(Code.INVALID_ARGUMENT, "a chaincode events request is required")
    try:
        return pb.ChaincodeEventsRequest.FromString(request.request)
    except DecodeError as error:
        text = f"invalid chaincode events request: {error}"
        raise GatewayFailed(Code.INVALID_ARGUMENT, text) from error
