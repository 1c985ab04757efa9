# SPDX-License-Identifier: Apache-2.0
"""Bootstrap and anchor peers that one wants to know (``connectToAnchorPeers``, ``Connect``).

::

                  Connect             reached: asked for members       its answer
    wanted ─────────────► connecting ───────────────────────► asked ─────────────► known
       ▲                      │ missed                          │ nothing for ACK_TIMEOUT_S
       └─── a pause, longer ──┴─────────────────────────────────┘
            and longer; after max_attempts: given up
"""

import random
from dataclasses import dataclass

from fastledger.common import log
from fastledger.gossip.effects import Connect, Effects, Later
from fastledger.gossip.identities import Identities
from fastledger.gossip.membership import Membership
from fastledger.gossip.settings import GossipSettings

FIRST_RETRY_S = 0.25
"""A peer that could not be reached is tried again so soon, and then at longer and longer intervals
up to ``reconnect_interval_s``: networks come up all at once."""

QUIET_RETRY_S = 1.0
"""A peer that is reached within about so long is not worth a warning."""

ACK_TIMEOUT_S = 5.0
"""A request for members that is not answered for so long is made again."""

_Place = tuple[str, str]
"""An address, and the organization that names it."""

_logger = log.get("gossip.discovery")


@dataclass(slots=True)
class _Meeting:
    pause_s: float = FIRST_RETRY_S
    attempts: int = 0
    nonce: int | None = None
    """Of the request that waits for its answer."""


class Meetings:
    """The peers that one wants to know and does not yet."""

    def __init__(
        self,
        settings: GossipSettings,
        identities: Identities,
        membership: Membership,
        rng: random.Random,
    ) -> None:
        """Want nobody yet."""
        self._settings = settings
        self._identities = identities
        self._membership = membership
        self._rng = rng
        self._wanted: dict[_Place, _Meeting] = {}

    def want(self, endpoint: str, org: str) -> Effects:
        """Get to know whoever of an organization is at an address, unless that is being done."""
        settings = self._settings
        if settings.is_own(endpoint) or (endpoint, org) in self._wanted:
            return []
        if org != self._identities.mspid and not settings.external_endpoint:
            _logger.info("no external endpoint: not connecting to %s of %s", endpoint, org)
            return []
        self._wanted[endpoint, org] = _Meeting()
        return self._try((endpoint, org))

    def _try(self, place: _Place) -> Effects:
        meeting = self._wanted.get(place)
        if meeting is None:
            return []
        if meeting.attempts >= self._settings.max_attempts:
            del self._wanted[place]
            return []
        meeting.attempts += 1
        return [Connect(*place)]

    def reached(self, endpoint: str, org: str, pki_id: bytes) -> Effects:
        """A connection stands: ask the peer whom it knows."""
        meeting = self._wanted.get((endpoint, org))
        if meeting is None:
            return []
        own_org, found = self._identities.mspid, self._identities.org_of(pki_id)
        if not found or (org == own_org and found != own_org):
            return self.missed(endpoint, org, f"the peer there is one of {found or 'nobody'}")
        nonce = meeting.nonce = self._rng.getrandbits(64)

        def late() -> Effects:
            unanswered = self._wanted.get((endpoint, org))
            if unanswered is None or unanswered.nonce != nonce:
                return []
            return self.missed(endpoint, org, f"no answer for {ACK_TIMEOUT_S:g} s")

        request = self._membership.request(pki_id, endpoint, nonce)
        return [request, Later(ACK_TIMEOUT_S, late)]

    def missed(self, endpoint: str, org: str, reason: str) -> Effects:
        """Nobody is at an address, or somebody else, or nobody answers: try again later."""
        meeting = self._wanted.get((endpoint, org))
        if meeting is None:
            return []
        tell = _logger.warning if meeting.pause_s > QUIET_RETRY_S else _logger.debug
        tell("could not connect to %s: %s", endpoint, reason)
        pause_s, meeting.nonce = meeting.pause_s, None
        meeting.pause_s = min(2 * pause_s, self._settings.reconnect_interval_s)
        return [Later(pause_s, lambda: self._try((endpoint, org)))]

    def answered(self, nonce: int) -> None:
        """A peer has told whom it knows: it is known."""
        done = [place for place, one in self._wanted.items() if one.nonce == nonce]
        for place in done:
            del self._wanted[place]
