# SPDX-License-Identifier: Apache-2.0
"""What the gateway needs of the peer that it is part of."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Protocol

from fastledger.channelconfig import Bundle
from fastledger.comm import Broadcaster, GrpcChannel
from fastledger.common.codes import TxValidationCode
from fastledger.common.errors import FastledgerError
from fastledger.deliver import PreparedBlocks
from fastledger.gateway.plan import Endorsers, EndorsingPeer
from fastledger.protos.peer.proposal_response_pb2 import ChaincodeInterest, ProposalResponse
from fastledger.protoutil.signed_data import SignedData
from fastledger.protoutil.unpacked import UnpackedProposal

Status = tuple[TxValidationCode, int]


class GatewayChannel(Protocol):
    """A channel of the peer."""

    @property
    def id(self) -> str:
        """Its name."""

    @property
    def bundle(self) -> Bundle:
        """Its configuration."""

    @property
    def height(self) -> int:
        """Blocks that are committed."""

    async def wait(self, height: int) -> None:
        """Return when there are so many blocks."""

    @property
    def blocks(self) -> PreparedBlocks:
        """The blocks below the height."""

    def status_of(self, tx_id: str) -> "Status | None":
        """Read a committed transaction's verdict."""

    def await_status(self, tx_id: str) -> "asyncio.Future[Status]":
        """Await the verdict of a transaction that is not committed yet.

        Whoever gives up waiting cancels the future.
        """

    def reconfiguration(self) -> "asyncio.Future[None]":
        """Await the next configuration; it is one future for all, which nobody cancels."""

    def defines(self, chaincode: str) -> bool:
        """Whether the channel itself has a policy for a chaincode; for the system's it has none."""

    def is_endorsed(self, chaincode: str, endorsements: Sequence[SignedData]) -> bool:
        """Whether endorsements satisfy a chaincode's policy, as far as can be said here."""

    def block_of(self, tx_id: str) -> int | None:
        """Number of the block that has a transaction; None when there is none."""

    def orderers(self) -> Sequence[tuple[str, str]]:
        """Addresses of the orderers, each with its organization, if that is known."""

    def broadcaster(self, address: str) -> Broadcaster:
        """The stream to an orderer."""

    def connect_peer(self, address: str) -> Awaitable[GrpcChannel]:
        """Return the connection to another peer of the channel; it is shared, nobody closes it."""

    async def peer_failed(self, address: str) -> None:
        """Forget the connection to a peer if it is gone; others go on to use one that stands."""

    def endorsers(self, chaincode: str) -> Sequence[EndorsingPeer]:
        """Who has a chaincode: peers of the own organization first, then by their heights."""

    def endorsers_for(self, interest: ChaincodeInterest) -> Endorsers:
        """Who has to endorse what touches chaincodes, collections and keys.

        Raises:
            FastledgerError: The peers that are known do not suffice.
        """


class Unheard(FastledgerError):
    """A proposal that the peer turned away before it looked at it.

    To Fabric's gateway that is a peer which is not there: another one may listen.
    """


class GatewayPeer(Protocol):
    """The peer."""

    @property
    def mspid(self) -> str:
        """Its organization."""

    @property
    def address(self) -> str:
        """Where it is served."""

    def channel(self, channel_id: str) -> GatewayChannel | None:
        """Find a channel that the peer has joined."""

    async def endorse(self, proposal: UnpackedProposal) -> ProposalResponse:
        """Endorse a proposal; raises when it is refused, Unheard when it is turned away."""

    def check(self, resource: str, channel_id: str, signed: SignedData) -> None:
        """Return when whoever signed may use a resource."""
