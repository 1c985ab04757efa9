# SPDX-License-Identifier: Apache-2.0
"""The peer as its gateway sees it."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import grpc.aio

from fastledger.channelconfig import Bundle
from fastledger.comm import Broadcaster, GrpcChannel
from fastledger.committer.notifier import Status
from fastledger.committer.puller import Connector
from fastledger.common.errors import NotFound, PolicyUnsatisfied
from fastledger.deliver import PreparedBlocks
from fastledger.discovery.endorsement import EndorsementAnalyzer
from fastledger.endorser.acl import AccessDenied, AclProvider
from fastledger.endorser.definitions import SYSTEM_CHAINCODES
from fastledger.endorser.endorser import Endorser as OwnEndorser
from fastledger.endorser.lifecycle import definition
from fastledger.endorser.proposal import ProposalFiltered
from fastledger.endorser.states import ViewState
from fastledger.gateway.peer import Unheard
from fastledger.gateway.plan import Endorser, Endorsers, best_first
from fastledger.gossip.gossip import Gossip
from fastledger.gossip.members import ChannelMember
from fastledger.gossip.messages import pki_id_of
from fastledger.node.peer.channel import Connect, Overrides, PeerChannel
from fastledger.node.peer.channels import PeerChannels
from fastledger.node.peer.gossip import GossipDialler
from fastledger.policies import n_out_of_role
from fastledger.protos.core.ccprovider_pb2 import ChaincodeData
from fastledger.protos.peer.proposal_response_pb2 import ChaincodeInterest, ProposalResponse
from fastledger.protoutil.signed_data import SignedData
from fastledger.protoutil.unpacked import UnpackedProposal

LIFECYCLE_POLICY = "/Channel/Application/LifecycleEndorsement"

MAX_ANSWERS = 1024
"""Policies and endorsers of which the gateway remembers whether they suffice."""

MAX_KEPT_BYTES = 16 * 1024
"""What transactions touch that touch more is not remembered."""

FRESH_S = 1.0
"""Who is there is looked up again after so long; peers tell their heights every few seconds."""

DIAL_TIMEOUT_S = 3.0
"""For a connection to another peer to stand."""

_Kept = TypeVar("_Kept")
_Key = TypeVar("_Key")
_Kind = Literal["path", "application", "signature"]


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
        self._channel = channel
        self._network = network
        self._connector = connector
        self._overrides = overrides
        self._answers: dict[tuple[object, ...], bool] = {}
        self._connections: dict[str, GrpcChannel] = {}
        self._peers: dict[str, GrpcChannel] = {}
        self._plans: dict[bytes, tuple[float, Endorsers]] = {}
        self._having: dict[str, tuple[float, Sequence[Endorser]]] = {}
        self._dialling = asyncio.Lock()
        self._broadcasters: dict[str, Broadcaster] = {}

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

    def broadcaster(self, address: str) -> Broadcaster:
        """The stream to an orderer."""
        found = self._broadcasters.get(address)
        if found is None:
            found = self._broadcasters[address] = Broadcaster(self.connect, address)
        return found

    async def connect(self, address: str) -> GrpcChannel:
        """The connection to an orderer: one for all calls."""
        async with self._dialling:
            found = self._connections.get(address)
            if found is None:
                found = self._connections[address] = await self._connector.connect(address)
        return found

    async def connect_peer(self, address: str) -> GrpcChannel:
        """The connection to another peer of the channel: one for all calls."""
        async with self._dialling:
            found = self._peers.get(address)
            if found is None:
                found = self._peers[address] = await self._network.dialler.connect(
                    address, DIAL_TIMEOUT_S
                )
        return found

    async def peer_failed(self, address: str) -> None:
        """Forget the connection to a peer if it is gone; others go on to use one that stands."""
        found = self._peers.get(address)
        if found is None:
            return
        try:
            await found.connect(DIAL_TIMEOUT_S)
        except grpc.aio.AioRpcError:
            if self._peers.get(address) is found:
                del self._peers[address]
            await found.close()

    async def close(self) -> None:
        """Hang up."""
        for connection in (*self._connections.values(), *self._peers.values()):
            await connection.close()

    def endorsers(self, chaincode: str) -> Sequence[Endorser]:
        """Who has a chaincode: peers of the own organization first, then by their heights."""
        made, found = self._having.get(chaincode, (0.0, ()))
        if not found or time.monotonic() - made > FRESH_S:
            found = self._find(chaincode)
            # Whoever asks may make up any name, of any length: what nobody has is not remembered.
            if found:
                _keep(self._having, chaincode, found)
        return found

    def _find(self, chaincode: str) -> Sequence[Endorser]:
        network = self._network
        members = [
            self._endorser(member)
            for member in network.gossip.of_channel(self.id)
            if chaincode in SYSTEM_CHAINCODES
            or any(one.name == chaincode for one in member.properties.chaincodes)
            # What it tells others of itself comes a moment later.
            or (member.pki_id == network.gossip.own_id and network.runs(self._channel, chaincode))
        ]
        own = [one for one in members if one.mspid == network.mspid]
        others = [one for one in members if one.mspid != network.mspid]
        return (*best_first(own), *best_first(others))

    def _endorser(self, member: ChannelMember) -> Endorser:
        own = member.pki_id == self._network.gossip.own_id
        return Endorser(
            member.pki_id,
            self._network.address if own else member.endpoint,
            member.mspid,
            self.height if own else member.properties.ledger_height,
            own,
        )

    def endorsers_for(self, interest: ChaincodeInterest) -> Endorsers:
        """Who has to endorse what touches chaincodes, collections and keys."""
        key = interest.SerializeToString(deterministic=True)
        made, found = self._plans.get(key, (0.0, None))
        if found is None or time.monotonic() - made > FRESH_S:
            found = self._derive(interest)
            if len(key) <= MAX_KEPT_BYTES:
                _keep(self._plans, key, found)
        return found

    def _derive(self, interest: ChaincodeInterest) -> Endorsers:
        gossip = self._network.gossip
        members = {one.pki_id: one for one in gossip.of_channel(self.id)}
        descriptor = self._network.analyzer.peers_for_endorsement(self.id, interest)
        groups = {}
        for name, group in descriptor.endorsers_by_groups.items():
            known = (members.get(pki_id_of(peer.identity)) for peer in group.peers)
            groups[name] = best_first([self._endorser(one) for one in known if one is not None])
        layouts = [dict(layout.quantities_by_group) for layout in descriptor.layouts]
        return Endorsers(groups, layouts)

    def defines(self, chaincode: str) -> bool:
        """Whether the channel itself has a policy for a chaincode; for the system's it has none."""
        return chaincode == definition.NAMESPACE or any(self._definitions(chaincode))

    def is_endorsed(self, chaincode: str, endorsements: Sequence[SignedData]) -> bool:
        """Whether endorsements satisfy the policy of the chaincode that is called.

        What the same endorsers satisfied before they satisfy again: their signatures are not
        looked at here, as the committing peers will do that.
        """
        question = self._question(chaincode)
        key = (self.bundle.sequence, question, *(one.identity for one in endorsements))
        answer = self._answers.get(key)
        if answer is None:
            answer = self._evaluate(question, endorsements)
            if len(self._answers) >= MAX_ANSWERS:
                self._answers.clear()
            self._answers[key] = answer
        return answer

    def _question(self, chaincode: str) -> tuple[_Kind, bytes]:
        """Which policy counts for a chaincode: its kind, and the policy or its path."""
        if chaincode == definition.NAMESPACE and self.bundle.has_policy(LIFECYCLE_POLICY):
            return "path", LIFECYCLE_POLICY.encode()
        committed, legacy = self._definitions(chaincode)
        if committed is not None:
            return "application", committed.validation.validation_parameter
        if legacy is not None:
            return "signature", ChaincodeData.FromString(legacy).policy
        anybody = n_out_of_role(1, "member", self._channel.organizations)
        return "signature", anybody.SerializeToString()

    def _definitions(
        self, chaincode: str
    ) -> tuple[definition.ChaincodeDefinition | None, bytes | None]:
        """A chaincode's definition by `_lifecycle`, and that by lscc."""
        view = self._channel.ledger.view()
        try:
            committed = definition.read_committed(chaincode, ViewState(view, definition.NAMESPACE))
            legacy = view.get("lscc", chaincode)
        finally:
            view.close()
        return committed, legacy.value if legacy is not None else None

    def _evaluate(self, question: tuple[_Kind, bytes], endorsements: Sequence[SignedData]) -> bool:
        kind, policy = question
        try:
            if kind == "path":
                self.bundle.evaluate(policy.decode(), endorsements)
            elif kind == "application":
                self.bundle.evaluate_application_policy(policy, endorsements)
            else:
                self.bundle.evaluate_envelope(policy, endorsements)
        except PolicyUnsatisfied:
            return False
        return True


class GatewayFace:
    """One peer."""

    def __init__(
        self,
        channels: PeerChannels,
        endorser: OwnEndorser,
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
            return await self._endorser.process(proposal)
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


def _keep(kept: dict[_Key, tuple[float, _Kept]], key: _Key, value: _Kept) -> None:
    """Keep something for a while; when there is too much, nothing else."""
    if len(kept) >= MAX_ANSWERS and key not in kept:
        kept.clear()
    kept[key] = (time.monotonic(), value)
