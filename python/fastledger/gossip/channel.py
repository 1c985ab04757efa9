# SPDX-License-Identifier: Apache-2.0
"""What the peers of a channel have (Fabric: ``gossip/gossip/channel``).

Each tells its height and its chaincodes, when they change, and asks others for what they know.
"""

import random
from collections.abc import Iterable, Sequence
from functools import partial

from fastledger.common import metrics
from fastledger.gossip.clock import Clock
from fastledger.gossip.effects import Effects, Every, Push, Send
from fastledger.gossip.identities import Identities
from fastledger.gossip.members import ChannelMember, Member
from fastledger.gossip.membership import Membership
from fastledger.gossip.messages import (
    MessageRefused,
    Sealed,
    channel_mac,
    seal,
    time_of,
    unseal,
)
from fastledger.gossip.settings import GossipSettings
from fastledger.protos.gossip.message_pb2 import (
    Chaincode,
    GossipMessage,
    PeerTime,
    Properties,
    StateInfo,
    StateInfoPullRequest,
    StateInfoSnapshot,
)

MAX_SNAPSHOT = 10_000
"""Peers that one answer may tell of."""

MAX_PEERS = 5_000
"""Peers of a channel that are remembered."""

SWEEP_FACTOR = 5
"""Forgotten peers are forgotten on a channel every so many pull intervals."""

STATES = ("state_info", "state_info_pull_req", "state_snapshot")
"""The messages that a channel takes, all tagged ``CHAN_OR_ORG``."""

Chaincodes = Iterable[tuple[str, str]]
"""Names and versions."""


class ChannelGossip:
    """One channel of one peer."""

    def __init__(
        self,
        channel_id: str,
        settings: GossipSettings,
        identities: Identities,
        membership: Membership,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        """Take part in a channel of the peers that ``membership`` knows."""
        self.id = channel_id
        self.orgs: frozenset[str] = frozenset()
        """Its organizations: peers of others are not told anything."""
        self._settings = settings
        self._identities = identities
        self._membership = membership
        self._clock = clock
        self._rng = rng
        self._states: dict[bytes, Sealed] = {}
        self._started = clock.unix_ns()
        self._properties = Properties(ledger_height=1)
        self._own: Sealed | None = None
        self._unsaid = False
        self._known = metrics.gauge(
            "gossip_membership_total_peers_known", "Total known peers", ["channel"]
        )

    # The peer's own.

    def set_height(self, height: int) -> None:
        """Have so many blocks; others are told now and then."""
        self._properties.ledger_height = height
        self._own, self._unsaid = None, True

    def set_chaincodes(self, chaincodes: Chaincodes) -> Effects:
        """Have these chaincodes; others are told at once."""
        named = [Chaincode(name=name, version=version) for name, version in chaincodes]
        if named == list(self._properties.chaincodes):
            return []
        del self._properties.chaincodes[:]
        self._properties.chaincodes.extend(named)
        self._own = None
        return self._say()

    def leave(self) -> Effects:
        """Tell the others that one takes no part any more."""
        self._properties.left_channel = True
        self._own = None
        return self._say()

    def own(self) -> Sealed:
        """What the peer says of itself, signed when it is asked for."""
        if self._own is None:
            identities = self._identities
            said = StateInfo(
                pki_id=identities.own_id,
                channel_MAC=channel_mac(identities.own_id, self.id),
                timestamp=PeerTime(inc_num=self._started, seq_num=self._clock.unix_ns()),
                properties=self._properties,
            )
            message = GossipMessage(tag=GossipMessage.CHAN_OR_ORG, state_info=said)
            self._own = seal(message, identities.signer)
        return self._own

    def members(self) -> list[ChannelMember]:
        """The other peers of the channel that are alive."""
        found = []
        for member in self._membership.alive():
            state = self._states.get(member.pki_id)
            if state is None or state.message.state_info.properties.left_channel:
                continue
            found.append(
                ChannelMember(
                    member.pki_id,
                    member.mspid,
                    member.identity,
                    member.preferred_endpoint,
                    state.envelope,
                    state.message.state_info.properties,
                )
            )
        return found

    def own_member(self) -> ChannelMember:
        """The peer itself."""
        own, identities = self.own(), self._identities
        serialized = identities.signer.serialized
        properties = own.message.state_info.properties
        return ChannelMember(
            identities.own_id, identities.mspid, serialized, "", own.envelope, properties
        )

    # Messages.

    def handle(self, sender: bytes, sealed: Sealed) -> Effects:
        """Take a message about the channel.

        Raises:
            MessageRefused: It breaks a rule.
        """
        if self._identities.org_of(sender) not in self.orgs:
            raise MessageRefused(f"a peer outside of channel {self.id} speaks about it")
        match sealed.kind:
            case "state_info":
                if self._learn([sealed]):
                    return [self._passed_on(sealed, sender)]
            case "state_info_pull_req":
                return [Send(seal(self._snapshot(sender)).envelope, sender)]
            case "state_snapshot":
                elements = sealed.message.state_snapshot.elements
                if len(elements) > MAX_SNAPSHOT:
                    raise MessageRefused(f"an answer tells of more than {MAX_SNAPSHOT} peers")
                self._learn([unseal(envelope) for envelope in elements])
        return []

    def restrict(self, orgs: Iterable[str]) -> None:
        """Have these organizations, and forget what peers of others said."""
        self.orgs = frozenset(orgs)
        states = list(self._states.items())
        readers = self._readers([state for _, state in states])
        for (pki_id, _), may in zip(states, readers, strict=True):
            if not may or self._identities.org_of(pki_id) not in self.orgs:
                del self._states[pki_id]

    def _learn(self, messages: Sequence[Sealed]) -> bool:
        """Take what is newer than what is known; say whether there was any."""
        newer = [one for one in messages if self._is_news(one)]
        learnt = False
        for one, authentic in zip(newer, self._readers(newer), strict=True):
            pki_id = one.message.state_info.pki_id
            if authentic and (pki_id in self._states or len(self._states) < MAX_PEERS):
                self._states[pki_id] = one
                learnt = True
        return learnt

    def _is_news(self, sealed: Sealed) -> bool:
        if sealed.kind != "state_info":
            raise MessageRefused("expected a message about a peer's ledger")
        said = sealed.message.state_info
        if said.pki_id == self._identities.own_id:
            return False
        if said.channel_MAC != channel_mac(said.pki_id, self.id):
            raise MessageRefused("a message about another channel")
        if self._identities.org_of(said.pki_id) not in self.orgs:
            return False
        if not self._membership.knows(said.pki_id):
            return False
        known = self._states.get(said.pki_id)
        if known is None:
            return True
        return time_of(said.timestamp) > time_of(known.message.state_info.timestamp)

    def _readers(self, messages: Sequence[Sealed]) -> list[bool]:
        """Say of messages whether peers that may read the channel have signed them."""
        questions = []
        for one in messages:
            known = self._identities.get(one.message.state_info.pki_id)
            serialized = known.serialized if known else b""
            questions.append((serialized, one.envelope.payload, one.envelope.signature))
        return self._identities.readers(self.id, questions) if questions else []

    def _snapshot(self, asking: bytes) -> GossipMessage:
        own_org = self._identities.is_own_org(asking)
        told = StateInfoSnapshot()
        for pki_id, state in [(self._identities.own_id, self.own()), *self._states.items()]:
            hidden = self._identities.is_own_org(pki_id) and not (
                self._membership.external_endpoint(pki_id)
            )
            if own_org or not hidden:
                told.elements.append(state.envelope)
        message = GossipMessage(tag=GossipMessage.CHAN_OR_ORG, state_snapshot=told)
        message.channel = self.id.encode()
        return message

    # What is done now and then.

    def work(self) -> Effects:
        """What is to be done how often."""
        settings = self._settings
        return [
            Every(settings.publish_state_info_s, self.publish),
            Every(settings.request_state_info_s, self.ask),
            Every(SWEEP_FACTOR * settings.pull_interval_s, self.sweep),
        ]

    def publish(self) -> Effects:
        """Tell the others what has changed."""
        self._known.labels(self.id).set(len(self.members()))
        return self._say() if self._unsaid and self._membership.alive() else []

    def ask(self) -> Effects:
        """Ask some peers of the channel's organizations what they know."""
        peers = [one for one in self._membership.alive() if one.mspid in self.orgs]
        mac = channel_mac(self._identities.own_id, self.id)
        asked = StateInfoPullRequest(channel_MAC=mac)
        message = GossipMessage(tag=GossipMessage.CHAN_OR_ORG, state_info_pull_req=asked)
        envelope = seal(message).envelope
        return [
            Send(envelope, peer.pki_id, peer.preferred_endpoint)
            for peer in self._rng.sample(peers, min(self._settings.pull_peer_num, len(peers)))
        ]

    def sweep(self) -> Effects:
        """Forget the ledgers of peers that are forgotten."""
        for pki_id in list(self._states):
            if not self._membership.knows(pki_id):
                del self._states[pki_id]
        return []

    def _say(self) -> Effects:
        self._unsaid = False
        return [self._passed_on(self.own())]

    def _passed_on(self, sealed: Sealed, but: bytes = b"") -> Push:
        return Push(sealed, partial(self._who_may_know, sealed), but)

    def _who_may_know(self, sealed: Sealed) -> list[Member]:
        """Who is told what a peer has: the channel, or only the own organization."""
        if self._membership.external_endpoint(sealed.message.state_info.pki_id):
            told = self.orgs
        else:
            told = frozenset([self._identities.mspid])
        return [member for member in self._membership.alive() if member.mspid in told]
