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

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from fastledger.common import log
from fastledger.common.errors import FastledgerError
from fastledger.gossip.comm import GossipComm
from fastledger.gossip.connection import BROKEN, Connection
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

FIRST_RETRY_S = 0.25
"""A peer that could not be reached is tried again so soon, and then at longer and longer intervals
up to ``reconnect_interval_s``: networks come up all at once."""

QUIET_RETRY_S = 1.0
"""A peer that is reached within about so long is not worth a warning."""

FRESH_S = 1.0
"""What a peer has said of itself for so long is said anew."""

MAX_PINGS = 20
"""Dead peers that are tried at once."""

ACK_TIMEOUT_S = 5.0
"""A request for members that is not answered for so long is made again."""

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
        comm: GossipComm,
        push: Callable[[Sealed, bytes], None],
        is_anchor: Callable[[str], bool],
    ) -> None:
        """Know nobody.

        Args:
            settings: Intervals and endpoints.
            identities: Whose messages count.
            comm: Connections.
            push: Passes a message on, but not to the peer that is named.
            is_anchor: Whether an address is one that a channel's configuration names.
        """
        self._settings = settings
        self._identities = identities
        self._comm = comm
        self._push = push
        self._is_anchor = is_anchor
        self._peers: dict[bytes, _Peer] = {}
        self._forgotten: dict[bytes, Time] = {}
        self._started = time.time_ns()
        self._count = 0
        self._made_s = 0.0
        self._identity_until_s = time.monotonic() + settings.publish_cert_s
        self._answers: dict[int, asyncio.Event] = {}
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

    def handle(self, connection: Connection, sealed: Sealed) -> None:
        """Take a message about members.

        Raises:
            MessageRefused: It breaks a rule.
        """
        message = sealed.message
        match sealed.kind:
            case "alive_msg":
                if self._learn([sealed]):
                    self._push(sealed, connection.pki_id)
            case "mem_req":
                self._answer(connection, message.mem_req, message.nonce)
            case "mem_res":
                self._take(message.mem_res, message.nonce)

    def expire(self, pki_id: bytes) -> None:
        """Count a peer as dead, as it cannot be reached."""
        peer = self._peers.get(pki_id)
        if peer is not None and peer.alive:
            _logger.warning("peer %s is dead", peer.preferred_endpoint)
            peer.alive = False
            self._comm.hang_up(pki_id)

    def forget(self, pki_id: bytes) -> None:
        """Know nothing of a peer any more, and do not talk to it, whether or not it is a member."""
        self._comm.hang_up(pki_id)
        peer = self._peers.pop(pki_id, None)
        if peer is not None:
            if len(self._forgotten) >= MAX_FORGOTTEN:
                del self._forgotten[next(iter(self._forgotten))]
            self._forgotten[pki_id] = peer.time

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
            time.monotonic(),
            alive,
            said.membership.endpoint,
            hidden or (before.internal_endpoint if before else ""),
        )
        self._forgotten.pop(pki_id, None)
        if before is None or not before.alive:
            _logger.info("peer %s is %s", said.membership.endpoint, "alive" if alive else "dead")

    def _answer(self, connection: Connection, asked: MembershipRequest, nonce: int) -> None:
        """Tell a peer of those whom it may know."""
        sealed = unseal(asked.self_information)
        if sealed.kind != "alive_msg":
            raise MessageRefused("who asks for members does not say who it is")
        if sealed.message.alive_msg.membership.pki_id != connection.pki_id:
            raise MessageRefused("who asks for members is not who is connected")
        if not self._identities.check([(connection.pki_id, sealed)])[0]:
            raise MessageRefused("the alive message of who asks is not authentic")
        self._learn([sealed])
        external = sealed.message.alive_msg.membership.endpoint
        own_org = self._identities.is_own_org(connection.pki_id)
        if not own_org and not (external and self._settings.external_endpoint):
            raise MessageRefused(
                "a peer without external endpoint asks one of another organization"
            )
        answer = MembershipResponse()
        for pki_id, peer in self._peers.items():
            if self._may_know(connection.pki_id, external, pki_id, peer.endpoint):
                envelope = self._disclosed(peer.sealed.envelope, connection.pki_id)
                (answer.alive if peer.alive else answer.dead).append(envelope)
        answer.alive.append(self._disclosed(self._fresh().envelope, connection.pki_id))
        message = GossipMessage(tag=GossipMessage.EMPTY, nonce=nonce, mem_res=answer)
        self._comm.reply(connection, seal(message).envelope)

    def _may_know(self, asking: bytes, external: str, pki_id: bytes, endpoint: str) -> bool:
        """Whether a peer may be told of another: of its own organization, or of ours."""
        org, asking_org = self._identities.org_of(pki_id), self._identities.org_of(asking)
        if not org or org not in (asking_org, self._identities.mspid):
            return False
        return org == asking_org or bool(endpoint and external)

    def _disclosed(self, envelope: Envelope, to: bytes) -> Envelope:
        return envelope if self._identities.is_own_org(to) else without_secret(envelope)

    def _take(self, answer: MembershipResponse, nonce: int) -> None:
        """Learn from an answer; all its signatures are one batch."""
        waiting = self._answers.get(nonce)
        if waiting is not None:
            waiting.set()
        if len(answer.alive) + len(answer.dead) > MAX_RESPONSE:
            raise MessageRefused(f"an answer names more than {MAX_RESPONSE} members")
        self._learn([unseal(envelope) for envelope in answer.alive])
        self._learn([unseal(envelope) for envelope in answer.dead], alive=False)

    # What this peer says.

    def _alive_message(self) -> Sealed:
        identities, settings = self._identities, self._settings
        self._count += 1
        self._made_s = time.monotonic()
        said = AliveMessage(
            membership=MemberMessage(endpoint=settings.external_endpoint, pki_id=identities.own_id),
            timestamp=PeerTime(inc_num=self._started, seq_num=self._count),
        )
        if time.monotonic() < self._identity_until_s:
            said.identity = identities.signer.serialized
        message = GossipMessage(tag=GossipMessage.EMPTY, alive_msg=said)
        return with_secret(seal(message, identities.signer), settings.endpoint, identities.signer)

    def _fresh(self) -> Sealed:
        """What this peer says now: it brings the peer back where it is taken for dead."""
        if time.monotonic() - self._made_s > FRESH_S:
            self._own = self._alive_message()
        return self._own

    def _request(self, to_own_org: bool, nonce: int = 0) -> Envelope:
        own = self._fresh().envelope
        asked = MembershipRequest(self_information=own if to_own_org else without_secret(own))
        message = GossipMessage(tag=GossipMessage.EMPTY, nonce=nonce, mem_req=asked)
        return seal(message).envelope

    # What is done now and then.

    async def say_alive(self) -> None:
        """Tell the others that one lives."""
        if any(peer.alive for peer in self._peers.values()):
            self._own = self._alive_message()
            self._push(self._own, b"")

    async def look_for_dead(self) -> None:
        """Notice who has not said anything for too long, and forget who is dead for longer."""
        now = time.monotonic()
        expiration_s = self._settings.alive_expiration_s
        for pki_id, peer in list(self._peers.items()):
            silent_s = now - peer.seen_s
            if peer.alive and silent_s > expiration_s:
                self.expire(pki_id)
            elif silent_s > expiration_s * self._settings.expiration_factor:
                places = (peer.endpoint, peer.internal_endpoint)
                if not any(place in self._settings.bootstrap for place in places) and not any(
                    self._is_anchor(place) for place in places
                ):
                    self.forget(pki_id)

    async def ask_for_members(self) -> None:
        """Ask some peers whom they know."""
        alive = [(pki_id, peer) for pki_id, peer in self._peers.items() if peer.alive]
        for pki_id, peer in random.sample(alive, min(self._settings.pull_peer_num, len(alive))):
            request = self._request(self._identities.is_own_org(pki_id))
            self._comm.send(request, pki_id, peer.preferred_endpoint)

    async def try_dead(self) -> None:
        """Look whether dead peers are back."""
        dead = [(pki_id, peer) for pki_id, peer in self._peers.items() if not peer.alive]
        dead = random.sample(dead, min(MAX_PINGS, len(dead)))
        endpoints = [peer.preferred_endpoint for _, peer in dead]
        answers = await asyncio.gather(*(self._comm.ping(endpoint) for endpoint in endpoints))
        for (pki_id, peer), back in zip(dead, answers, strict=True):
            if back:
                request = self._request(self._identities.is_own_org(pki_id))
                self._comm.send(request, pki_id, peer.preferred_endpoint)

    async def meet(self, endpoint: str, accepts: Callable[[str], bool]) -> None:
        """Get to know whoever is at an address; ends when it has answered.

        Args:
            endpoint: A bootstrap or anchor peer.
            accepts: Whether one of an organization may be there.
        """
        pause_s = FIRST_RETRY_S
        for _ in range(self._settings.max_attempts):
            try:
                if await self._introduce(endpoint, accepts):
                    return
            except (FastledgerError, TimeoutError, *BROKEN) as error:
                tell = _logger.warning if pause_s > QUIET_RETRY_S else _logger.debug
                tell("could not connect to %s: %s", endpoint, error)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, self._settings.reconnect_interval_s)

    async def _introduce(self, endpoint: str, accepts: Callable[[str], bool]) -> bool:
        connection = await self._comm.connect(endpoint)
        org = self._identities.org_of(connection.pki_id)
        if not accepts(org):
            raise MessageRefused(f"the peer there is one of {org or 'nobody'}")
        nonce = random.getrandbits(64)
        answered = self._answers[nonce] = asyncio.Event()
        try:
            own_org = self._identities.is_own_org(connection.pki_id)
            self._comm.reply(connection, self._request(own_org, nonce))
            async with asyncio.timeout(ACK_TIMEOUT_S):
                await answered.wait()
        finally:
            del self._answers[nonce]
        return True


Periodic = Callable[[], Awaitable[None]]


def schedules(membership: Membership, settings: GossipSettings) -> Iterable[tuple[float, Periodic]]:
    """Return what is to be done how often, in seconds."""
    yield settings.alive_interval_s, membership.say_alive
    yield settings.alive_expiration_s / 10, membership.look_for_dead
    yield settings.pull_interval_s, membership.ask_for_members
    yield settings.reconnect_interval_s, membership.try_dead
