# SPDX-License-Identifier: Apache-2.0
"""One peer's gossip, put together (Fabric: ``gossip/gossip/gossip_impl.go``).

::

    message ─► dispatch ─┬─► membership   who lives         ─┐
                         ├─► certstore    who they are       ├─► effects ─► emitter, for what is
       time ─► every … ──┼─► channel      what they have     │              passed on ─► effects
                         └─► meetings     whom one must know ┘

It is a machine: messages and the time go in, effects come out. It has no socket, no task, and no
clock or chance of its own, so that a network of them can be run, and run again, in a test.

What comes later registers with the dispatcher and returns effects as the others do: blocks that are
passed on, requests for them, elections of leaders, private data.
"""

import random
from collections.abc import Mapping, Sequence

from fastledger.common import log, metrics
from fastledger.common.errors import FastledgerError
from fastledger.gossip.certstore import CertStore
from fastledger.gossip.channel import STATES, Chaincodes, ChannelGossip
from fastledger.gossip.clock import Clock, SystemClock
from fastledger.gossip.dispatch import PULL, Dispatcher
from fastledger.gossip.effects import Effect, Effects, Every, Later, Push
from fastledger.gossip.emitter import Emitter
from fastledger.gossip.identities import Identities
from fastledger.gossip.meetings import Meetings
from fastledger.gossip.members import ChannelMember, Member
from fastledger.gossip.membership import MEMBERS, Membership
from fastledger.gossip.messages import Sealed
from fastledger.gossip.pull import Peer, Pull
from fastledger.gossip.settings import GossipSettings
from fastledger.protos.gossip.message_pb2 import GossipMessage, PullMsgType

Anchors = Mapping[str, Sequence[str]]
"""A channel's organizations, with the addresses of their anchor peers."""

_logger = log.get("gossip.gossip")


class Gossip:
    """Gossip of one peer."""

    def __init__(
        self,
        settings: GossipSettings,
        identities: Identities,
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        """Say nothing yet; without clock and chance of a test, the machine's."""
        self._settings = settings
        self._identities = identities
        self._clock = clock = clock or SystemClock()
        self._rng = rng = rng or random.SystemRandom()
        self._membership = Membership(settings, identities, self._is_anchor, clock, rng)
        self._meetings = Meetings(settings, identities, self._membership, rng)
        self._certs = CertStore(identities, self._membership.external_endpoint)
        frame = GossipMessage(tag=GossipMessage.EMPTY)
        self._pull = Pull(
            PullMsgType.IDENTITY_MSG, frame, self._certs, settings, self._peers, clock, rng
        )
        self._emitter = Emitter(settings, identities.mspid, rng)
        self._channels: dict[str, ChannelGossip] = {}
        self._anchors: dict[str, frozenset[str]] = {}
        self._dispatcher = Dispatcher()
        self._dispatcher.register(MEMBERS, GossipMessage.EMPTY, self._about_members)
        self._dispatcher.register(PULL, GossipMessage.EMPTY, self._pull.handle)
        self._dropped = metrics.counter(
            "gossip_comm_messages_dropped",
            "Number of messages that break a rule, or are not authentic",
            ["kind"],
        )

    def start(self) -> Effects:
        """Begin to talk."""
        if not self._settings.external_endpoint:
            _logger.warning(
                "External endpoint is empty, peer will not be accessible outside of its "
                "organization"
            )
        effects = [*self._membership.work(), Every(self._settings.pull_interval_s, self._pull.pull)]
        for endpoint in self._settings.bootstrap:
            effects.extend(self._meetings.want(endpoint, self._identities.mspid))
        return self._emitted(effects)

    # Channels.

    def join(self, channel_id: str, anchors: Anchors) -> Effects:
        """Take part in a channel, or in its new configuration.

        Args:
            channel_id: Its name.
            anchors: Its organizations, and where their anchor peers are.
        """
        effects: list[Effect] = []
        channel = self._channels.get(channel_id)
        if channel is None:
            channel = self._channels[channel_id] = self._channel(channel_id)
            effects.extend(channel.work())
        self._identities.revalidate()
        channel.restrict(anchors)
        every = [place for places in anchors.values() for place in places]
        self._anchors[channel_id] = frozenset(every)
        for org, places in anchors.items():
            for place in places:
                effects.extend(self._meetings.want(place, org))
        return self._emitted(effects)

    def _channel(self, channel_id: str) -> ChannelGossip:
        channel = ChannelGossip(
            channel_id,
            self._settings,
            self._identities,
            self._membership,
            self._clock,
            self._rng,
        )
        tag = GossipMessage.CHAN_OR_ORG
        self._dispatcher.register(STATES, tag, channel.handle, channel_id)
        return channel

    def leave(self, channel_id: str) -> Effects:
        """Take no part in a channel any more; the others are told."""
        channel = self._channels.get(channel_id)
        return [] if channel is None else self._emitted(channel.leave())

    def set_height(self, channel_id: str, height: int) -> None:
        """Have so many blocks of a channel; others are told now and then."""
        channel = self._channels.get(channel_id)
        if channel is not None:
            channel.set_height(height)

    def set_chaincodes(self, channel_id: str, chaincodes: Chaincodes) -> Effects:
        """Have these chaincodes on a channel; others are told at once."""
        channel = self._channels.get(channel_id)
        return [] if channel is None else self._emitted(channel.set_chaincodes(chaincodes))

    # What is known.

    @property
    def own_id(self) -> bytes:
        """The peer's own PKI-ID."""
        return self._identities.own_id

    def has_channel(self, channel_id: str) -> bool:
        """Whether the peer takes part in a channel."""
        return channel_id in self._channels

    def knows(self, pki_id: bytes) -> bool:
        """Whether a peer is known: as a member, alive or dead, or by its identity."""
        return self._membership.knows(pki_id) or self._identities.get(pki_id) is not None

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

    # What happens.

    def handle(self, sender: bytes, sealed: Sealed) -> Effects:
        """Take any message of a peer; one that breaks a rule is dropped and counted."""
        effects: Effects = []
        try:
            effects = self._dispatcher.dispatch(sender, sealed)
        except FastledgerError as error:
            kind = sealed.kind or "none"
            self._dropped.labels(kind).inc()
            _logger.debug("from %s: %s dropped: %s", sender.hex()[:8], kind, error)
        return self._emitted(effects)

    def due(self, effect: Later | Every) -> Effects:
        """Do what was to be done later, or again and again."""
        return self._emitted(effect.work())

    def reached(self, endpoint: str, org: str, pki_id: bytes) -> Effects:
        """A connection to a peer stands that was wanted."""
        return self._emitted(self._meetings.reached(endpoint, org, pki_id))

    def missed(self, endpoint: str, org: str, reason: str) -> Effects:
        """A peer that was wanted is not there."""
        return self._emitted(self._meetings.missed(endpoint, org, reason))

    def answers(self, pki_id: bytes) -> Effects:
        """A peer that was dead answers."""
        return self._emitted(self._membership.greet(pki_id))

    def unreachable(self, pki_id: bytes) -> Effects:
        """A message could not be sent to a peer."""
        return self._emitted(self._membership.expire(pki_id))

    def _about_members(self, sender: bytes, sealed: Sealed) -> Effects:
        if sealed.kind == "mem_res":
            self._meetings.answered(sealed.message.nonce)
        return self._membership.handle(sender, sealed)

    def _emitted(self, effects: Effects) -> Effects:
        """Let the emitter have what is passed on, and hang up on whom nobody knows any more."""
        wanted: list[Effect] = []
        for effect in effects:
            if isinstance(effect, Push):
                wanted.extend(self._emitter.add(effect))
            else:
                wanted.append(effect)
        for pki_id in self._identities.take_forgotten():
            self._certs.forget(pki_id)
            wanted.extend(self._membership.forget(pki_id))
        return wanted
