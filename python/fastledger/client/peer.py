# SPDX-License-Identifier: Apache-2.0
"""Calls to a peer."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import grpc.aio

from fastledger.client.connection import Connection
from fastledger.client.stream import BlockStream
from fastledger.client.target import Target, rpc_failed
from fastledger.comm import GrpcChannel
from fastledger.common.errors import ConnectionFailed, DeliverEnded
from fastledger.protos.common.common_pb2 import Envelope, Status
from fastledger.protos.peer.events_pb2 import DeliverResponse, FilteredBlock
from fastledger.protos.peer.events_pb2_grpc import DeliverStub
from fastledger.protos.peer.peer_pb2_grpc import EndorserStub
from fastledger.protos.peer.proposal_pb2 import SignedProposal
from fastledger.protos.peer.proposal_response_pb2 import ProposalResponse
from fastledger.protoutil.seek import NEWEST, NO_END, seek, specified
from fastledger.protoutil.signer import Signer

BEGIN_TIMEOUT_S = 10.0
"""A peer that does not begin to deliver for so long does not deliver at all."""


class Peer(Connection):
    """A connection to a peer; use it as a context, or close it."""

    def __init__(self, target: Target, channel: GrpcChannel) -> None:
        """Take over a channel."""
        super().__init__(target, channel)
        self._endorser = EndorserStub(channel)
        self._deliver = DeliverStub(channel)

    @staticmethod
    async def connect(target: Target, kind: str = "endorser") -> "Peer":
        """Dial; raises ConnectionFailed."""
        return Peer(target, await target.connect(kind))

    async def process_proposal(self, proposal: SignedProposal) -> ProposalResponse:
        """Have a proposal simulated and endorsed.

        Raises:
            RpcFailed: The peer refused it before simulation, or is gone.
        """
        try:
            response: ProposalResponse = await self._endorser.ProcessProposal(proposal)
        except grpc.aio.AioRpcError as error:
            raise rpc_failed(error) from error
        return response

    def blocks(self, channel_id: str, signer: Signer, *, best_effort: bool = False) -> BlockStream:
        """Open a stream for blocks by number."""
        return BlockStream(
            self._deliver.Deliver(),
            channel_id,
            signer,
            self.target.certificate_hash,
            best_effort=best_effort,
        )

    async def filtered_blocks(self, channel_id: str, signer: Signer) -> "FilteredBlocks":
        """Ask for filtered blocks from the newest on: all that come after this are among them.

        Raises:
            ConnectionFailed: The peer does not begin in time.
            RpcFailed: It is gone.
        """
        call = self._deliver.DeliverFiltered()
        envelope = seek(NEWEST, NO_END, channel_id, signer, self.target.certificate_hash)
        try:
            async with asyncio.timeout(BEGIN_TIMEOUT_S):
                return await _begun(call, envelope)
        except TimeoutError:
            raise ConnectionFailed(
                f"{self.target.address} has not begun to deliver blocks of {channel_id} within "
                f"{BEGIN_TIMEOUT_S:g} s"
            ) from None

    async def full_blocks(
        self, channel_id: str, signer: Signer, start: int
    ) -> AsyncIterator[bytes]:
        """Yield whole blocks, as bytes, from a number on."""
        call = self._deliver.Deliver()
        await call.write(
            seek(specified(start), NO_END, channel_id, signer, self.target.certificate_hash)
        )
        try:
            async for response in call:
                if response.WhichOneof("Type") == "status":
                    raise DeliverEnded(Status.Name(response.status))
                yield response.block.SerializeToString()
        except grpc.aio.AioRpcError as error:
            raise rpc_failed(error) from error
        finally:
            call.cancel()


_Call: TypeAlias = "grpc.aio.StreamStreamCall[Envelope, DeliverResponse]"


async def _begun(call: _Call, envelope: Envelope) -> "FilteredBlocks":
    """Wait for the newest block: only then is it certain that no later one is newest."""
    try:
        await call.write(envelope)
        await call.done_writing()
        first = await call.read()
    except grpc.aio.AioRpcError as error:
        raise rpc_failed(error) from error
    return FilteredBlocks(call, first)


class FilteredBlocks:
    """A stream of filtered blocks that has begun."""

    def __init__(self, call: _Call, first: Any) -> None:
        """Take over the call, and what has come of it."""
        self._call = call
        self._first = first

    async def __aiter__(self) -> AsyncIterator[FilteredBlock]:
        """Yield the blocks as they are committed.

        Raises:
            DeliverEnded: The peer ended the stream.
            RpcFailed: The call failed.
        """
        response = self._first
        try:
            while response is not grpc.aio.EOF:
                if response.WhichOneof("Type") != "filtered_block":
                    raise DeliverEnded(Status.Name(response.status))
                yield response.filtered_block
                response = await self._call.read()
        except grpc.aio.AioRpcError as error:
            raise rpc_failed(error) from error

    async def commit(self, tx_id: str) -> tuple[int, int]:
        """Wait for a transaction; return its block's number and its validation code."""
        async for block in self:
            for transaction in block.filtered_transactions:
                if transaction.txid == tx_id:
                    return block.number, transaction.tx_validation_code
        raise DeliverEnded("UNKNOWN")

    def cancel(self) -> None:
        """End the stream."""
        self._call.cancel()


async def commit_everywhere(
    streams: list[FilteredBlocks], tx_id: str, timeout_s: float
) -> list[tuple[int, int]]:
    """Wait until all peers have committed a transaction; raises TimeoutError."""
    async with asyncio.timeout(timeout_s):
        return await asyncio.gather(*(stream.commit(tx_id) for stream in streams))
