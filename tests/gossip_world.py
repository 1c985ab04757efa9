# SPDX-License-Identifier: Apache-2.0
"""A network of gossiping peers without sockets, and with a time of its own."""

import heapq
import itertools
import random
from collections.abc import Callable, Iterable
from dataclasses import replace

from fastledger.gossip.effects import Connect, Effects, Every, HangUp, Later, Ping, Send
from fastledger.gossip.gossip import Gossip
from fastledger.gossip.identities import Identities
from fastledger.gossip.messages import MessageRefused, unseal
from fastledger.gossip.settings import GossipSettings
from fastledger.protos.gossip.message_pb2 import Envelope
from gossiping import USUAL, heights, join, sees

NOW_NS = 1_800_000_000 * 10**9
"""When a world begins: while the recorded certificates are valid."""

LATENCY_S = 0.01


class Person:
    """Somebody at an address in a world."""

    def __init__(self, world: "World", identities: Identities, endpoint: str) -> None:
        self.world = world
        self.identities = identities
        self.endpoint = endpoint

    @property
    def id(self) -> bytes:
        return self.identities.own_id

    def receive(self, sender: "Person", envelope: Envelope) -> None:
        """Take what somebody has sent."""
        raise NotImplementedError


class Peer(Person):
    """A peer whose effects the world carries out."""

    def __init__(self, world: "World", identities: Identities, settings: GossipSettings) -> None:
        super().__init__(world, identities, settings.endpoint)
        self.gossip = Gossip(settings, identities, world, world.rng)

    def receive(self, sender: Person, envelope: Envelope) -> None:
        self.do(self.gossip.handle(sender.id, unseal(envelope)))

    def do(self, effects: Effects) -> None:
        for effect in effects:
            self.world.carry_out(self, effect)

    def join(self, **anchors: list[str]) -> None:
        self.do(join(self.gossip, **anchors))

    def sees(self) -> set[str]:
        return sees(self.gossip)

    def heights(self) -> dict[str, int]:
        return heights(self.gossip)


class World:
    """A network, and the time in it. With one seed, everything happens again in the same order.

    ::

        Gossip ──► effects ──► carry_out ──► agenda, by time ──► run: time jumps to the next
          ▲                                                        │
          └────────────────── message, connection, timer ◄─────────┘
    """

    def __init__(self, seed: int = 0) -> None:
        self.rng = random.Random(seed)
        self.story: list[tuple[float, str, str, str]] = []
        """What was sent: when, from where, where to, and which kind."""
        self._now_s = 0.0
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._people: dict[str, Person] = {}
        self._connected: set[frozenset[str]] = set()
        self._parts: list[set[str]] = []

    # A clock.

    def monotonic_s(self) -> float:
        return self._now_s

    def unix_ns(self) -> int:
        return NOW_NS + int(self._now_s * 1e9)

    # What happens in it.

    def enter(self, person: Person) -> None:
        """Put somebody at an address."""
        self._people[person.endpoint] = person

    def start(
        self,
        identities: Identities,
        endpoint: str,
        *bootstrap: str,
        hidden: bool = False,
        settings: GossipSettings = USUAL,
    ) -> Peer:
        """Start a peer."""
        external = "" if hidden else endpoint
        settings = replace(
            settings, endpoint=endpoint, external_endpoint=external, bootstrap=bootstrap
        )
        peer = Peer(self, identities, settings)
        self.enter(peer)
        peer.do(peer.gossip.start())
        return peer

    def stop(self, endpoint: str) -> None:
        """End a process: who dials it is refused at once."""
        del self._people[endpoint]
        self._connected = {pair for pair in self._connected if endpoint not in pair}

    def part(self, *parts: Iterable[str]) -> None:
        """Lose everything between these parts, without a word; with none of them, nothing."""
        self._parts = [set(part) for part in parts]

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end_s = self._now_s + seconds
        while self._agenda and self._agenda[0][0] <= end_s:
            self._now_s, _, work = heapq.heappop(self._agenda)
            work()
        self._now_s = end_s

    def until(self, holds: Callable[[], object], limit_s: float = 600) -> None:
        """Let time pass until something holds."""
        end_s = self._now_s + limit_s
        while not holds():
            assert self._agenda
            assert self._agenda[0][0] <= end_s, f"not within {limit_s} s"
            self._now_s, _, work = heapq.heappop(self._agenda)
            work()

    def are_connected(self, one: Person, other: Person) -> bool:
        return _pair(one, other) in self._connected

    def meet(self, one: Person, other: Person) -> None:
        """Connect two: they learn who the other is; raises MessageRefused."""
        one.identities.put(other.id, other.identities.signer.serialized)
        other.identities.put(one.id, one.identities.signer.serialized)
        self._connected.add(_pair(one, other))

    # Effects.

    def carry_out(self, peer: Peer, effect: object) -> None:
        match effect:
            case Send():
                self._send(peer, effect)
            case HangUp():
                met = {frozenset([peer.endpoint, x.endpoint]) for x in self._of_id(effect.peer)}
                self._connected -= met
            case Ping():
                if self._reaches(peer, effect.endpoint):
                    self._later(peer, LATENCY_S, lambda: peer.gossip.answers(effect.peer))
            case Connect():
                self._connect(peer, effect)
            case Later():
                self._later(peer, effect.pause_s, lambda: peer.gossip.due(effect))
            case Every():
                self._every(peer, effect)

    def _send(self, peer: Peer, effect: Send) -> None:
        for other in self._of_id(effect.to):
            if self.are_connected(peer, other):
                self.post(peer, other, effect.envelope)
                return
        if effect.endpoint:
            other = self._dialled(peer, effect.endpoint)
            if isinstance(other, Person) and other.id == effect.to:
                self.post(peer, other, effect.envelope)
            else:
                self._later(peer, LATENCY_S, lambda: peer.gossip.unreachable(effect.to))

    def _connect(self, peer: Peer, effect: Connect) -> None:
        place = effect.endpoint, effect.org
        found = self._dialled(peer, effect.endpoint)
        if isinstance(found, Person):
            self._later(peer, LATENCY_S, lambda: peer.gossip.reached(*place, found.id))
        else:
            self._later(peer, LATENCY_S, lambda: peer.gossip.missed(*place, found))

    def _dialled(self, peer: Peer, endpoint: str) -> Person | str:
        if not self._reaches(peer, endpoint):
            return "nobody there"
        other = self._people[endpoint]
        try:
            self.meet(peer, other)
        except MessageRefused as error:
            return str(error)
        return other

    def post(self, sender: Person, to: Person, envelope: Envelope) -> None:
        """Bring a message to somebody, unless it is lost on the way."""
        kind = unseal(envelope).kind
        self.story.append((self._now_s, sender.endpoint, to.endpoint, kind))
        if self._reaches(sender, to.endpoint):

            def arrive() -> None:
                if self._people.get(to.endpoint) is to:
                    to.receive(sender, envelope)

            self._at(LATENCY_S, arrive)

    def _reaches(self, one: Person, endpoint: str) -> bool:
        here = [part for part in self._parts if one.endpoint in part]
        return endpoint in self._people and (not here or endpoint in here[0])

    def _of_id(self, pki_id: bytes) -> list[Person]:
        return [one for one in self._people.values() if one.id == pki_id]

    def _later(self, peer: Peer, pause_s: float, work: Callable[[], Effects]) -> None:
        def act() -> None:
            if self._people.get(peer.endpoint) is peer:
                peer.do(work())

        self._at(pause_s, act)

    def _every(self, peer: Peer, effect: Every) -> None:
        def again() -> Effects:
            self._every(peer, effect)
            return peer.gossip.due(effect)

        self._later(peer, effect.pause_s, again)

    def _at(self, pause_s: float, work: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (self._now_s + pause_s, next(self._order), work))


def _pair(one: Person, other: Person) -> frozenset[str]:
    return frozenset([one.endpoint, other.endpoint])
