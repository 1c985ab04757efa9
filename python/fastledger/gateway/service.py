# SPDX-License-Identifier: Apache-2.0
"""Evaluate, endorse, submit, and wait (``internal/pkg/gateway/api.go``)."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any, TypeAlias

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from fastledger.comm import ServiceLimit
from fastledger.common.errors import ConnectionFailed, FastledgerError
from fastledger.common.shorten import shortened
from fastledger.gateway import endorsing, events
from fastledger.gateway.failure import GatewayFailed, abort
from fastledger.gateway.peer import GatewayChannel, GatewayPeer, Status
from fastledger.gateway.permit import Permit
from fastledger.gateway.plan import Endorser
from fastledger.protos.common import common_pb2
from fastledger.protos.gateway import gateway_pb2 as pb
from fastledger.protos.gateway import gateway_pb2_grpc
from fastledger.protos.peer.proposal_pb2 import SignedProposal
from fastledger.protos.peer.proposal_response_pb2 import ProposalResponse
from fastledger.protoutil.envelope import creator_of_envelope
from fastledger.protoutil.proposal import creator_of
from fastledger.protoutil.signed_data import SignedData

ERROR_THRESHOLD = 400

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
            endorsement_timeout_s: ``peer.gateway.endorsementTimeout``.
            broadcast_timeout_s: ``peer.gateway.broadcastTimeout``.
            limit: On calls at a time, ``peer.limits.concurrency.gatewayService``.
        """
        self._limit = limit or ServiceLimit("/gateway.Gateway", 0)
        self._peer = peer
        self._endorsement_timeout_s = endorsement_timeout_s
        self._broadcast_timeout_s = broadcast_timeout_s

    async def Evaluate(self, request: pb.EvaluateRequest, context: _Context) -> pb.EvaluateResponse:
        """Simulate here and return the result."""
        async with self._limit.call(creator_of(request.proposed_transaction), context):
            try:
                return await self._evaluate(request)
            except FastledgerError as error:
                await abort(context, _failure(error, self._peer))
                raise

    async def Endorse(self, request: pb.EndorseRequest, context: _Context) -> pb.EndorseResponse:
        """Collect the endorsements that a transaction needs."""
        async with self._limit.call(creator_of(request.proposed_transaction), context):
            return await self._endorse(request, context)

    async def _endorse(self, request: pb.EndorseRequest, context: _Context) -> pb.EndorseResponse:
        try:
            if not request.HasField("proposed_transaction"):
                raise GatewayFailed(
                    Code.INVALID_ARGUMENT, "the proposed transaction must contain a signed proposal"
                )
            channel = self._channel(request.channel_id)
            async with asyncio.timeout(self._endorsement_timeout_s):
                envelope = await endorsing.endorse(self._peer, channel, request)
            return pb.EndorseResponse(prepared_transaction=envelope)
        except TimeoutError:
            error = GatewayFailed(
                Code.DEADLINE_EXCEEDED, "endorsement timeout expired while collecting endorsements"
            )
            await abort(context, error)
            raise
        except FastledgerError as error:
            await abort(context, _failure(error, self._peer))
            raise

    async def Submit(self, request: pb.SubmitRequest, context: _Context) -> pb.SubmitResponse:
        """Hand a transaction to an orderer."""
        async with self._limit.call(creator_of_envelope(request.prepared_transaction), context):
            try:
                await self._submit(request)
            except FastledgerError as error:
                await abort(context, _failure(error, self._peer))
            return pb.SubmitResponse()

    async def CommitStatus(
        self, request: pb.SignedCommitStatusRequest, context: _Context
    ) -> pb.CommitStatusResponse:
        """Wait for a transaction's verdict."""
        try:
            asked = pb.CommitStatusRequest.FromString(request.request)
        except DecodeError as error:
            await context.abort(Code.INVALID_ARGUMENT, f"invalid status request: {error}")
            raise
        async with self._limit.call(asked.identity, context):
            try:
                channel = self._channel(asked.channel_id)
                signed = SignedData(request.request, asked.identity, request.signature)
                permit = self._permit("gateway/CommitStatus", channel, signed)
                code, number = await _verdict(channel, asked.transaction_id, permit)
            except FastledgerError as error:
                await abort(context, _failure(error, self._peer))
                raise
            return pb.CommitStatusResponse(result=int(code), block_number=number)  # type: ignore[arg-type]

    async def ChaincodeEvents(
        self, request: pb.SignedChaincodeEventsRequest, context: _Context
    ) -> AsyncIterator[pb.ChaincodeEventsResponse]:
        """Stream a chaincode's events, block by block."""
        try:
            asked = pb.ChaincodeEventsRequest.FromString(request.request)
        except DecodeError as error:
            await context.abort(
                Code.INVALID_ARGUMENT, f"failed to unmarshal chaincode events request: {error}"
            )
        async with self._limit.call(asked.identity, context):
            try:
                channel = self._channel(asked.channel_id)
                signed = SignedData(request.request, asked.identity, request.signature)
                permit = self._permit("gateway/ChaincodeEvents", channel, signed)
                async for response in events.stream(channel, asked, permit):
                    yield response
            except FastledgerError as error:
                await abort(context, _failure(error, self._peer))

    async def _evaluate(self, request: pb.EvaluateRequest) -> pb.EvaluateResponse:
        if not request.HasField("proposed_transaction"):
            raise GatewayFailed(
                Code.INVALID_ARGUMENT, "failed to unpack transaction proposal: no proposal"
            )
        proposal = request.proposed_transaction
        asks = endorsing.unpack(proposal)
        channel = self._peer.channel(asks.channel_id)
        if channel is None:
            channel_id = shortened(asks.channel_id)
            raise GatewayFailed(
                Code.UNAVAILABLE,
                f"failed to get config for channel [{channel_id}]: could not get last "
                f"config for channel {channel_id}",
            )
        wanted = set(request.target_organizations)
        if asks.has_transient and not wanted:
            wanted = {self._peer.mspid}
        asked = [
            one for one in channel.endorsers(asks.chaincode) if not wanted or one.mspid in wanted
        ]
        if not asked:
            raise GatewayFailed(
                Code.FAILED_PRECONDITION,
                f"no peers available to evaluate chaincode {asks.chaincode} in channel "
                f"{channel.id}",
            )
        answer, endorser = await self._evaluated(channel, asked, proposal)
        if answer.response.status >= ERROR_THRESHOLD:
            raise _unsuccessful(channel, asks.chaincode, endorser, answer)
        return pb.EvaluateResponse(result=answer.response)

    async def _evaluated(
        self, channel: GatewayChannel, asked: Sequence[Endorser], proposal: SignedProposal
    ) -> tuple[ProposalResponse, Endorser]:
        """Return the first result; another peer is asked only where one cannot be reached."""
        details: list[pb.ErrorDetail] = []
        for endorser in asked:
            try:
                answer = await endorsing.process(self._peer, channel, endorser, proposal)
            except (ConnectionFailed, grpc.aio.AioRpcError) as error:
                text = endorsing.text_of(error)
                details.append(
                    pb.ErrorDetail(address=endorser.address, msp_id=endorser.mspid, message=text)
                )
                continue
            return answer, endorser
        raise GatewayFailed(
            Code.UNAVAILABLE,
            "failed to evaluate transaction, see attached details for more info",
            details,
        )

    async def _submit(self, request: pb.SubmitRequest) -> None:
        if not request.HasField("prepared_transaction"):
            raise GatewayFailed(Code.INVALID_ARGUMENT, "a prepared transaction is required")
        if not request.prepared_transaction.signature:
            raise GatewayFailed(Code.INVALID_ARGUMENT, "prepared transaction must be signed")
        channel = self._channel(request.channel_id)
        addresses = channel.orderers()
        if not addresses:
            raise GatewayFailed(Code.UNAVAILABLE, "no orderer nodes available")
        encoded = request.prepared_transaction.SerializeToString()
        details = []
        for address in addresses:
            try:
                async with asyncio.timeout(self._broadcast_timeout_s):
                    answer = await channel.broadcaster(address).send(encoded)
            except FastledgerError as error:
                details.append(pb.ErrorDetail(address=address, message=str(error)))
                continue
            except TimeoutError:
                late = (
                    f"no answer within {self._broadcast_timeout_s:g} s; the transaction may have "
                    "been ordered"
                )
                details.append(pb.ErrorDetail(address=address, message=late))
                continue
            if answer.status == common_pb2.SUCCESS:
                return
            name = common_pb2.Status.Name(answer.status)
            details.append(pb.ErrorDetail(address=address, message=f"{name}: {answer.info}"))
            if answer.status < common_pb2.INTERNAL_SERVER_ERROR:
                raise GatewayFailed(
                    Code.ABORTED,
                    f"received unsuccessful response from orderer: status={name}, "
                    f"info={answer.info}",
                    details,
                )
        raise GatewayFailed(
            Code.UNAVAILABLE,
            "no orderers could successfully process transaction",
            details,
        )

    def _channel(self, channel_id: str) -> GatewayChannel:
        channel = self._peer.channel(channel_id)
        if channel is None:
            raise GatewayFailed(Code.NOT_FOUND, f"channel '{shortened(channel_id)}' not found")
        return channel

    def _permit(self, resource: str, channel: GatewayChannel, signed: SignedData) -> Permit:
        check = partial(self._authorize, resource, channel.id, signed)
        return Permit(channel, signed.identity, check)

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


def _unsuccessful(
    channel: GatewayChannel, chaincode: str, endorser: Endorser, answer: ProposalResponse
) -> GatewayFailed:
    if not channel.has_chaincode(chaincode):
        return GatewayFailed(
            Code.FAILED_PRECONDITION,
            f"no peers available to evaluate chaincode {chaincode} in channel {channel.id}",
        )
    message = f"chaincode response {answer.response.status}, {answer.response.message}"
    detail = pb.ErrorDetail(address=endorser.address, msp_id=endorser.mspid, message=message)
    return GatewayFailed(
        Code.UNKNOWN, f"evaluate call to endorser returned error: {message}", [detail]
    )


def _failure(error: FastledgerError, peer: GatewayPeer) -> GatewayFailed:
    """Say of a refusal which peer it came from."""
    if isinstance(error, GatewayFailed):
        return error
    detail = pb.ErrorDetail(address=peer.address, msp_id=peer.mspid, message=str(error))
    return GatewayFailed(Code.FAILED_PRECONDITION, str(error), [detail])
