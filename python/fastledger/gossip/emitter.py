# SPDX-License-Identifier: Apache-2.0
"""Messages that are passed on, several at once (Fabric: ``gossip/gossip/batcher.go``).

A message goes out when enough of them wait, or some milliseconds later, as often as is set. Who
may know it the sender says, with every message: the emitter only chooses some of them by chance.
"""

import random
from dataclasses import dataclass

from fastledger.gossip.effects import Effects, Later, Push, Send
from fastledger.gossip.messages import without_secret
from fastledger.gossip.settings import GossipSettings

MAX_EMITTED = 1_000
"""Messages that wait to be passed on; more are dropped: others pass on the same."""


@dataclass(slots=True)
class _Waiting:
    push: Push
    iterations: int


class Emitter:
    """The messages that one peer passes on."""

    def __init__(self, settings: GossipSettings, mspid: str, rng: random.Random) -> None:
        """Pass nothing on yet.

        Args:
            settings: How many messages, how often, and to how many peers.
            mspid: The own organization, whose peers may know a message's secret part.
            rng: Chooses the peers.
        """
        self._settings = settings
        self._mspid = mspid
        self._rng = rng
        self._waiting: list[_Waiting] = []
        self._is_due = False

    def add(self, push: Push) -> Effects:
        """Take a message to be passed on."""
        settings = self._settings
        if not settings.propagate_iterations or len(self._waiting) >= MAX_EMITTED:
            return []
        self._waiting.append(_Waiting(push, settings.propagate_iterations))
        if len(self._waiting) >= settings.burst_size:
            return [*self._emit(), *self._wait()]
        return self._wait()

    def _wait(self) -> Effects:
        if self._is_due or not self._waiting:
            return []
        self._is_due = True
        return [Later(self._settings.burst_latency_s, self._due)]

    def _due(self) -> Effects:
        self._is_due = False
        return [*self._emit(), *self._wait()]

    def _emit(self) -> list[Send]:
        sends = [send for waiting in self._waiting for send in self._sends(waiting.push)]
        for waiting in self._waiting:
            waiting.iterations -= 1
        self._waiting = [waiting for waiting in self._waiting if waiting.iterations]
        return sends

    def _sends(self, push: Push) -> list[Send]:
        others = [member for member in push.route() if member.pki_id != push.but]
        count = min(self._settings.propagate_peer_num, len(others))
        envelope, public = push.sealed.envelope, without_secret(push.sealed.envelope)
        return [
            Send(
                envelope if member.mspid == self._mspid else public,
                member.pki_id,
                member.preferred_endpoint,
            )
            for member in self._rng.sample(others, count)
        ]
