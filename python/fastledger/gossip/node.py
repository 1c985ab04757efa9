# SPDX-License-Identifier: Apache-2.0
"""One peer's gossip, put together (Fabric: ``gossip/gossip/gossip_impl.go``).

::

    GossipStream ─► comm ─► handle ─┬─► membership   who lives
                                    ├─► certstore    who they are          (pull)
                                    └─► channel      what they have
                     ▲                     │ what is new
                     └──── emitter ◄───────┘  to a few peers that may know it, in bursts

Blocks, private data, state requests and leader elections of others come here, too; nothing is done
with them yet.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from fastledger.common import log, metrics
from fastledger.common.errors import FastledgerError
from fastledger.gossip.certstore import CertStore
from fastledger.gossip.channel import Chaincodes, ChannelGossip
from fastledger.gossip.comm import Dialler, GossipComm
from fastledger.gossip.connection import Connection
from fastledger.gossip.identities import Identities
from fastledger.gossip.members import ChannelMember, Member
from fastledger.gossip.membership import Membership, schedules
from fastledger.gossip.messages import (
    OUTSIDE,
    PULL,
    MessageRefused,
    Sealed,
    channel_mac,
    check_tag,
    without_secret,
)
from fastledger.gossip.pull import Peer, Pull
from fastledger.gossip.settings import GossipSettings
from fastledger.protos.gossip import message_pb2_grpc
from fastledger.protos.gossip.message_pb2 import GossipMessage, PullMsgType

SWEEP_FACTOR = 5
"""Channels forget forgotten peers every so many pull intervals."""

MAX_EMITTED = 1_000
"""Messages that wait to be pushed; more are dropped."""

_RESTRICTED = (GossipMessage.CHAN_AND_ORG, GossipMessage.CHAN_ONLY, GossipMessage.CHAN_OR_ORG)
_STATES = ("state_info", "state_info_pull_req", "state_snapshot")
_MEMBERS = ("alive_msg", "mem_req", "mem_res")
_logger = log.get("gossip.gossip")

Anchors = Mapping[str, Sequence[str]]
"""A channel's organizations, with the addresses of their anchor peers."""


class GossipNode:
    """Gossip of one peer."""

    def __init__(self, settings: GossipSettings, identities: Identities, dialler: Dialler) -> None:
        """Say nothing yet."""
        self._settings = settings
        self._identities = identities
        self._comm = GossipComm(identities, dialler, settings, self._handle)
        self._membership = Membership(settings, identities, self._comm, self._push, self._is_anchor)
        self._comm.unreachable = self._membership.expire
        self._certs = CertStore(identities, self._membership.external_endpoint)
        self._pull = Pull(
            PullMsgType.IDENTITY_MSG,
            GossipMessage(tag=GossipMessage.EMPTY),
            self._certs,
            settings,
            self._peers,
            self._comm.send,
            self._comm.reply,
        )
        identities.forgotten.append(self._membership.forget)
        self._channels: dict[str, ChannelGossip] = {}
        self._anchors: dict[str, frozenset[str]] = {}
        self._met: set[tuple[str, str]] = set()
        self._waiting: list[tuple[Sealed, bytes]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._dropped = metrics.counter(
            "gossip_comm_messages_dropped",
            "Number of messages that break a rule, or are not authentic",
            ["kind"],
        )

    def register(self, server: Any) -> None:
        """Add the service ``gossip.Gossip`` to a server."""
        message_pb2_grpc.add_GossipServicer_to_server(self._comm, server)

    def start(self) -> None:
        """Begin to talk."""
        for pause_s, work in schedules(self._membership, self._settings):
            self._repeat(pause_s, work)
        self._repeat(self._settings.pull_interval_s, self._pull.pull)
        for endpoint in self._settings.bootstrap:
            self._meet(endpoint, self._identities.mspid)
        if not self._settings.external_endpoint:
            _logger.warning(
                "External endpoint is empty, peer will not be accessible outside of its "
                "organization"
            )

    async def stop(self) -> None:
        """Hang up on everybody."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._comm.stop()

    # Channels.

    def join(self, channel_id: str, anchors: Anchors) -> None:
        """Take part in a channel, or in its new configuration.

        Args:
            channel_id: Its name.
            anchors: Its organizations, and where their anchor peers are.
        """
        channel = self._channels.get(channel_id)
        if channel is None:
            channel = self._channels[channel_id] = ChannelGossip(
                channel_id,
                self._settings,
                self._identities,
                self._membership,
                self._comm,
                self._push,
            )
            self._repeat(self._settings.publish_state_info_s, channel.publish)
            self._repeat(self._settings.request_state_info_s, channel.ask)
            self._repeat(SWEEP_FACTOR * self._settings.pull_interval_s, channel.sweep)
        self._identities.revalidate()
        channel.restrict(anchors)
        every = [place for places in anchors.values() for place in places]
        self._anchors[channel_id] = frozenset(every)
        for org, places in anchors.items():
            for place in places:
                self._meet(place, org)

    def leave(self, channel_id: str) -> None:
        """Take no part in a channel any more; the others are told."""
        channel = self._channels.get(channel_id)
        if channel is not None:
            channel.leave()

    def set_height(self, channel_id: str, height: int) -> None:
        """Have so many blocks of a channel."""
        channel = self._channels.get(channel_id)
        if channel is not None:
            channel.set_height(height)

    def set_chaincodes(self, channel_id: str, chaincodes: Chaincodes) -> None:
        """Have these chaincodes on a channel."""
        channel = self._channels.get(channel_id)
        if channel is not None:
            channel.set_chaincodes(chaincodes)

    # What is known.

    @property
    def own_id(self) -> bytes:
        """The peer's own PKI-ID."""
        return self._identities.own_id

    def has_channel(self, channel_id: str) -> bool:
        """Whether the peer takes part in a channel."""
        return channel_id in self._channels

    def alive(self) -> list[Member]:
        """All peers that are alive, this one last."""
        return [*self._membership.alive(), self._membership.own()]

    def of_channel(self, channel_id: str) -> list[ChannelMember]:
        """The peers of a channel that are alive, this one last."""
        channel = self._channels.get(channel_id)
        return [] if channel is None else [*channel.members(), channel.own_member()]

    def organizations(self) -> list[str]:
        """The organizations of all peers that are known."""
        return self._identities.organizations()

    def _is_anchor(self, endpoint: str) -> bool:
        return any(endpoint in places for places in self._anchors.values())

    def _peers(self) -> list[Peer]:
        return [(one.pki_id, one.preferred_endpoint) for one in self._membership.alive()]

    # Meeting.

    def _meet(self, endpoint: str, org: str) -> None:
        """Get to know a bootstrap or anchor peer, unless that is being done."""
        settings, own_org = self._settings, self._identities.mspid
        if settings.is_own(endpoint) or (endpoint, org) in self._met:
            return
        if org != own_org and not settings.external_endpoint:
            _logger.info("no external endpoint: not connecting to %s of %s", endpoint, org)
            return
        self._met.add((endpoint, org))

        def accepts(found: str) -> bool:
            return found == own_org if org == own_org else bool(found)

        async def meet() -> None:
            try:
                await self._membership.meet(endpoint, accepts)
            finally:
                self._met.discard((endpoint, org))

        self._spawn(meet())

    # Messages that come.

    def _handle(self, connection: Connection, sealed: Sealed) -> None:
        """Take any message; one that breaks a rule is dropped and counted."""
        kind = sealed.kind
        try:
            if kind not in OUTSIDE:
                check_tag(sealed)
                self._dispatch(connection, sealed, kind)
        except FastledgerError as error:
            self._dropped.labels(kind or "none").inc()
            _logger.debug("from %s: %s dropped: %s", connection.pki_id.hex()[:8], kind, error)

    def _dispatch(self, connection: Connection, sealed: Sealed, kind: str) -> None:
        if kind in _MEMBERS:
            self._membership.handle(connection, sealed)
        elif kind in _STATES:
            channel = self._channel_of(connection, sealed)
            if channel is not None:
                channel.handle(connection, sealed)
        elif kind in PULL and sealed.message.tag not in _RESTRICTED:
            self._pull.handle(connection, sealed)

    def _channel_of(self, connection: Connection, sealed: Sealed) -> ChannelGossip | None:
        """Find the channel that a message is about; its name stands only in some."""
        message = sealed.message
        if sealed.kind == "state_snapshot":
            return self._channels.get(message.channel.decode("utf-8", "replace"))
        if sealed.kind == "state_info":
            pki_id, mac = message.state_info.pki_id, message.state_info.channel_MAC
        else:
            pki_id, mac = connection.pki_id, message.state_info_pull_req.channel_MAC
        for channel_id, channel in self._channels.items():
            if channel_mac(pki_id, channel_id) == mac:
                return channel
        return None

    # Messages that are passed on.

    def _push(self, sealed: Sealed, but: bytes) -> None:
        """Push a message to some peers that may know it, soon, with others."""
        if not self._settings.propagate_iterations or len(self._waiting) >= MAX_EMITTED:
            return
        self._waiting.append((sealed, but))
        if len(self._waiting) >= self._settings.burst_size:
            self._emit()
        elif len(self._waiting) == 1:
            asyncio.get_running_loop().call_later(self._settings.burst_latency_s, self._emit)

    def _emit(self) -> None:
        waiting, self._waiting = self._waiting, []
        for sealed, but in waiting:
            is_alive = sealed.kind == "alive_msg"
            eligible = self._who_may_know(sealed) if is_alive else self._who_may_read(sealed)
            others = [member for member in eligible if member.pki_id != but]
            count = min(self._settings.propagate_peer_num, len(others))
            for member in random.sample(others, count):
                own = member.mspid == self._identities.mspid
                envelope = sealed.envelope if own else without_secret(sealed.envelope)
                self._comm.send(envelope, member.pki_id, member.preferred_endpoint)

    def _who_may_know(self, sealed: Sealed) -> list[Member]:
        """Who is told that a peer lives: everybody of own peers, few of those of others."""
        own_org = self._identities.mspid
        author = sealed.message.alive_msg.membership
        org = self._identities.org_of(author.pki_id)
        members = self._membership.alive()
        if org == own_org:
            return members if author.endpoint else _of(members, own_org)
        return [one for one in _of(members, own_org, org) if one.endpoint]

    def _who_may_read(self, sealed: Sealed) -> list[Member]:
        """Who is told what a peer has: the channel, or only the own organization."""
        said = sealed.message.state_info
        members = self._membership.alive()
        for channel_id, channel in self._channels.items():
            if channel_mac(said.pki_id, channel_id) == said.channel_MAC:
                if self._membership.external_endpoint(said.pki_id):
                    return _of(members, *channel.orgs)
                break
        return _of(members, self._identities.mspid)

    # Work.

    def _repeat(self, pause_s: float, work: Callable[[], Awaitable[None]]) -> None:
        """Do something every so many seconds."""

        async def repeat() -> None:
            while True:
                await asyncio.sleep(pause_s)
                try:
                    await work()
                except MessageRefused as error:
                    _logger.warning("%s", error)

        self._spawn(repeat())

    def _spawn(self, work: Awaitable[None]) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _logger.error("defect: %r", error, exc_info=error)


def _of(members: Iterable[Member], *orgs: str) -> list[Member]:
    return [member for member in members if member.mspid in orgs]
