# SPDX-License-Identifier: Apache-2.0
"""Who lives (Fabric: ``gossip/discovery/discovery_impl.go``).

::

               alive message, newer                nothing for alive_expiration_s,
              ┌───────────────────┐                  or it cannot be reached
              ▼                   │              ┌───────────────────────────────┐
    unknown ──► alive ────────────┘              │                               ▼
              ▲   └──────────────────────────────┘                             dead ──► forgotten
              └──────────────────────────────────────────────────────────────────┘ after
                                 alive message, newer                expiration_factor times that

Every peer says every few seconds that it lives; the message is pushed on from peer to peer. Members
are also asked for: a peer answers with those whom the asking one may know.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from fastledger.common import log
from fastledger.gossip.clock import Clock
from fastledger.gossip.effects import Effect, Effects, Every, HangUp, Ping, Push, Send
from fastledger.gossip.identities import Identities
from fastledger.gossip.members import Member
from fastledger.gossip.messages import (
    MessageRefused,
    Sealed,
    Time,
    internal_endpoint,
    seal,
    time_of,
    unseal,
    with_secret,
    without_secret,
)
from fastledger.gossip.settings import GossipSettings
from fastledger.protos.gossip.message_pb2 import (
    AliveMessage,
    Envelope,
    GossipMessage,
    MembershipRequest,
    MembershipResponse,
    PeerTime,
)
from fastledger.protos.gossip.message_pb2 import Member as MemberMessage

MAX_MEMBERS = 5_000
"""Peers that are remembered, dead ones included."""

MAX_FORGOTTEN = 10_000
"""Peers of which the last message is remembered, lest an old one bring them back."""

MAX_RESPONSE = 2 * MAX_MEMBERS
"""Members that one answer may name."""

FRESH_S = 1.0
"""What a peer has said of itself for so long is said anew."""

LOOKS = 10
"""How often one looks for dead peers, in the time after which one is dead."""

MAX_PINGS = 20
"""Dead peers that are tried at once."""

MEMBERS = ("alive_msg", "mem_req", "mem_res")
"""The messages that membership takes, all tagged ``EMPTY``."""

_logger = log.get("gossip.discovery")


@dataclass(slots=True)
class _Peer:
    sealed: Sealed
    time: Time
    seen_s: float
    """Monotonic, of the last message."""

    alive: bool
    endpoint: str
    internal_endpoint: str

    @property
    def preferred_endpoint(self) -> str:
        return self.internal_endpoint or self.endpoint


class Membership:
    """The peers that one peer knows of."""

    def __init__(
        self,
        settings: GossipSettings,
        identities: Identities,
        is_anchor: Callable[[str], bool],
        clock: Clock,
        rng: random.Random,
    ) -> None:
        """Know nobody.

        Args:
            settings: Intervals and endpoints.
            identities: Whose messages count.
            is_anchor: Whether an address is one that a channel's configuration names.
            clock: Says who has been silent for how long.
            rng: Chooses whom to ask.
        """
        self._settings = settings
        self._identities = identities
        self._is_anchor = is_anchor
        self._clock = clock
        self._rng = rng
        self._peers: dict[bytes, _Peer] = {}
        self._forgotten: dict[bytes, Time] = {}
        self._started = clock.unix_ns()
        self._count = 0
        self._made_s = 0.0
        self._identity_until_s = clock.monotonic_s() + settings.publish_cert_s
        self._own = self._alive_message()

    # What is known.

    def alive(self) -> list[Member]:
        """The other peers that live, as far as their identities are known."""
        found = []
        for pki_id, peer in self._peers.items():
            known = self._identities.get(pki_id) if peer.alive else None
            if known is not None:
                found.append(
                    Member(
                        pki_id,
                        known.mspid,
                        known.serialized,
                        peer.endpoint,
                        peer.internal_endpoint,
                        without_secret(peer.sealed.envelope),
                    )
                )
        return found

    def own(self) -> Member:
        """This peer."""
        identities, settings = self._identities, self._settings
        return Member(
            identities.own_id,
            identities.mspid,
            identities.signer.serialized,
            settings.external_endpoint,
            settings.endpoint,
            without_secret(self._own.envelope),
        )

    def external_endpoint(self, pki_id: bytes) -> str:
        """Where everybody reaches a peer; empty when nobody does, or nothing is known of it."""
        if pki_id == self._identities.own_id:
            return self._settings.external_endpoint
        peer = self._peers.get(pki_id)
        return peer.endpoint if peer else ""

    def knows(self, pki_id: bytes) -> bool:
        """Whether a peer is known, alive or dead."""
        return pki_id in self._peers or pki_id == self._identities.own_id

    # Messages.

    def handle(self, sender: bytes, sealed: Sealed) -> Effects:
        """Take a message about members.

        Raises:
            MessageRefused: It breaks a rule.
        """
        message = sealed.message
        match sealed.kind:
            case "alive_msg":
                if self._learn([sealed]):
                    return [self._passed_on(sealed, sender)]
            case "mem_req":
                return self._answer(sender, message.mem_req, message.nonce)
            case "mem_res":
                self._take(message.mem_res)
        return []

    def expire(self, pki_id: bytes) -> Effects:
        """Count a peer as dead, as it cannot be reached."""
        peer = self._peers.get(pki_id)
        if peer is None or not peer.alive:
            return []
        _logger.warning("peer %s is dead", peer.preferred_endpoint)
        peer.alive = False
        return [HangUp(pki_id)]

    def forget(self, pki_id: bytes) -> Effects:
        """Know nothing of a peer any more, and do not talk to it, whether or not it is a member."""
        peer = self._peers.pop(pki_id, None)
        if peer is not None:
            if len(self._forgotten) >= MAX_FORGOTTEN:
                del self._forgotten[next(iter(self._forgotten))]
            self._forgotten[pki_id] = peer.time
        return [HangUp(pki_id)]

    def _learn(self, messages: Sequence[Sealed], *, alive: bool = True) -> list[Sealed]:
        """Take alive messages that are newer than what is known; return those.

        Raises:
            MessageRefused: One of them is none.
        """
        newer = [one for one in messages if self._is_news(one)]
        asked = [(one.message.alive_msg.membership.pki_id, one) for one in newer]
        verdicts = self._identities.check(asked)
        authentic = [one for one, verdict in zip(newer, verdicts, strict=True) if verdict]
        if len(authentic) < len(newer):
            _logger.debug("%d alive messages are not authentic", len(newer) - len(authentic))
        for one in authentic:
            self._note(one, alive)
        return authentic

    def _is_news(self, sealed: Sealed) -> bool:
        """Whether an alive message says something; its identity is learnt, where it has one."""
        alive = sealed.message.alive_msg
        pki_id = alive.membership.pki_id
        if sealed.kind != "alive_msg" or not pki_id:
            raise MessageRefused("expected an alive message")
        if pki_id == self._identities.own_id:
            return False
        known = self._peers.get(pki_id)
        last = known.time if known else self._forgotten.get(pki_id)
        if last is not None and time_of(alive.timestamp) <= last:
            return False
        if known is None and len(self._peers) >= MAX_MEMBERS:
            raise MessageRefused(f"{MAX_MEMBERS} peers are known already")
        if alive.identity:
            try:
                self._identities.put(pki_id, alive.identity)
            except MessageRefused as error:
                _logger.debug("the identity of an alive message is refused: %s", error)
                return False
        return True

    def _note(self, sealed: Sealed, alive: bool) -> None:
        said = sealed.message.alive_msg
        pki_id = said.membership.pki_id
        before = self._peers.get(pki_id)
        if before is not None and not alive:
            # That a peer was dead elsewhere says nothing new about one that is known.
            return
        hidden = internal_endpoint(sealed.envelope)
        self._peers[pki_id] = _Peer(
            sealed,
            time_of(said.timestamp),
            self._clock.monotonic_s(),
            alive,
            said.membership.endpoint,
            hidden or (before.internal_endpoint if before else ""),
        )
        self._forgotten.pop(pki_id, None)
        if before is None or not before.alive:
            _logger.info("peer %s is %s", said.membership.endpoint, "alive" if alive else "dead")

    def _answer(self, sender: bytes, asked: MembershipRequest, nonce: int) -> Effects:
        """Tell a peer of those whom it may know."""
        sealed = unseal(asked.self_information)
        if sealed.kind != "alive_msg":
            raise MessageRefused("who asks for members does not say who it is")
        if sealed.message.alive_msg.membership.pki_id != sender:
            raise MessageRefused("who asks for members is not who is connected")
        if not self._identities.check([(sender, sealed)])[0]:
            raise MessageRefused("the alive message of who asks is not authentic")
        self._learn([sealed])
        external = sealed.message.alive_msg.membership.endpoint
        own_org = self._identities.is_own_org(sender)
        if not own_org and not (external and self._settings.external_endpoint):
            raise MessageRefused(
                "a peer without external endpoint asks one of another organization"
            )
        answer = MembershipResponse()
        for pki_id, peer in self._peers.items():
            if self._may_know(sender, external, pki_id, peer.endpoint):
                envelope = self._disclosed(peer.sealed.envelope, sender)
                (answer.alive if peer.alive else answer.dead).append(envelope)
        answer.alive.append(self._disclosed(self._fresh().envelope, sender))
        message = GossipMessage(tag=GossipMessage.EMPTY, nonce=nonce, mem_res=answer)
        return [Send(seal(message).envelope, sender)]

    def _may_know(self, asking: bytes, external: str, pki_id: bytes, endpoint: str) -> bool:
        """Whether a peer may be told of another: of its own organization, or of ours."""
        org, asking_org = self._identities.org_of(pki_id), self._identities.org_of(asking)
        if not org or org not in (asking_org, self._identities.mspid):
            return False
        return org == asking_org or bool(endpoint and external)

    def _disclosed(self, envelope: Envelope, to: bytes) -> Envelope:
        return envelope if self._identities.is_own_org(to) else without_secret(envelope)

    def _take(self, answer: MembershipResponse) -> None:
        """Learn from an answer; all its signatures are one batch."""
        if len(answer.alive) + len(answer.dead) > MAX_RESPONSE:
            raise MessageRefused(f"an answer names more than {MAX_RESPONSE} members")
        self._learn([unseal(envelope) for envelope in answer.alive])
        self._learn([unseal(envelope) for envelope in answer.dead], alive=False)

    # What this peer says.

    def _alive_message(self) -> Sealed:
        identities, settings = self._identities, self._settings
        self._count += 1
        self._made_s = self._clock.monotonic_s()
        said = AliveMessage(
            membership=MemberMessage(endpoint=settings.external_endpoint, pki_id=identities.own_id),
            timestamp=PeerTime(inc_num=self._started, seq_num=self._count),
        )
        if self._clock.monotonic_s() < self._identity_until_s:
            said.identity = identities.signer.serialized
        message = GossipMessage(tag=GossipMessage.EMPTY, alive_msg=said)
        return with_secret(seal(message, identities.signer), settings.endpoint, identities.signer)

    def _fresh(self) -> Sealed:
        """What this peer says now: it brings the peer back where it is taken for dead."""
        if self._clock.monotonic_s() - self._made_s > FRESH_S:
            self._own = self._alive_message()
        return self._own

    def request(self, pki_id: bytes, endpoint: str, nonce: int = 0) -> Send:
        """Ask a peer whom it knows; it learns of this one by that."""
        asked = MembershipRequest(self_information=self._disclosed(self._fresh().envelope, pki_id))
        message = GossipMessage(tag=GossipMessage.EMPTY, nonce=nonce, mem_req=asked)
        return Send(seal(message).envelope, pki_id, endpoint)

    def _passed_on(self, sealed: Sealed, but: bytes = b"") -> Push:
        return Push(sealed, partial(self._who_may_hear, sealed), but)

    def _who_may_hear(self, sealed: Sealed) -> list[Member]:
        """Who is told that a peer lives: everybody of own peers, few of those of others."""
        own_org = self._identities.mspid
        author = sealed.message.alive_msg.membership
        org = self._identities.org_of(author.pki_id)
        members = self.alive()
        if org == own_org and author.endpoint:
            return members
        if org == own_org:
            return [one for one in members if one.mspid == own_org]
        return [one for one in members if one.mspid in (own_org, org) and one.endpoint]

    # What is done now and then.

    def work(self) -> Effects:
        """What is to be done how often."""
        settings = self._settings
        return [
            Every(settings.alive_interval_s, self.say_alive),
            Every(settings.alive_expiration_s / LOOKS, self.look_for_dead),
            Every(settings.pull_interval_s, self.ask_for_members),
            Every(settings.reconnect_interval_s, self.try_dead),
        ]

    def say_alive(self) -> Effects:
        """Tell the others that one lives."""
        if not any(peer.alive for peer in self._peers.values()):
            return []
        self._own = self._alive_message()
        return [self._passed_on(self._own)]

    def look_for_dead(self) -> Effects:
        """Notice who has not said anything for too long, and forget who is dead for longer."""
        now_s = self._clock.monotonic_s()
        expiration_s = self._settings.alive_expiration_s
        effects: list[Effect] = []
        for pki_id, peer in list(self._peers.items()):
            silent_s = now_s - peer.seen_s
            if peer.alive and silent_s > expiration_s:
                effects.extend(self.expire(pki_id))
            elif silent_s > expiration_s * self._settings.expiration_factor:
                places = (peer.endpoint, peer.internal_endpoint)
                if not any(place in self._settings.bootstrap for place in places) and not any(
                    self._is_anchor(place) for place in places
                ):
                    effects.extend(self.forget(pki_id))
        return effects

    def ask_for_members(self) -> Effects:
        """Ask some peers whom they know."""
        alive = [(pki_id, peer) for pki_id, peer in self._peers.items() if peer.alive]
        asked = self._rng.sample(alive, min(self._settings.pull_peer_num, len(alive)))
        return [self.request(pki_id, peer.preferred_endpoint) for pki_id, peer in asked]

    def try_dead(self) -> Effects:
        """Look whether dead peers are back; `greet` those that answer."""
        dead = [(pki_id, peer) for pki_id, peer in self._peers.items() if not peer.alive]
        tried = self._rng.sample(dead, min(MAX_PINGS, len(dead)))
        return [Ping(pki_id, peer.preferred_endpoint) for pki_id, peer in tried]

    def greet(self, pki_id: bytes) -> Effects:
        """Make oneself known to a peer that is back."""
        peer = self._peers.get(pki_id)
        return [] if peer is None else [self.request(pki_id, peer.preferred_endpoint)]
