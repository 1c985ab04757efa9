# SPDX-License-Identifier: Apache-2.0
"""The peer as its gateway sees it."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from fastledger.channelconfig import Bundle
from fastledger.committer.notifier import Status
from fastledger.committer.puller import Connector
from fastledger.common.errors import NotFound, PolicyUnsatisfied
from fastledger.deliver import PreparedBlocks
from fastledger.discovery.endorsement import EndorsementAnalyzer
from fastledger.endorser.acl import AccessDenied, AclProvider
from fastledger.endorser.definitions import SYSTEM_CHAINCODES
from fastledger.endorser.endorser import Endorser
from fastledger.endorser.proposal import ProposalFiltered
from fastledger.gateway.connections import Connections
from fastledger.gateway.peer import Unheard
from fastledger.gateway.registry import Own, Registry
from fastledger.gossip.gossip import Gossip
from fastledger.gossip.messages import pki_id_of
from fastledger.ledger.views import LIFECYCLE
from fastledger.node.peer.channel import Connect, Overrides, PeerChannel
from fastledger.node.peer.channels import PeerChannels
from fastledger.node.peer.gossip import GossipDialler
from fastledger.protos.peer.proposal_response_pb2 import ProposalResponse
from fastledger.protoutil.proposal_response import answer_bytes
from fastledger.protoutil.signed_data import SignedData
from fastledger.protoutil.unpacked import UnpackedProposal


@dataclass(frozen=True, slots=True)
class Network:
    """The other peers, as one peer knows them.

    Attributes:
        gossip: Who is there.
        analyzer: Who endorses.
        dialler: How to get there.
        mspid: The peer's own organization.
        address: Where it is served itself.
        runs: Whether the peer itself has a channel's chaincode.
    """

    gossip: Gossip
    analyzer: EndorsementAnalyzer
    dialler: GossipDialler
    mspid: str
    address: str
    runs: Callable[[PeerChannel, str], bool]


class GatewayView:
    """One channel, with the ways to its orderers and peers."""

    def __init__(
        self,
        channel: PeerChannel,
        network: "Network",
        connector: Connector,
        overrides: Overrides,
    ) -> None:
        """Look at a channel."""
        gossip, dialler = network.gossip, network.dialler
        self._channel = channel
        self._overrides = overrides
        self._connections = Connections(connector.connect, dialler.connect)
        registry = Registry(
            Own(
                gossip.own_id,
                network.address,
                network.mspid,
                lambda: channel.height,
                partial(network.runs, channel),
            ),
            partial(gossip.of_channel, channel.id),
            partial(network.analyzer.peers_for_endorsement, channel.id),
            pki_id_of,
            SYSTEM_CHAINCODES,
        )
        self.endorsers = registry.endorsers
        self.endorsers_for = registry.endorsers_for
        self.broadcaster = self._connections.broadcaster
        self.connect_peer = self._connections.peer
        self.peer_failed = self._connections.peer_failed
        self.close = self._connections.close

    @property
    def id(self) -> str:
        """Its name."""
        return self._channel.id

    @property
    def bundle(self) -> Bundle:
        """Its configuration."""
        return self._channel.bundle

    @property
    def height(self) -> int:
        """Blocks that are committed."""
        return self._channel.height

    async def wait(self, height: int) -> None:
        """Return when there are so many blocks."""
        await self._channel.wait(height)

    @property
    def blocks(self) -> PreparedBlocks:
        """The blocks below the height."""
        return self._channel.blocks

    def status_of(self, tx_id: str) -> Status | None:
        """Read a committed transaction's verdict; what is not durable yet does not count."""
        if not self._channel.ledger.has_transaction(tx_id):
            return None
        try:
            found = self._channel.ledger.transaction(tx_id)
        except NotFound:
            return None
        return (found.code, found.version.block) if found.version.block < self.height else None

    def reconfiguration(self) -> "asyncio.Future[None]":
        """Await the next configuration."""
        return self._channel.notifier.reconfiguration()

    def await_status(self, tx_id: str) -> "asyncio.Future[Status]":
        """Await a transaction."""
        return self._channel.notifier.status(tx_id)

    def block_of(self, tx_id: str) -> int | None:
        """Number of the block that has a transaction; None when there is none."""
        found = self.status_of(tx_id)
        return None if found is None else found[1]

    def orderers(self) -> Sequence[tuple[str, str]]:
        """Addresses of the orderers, each with its organization, if that is known."""
        orderer = self.bundle.orderer
        orgs = orderer.orgs.items() if orderer else ()
        owners = {endpoint: mspid for mspid, org in orgs for endpoint in org.endpoints}
        addresses = self.bundle.orderer_addresses
        return [
            (real, owners.get(address, ""))
            for address, real in zip(addresses, self._overrides(addresses), strict=True)
        ]

    def defines(self, chaincode: str) -> bool:
        """Whether the channel itself has a policy for a chaincode; for the system's it has none."""
        with closing(self._channel.ledger.view()) as view:
            return chaincode == LIFECYCLE or view.definition(chaincode) is not None

    def is_endorsed(self, chaincode: str, endorsements: Sequence[SignedData]) -> bool:
        """Whether endorsements satisfy the policy of the chaincode that is called."""
        with closing(self._channel.ledger.view()) as view:
            policy = self.bundle.endorsement_policy(view, chaincode)
        if policy is None:
            return False
        try:
            self.bundle.evaluate_application_policy(policy, endorsements)
        except PolicyUnsatisfied:
            return False
        return True


class GatewayFace:
    """One peer."""

    def __init__(
        self,
        channels: PeerChannels,
        endorser: Endorser,
        acl: AclProvider,
        network: Network,
        connect: Connect,
        overrides: Overrides,
    ) -> None:
        """Speak for a peer."""
        self._channels = channels
        self._endorser = endorser
        self._acl = acl
        self._connect = connect
        self._overrides = overrides
        self._views: dict[str, GatewayView] = {}
        self._network = network
        self.mspid = network.mspid
        self.address = network.address

    def channel(self, channel_id: str) -> GatewayView | None:
        """Find a channel that the peer has joined."""
        view = self._views.get(channel_id)
        if view is None:
            channel = self._channels.channel(channel_id)
            if channel is None:
                return None
            view = GatewayView(channel, self._network, self._connect(channel), self._overrides)
            self._views[channel_id] = view
        return view

    async def close(self) -> None:
        """Hang up on everybody."""
        for view in self._views.values():
            await view.close()

    async def endorse(self, proposal: UnpackedProposal) -> ProposalResponse:
        """Endorse a proposal; raises when it is refused, Unheard when it is turned away."""
        try:
            return ProposalResponse.FromString(answer_bytes(await self._endorser.process(proposal)))
        except ProposalFiltered as error:
            raise Unheard(str(error)) from error

    def check(self, resource: str, channel_id: str, signed: SignedData) -> None:
        """Return when whoever signed may use a resource."""
        if not channel_id:
            raise AccessDenied(
                "Invalid channel ID name during check policy on signed data. Name must be "
                "different from nil."
            )
        self._acl.check(resource, channel_id, signed)
