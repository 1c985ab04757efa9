# SPDX-License-Identifier: Apache-2.0
"""Whom to ask for endorsements, and whom instead (``internal/pkg/gateway/endorsement.go``).

Of the layouts, which say how many endorsers of which group suffice, the first is filled: endorsers
that have answered already count, the others are asked at once. Who fails, or answers something
else than the first, is replaced by the next of its group; a group without anybody left ends the
layout, and the next one is tried with the answers that there are.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from fastledger.protos.peer.proposal_response_pb2 import ProposalResponse

MISMATCH = "ProposalResponsePayloads do not match"


@dataclass(frozen=True, slots=True)
class EndorsingPeer:
    """A peer that may endorse.

    Attributes:
        id: What tells it from others: its PKI-ID.
        address: Where it is served.
        mspid: Its organization.
        height: Blocks that it has, as far as it has said.
        own: Whether it is the gateway's own peer.
    """

    id: bytes
    address: str
    mspid: str
    height: int = 0
    own: bool = False


@dataclass(frozen=True, slots=True)
class Endorsers:
    """Groups of endorsers, the best first, and layouts: how many of each together suffice."""

    groups: Mapping[str, Sequence[EndorsingPeer]]
    layouts: Sequence[Mapping[str, int]]


Ask = Callable[[EndorsingPeer], Awaitable[ProposalResponse | None]]
"""Has a peer endorse; None when it refuses or cannot be reached."""

Tell = Callable[[EndorsingPeer, str], None]
"""Notes why an endorser does not count."""


def best_first(endorsers: Sequence[EndorsingPeer]) -> tuple[EndorsingPeer, ...]:
    """Put the highest ledgers first, and of equal ones the own peer's."""
    return tuple(sorted(endorsers, key=lambda one: (-one.height, not one.own)))


class EndorsementPlan:
    """One transaction's endorsements."""

    def __init__(self, endorsers: Endorsers, ask: Ask, tell: Tell) -> None:
        """Ask nobody yet."""
        self._endorsers = endorsers
        self._ask = ask
        self._tell = tell
        self._answers: dict[bytes, ProposalResponse] = {}
        self._failed: set[bytes] = set()

    def count(self, endorser: EndorsingPeer, answer: ProposalResponse) -> None:
        """Count an endorsement, if it is of what the others are of."""
        first = next(iter(self._answers.values()), answer)
        if answer.payload == first.payload:
            self._answers[endorser.id] = answer
        else:
            self._failed.add(endorser.id)
            self._tell(endorser, MISMATCH)

    async def collect(self) -> list[ProposalResponse] | None:
        """Return endorsements that suffice; None when nobody is left to ask for them."""
        layouts = list(self._endorsers.layouts)
        random.shuffle(layouts)
        # Those that count what is there already come first.
        layouts.sort(key=self._unanswered)
        for layout in layouts:
            found = await self._fill(layout)
            if found is not None:
                return found
        return None

    async def _fill(self, layout: Mapping[str, int]) -> list[ProposalResponse] | None:
        while (chosen := self._choose(layout)) is not None:
            missing = [one for one in chosen if one.id not in self._answers]
            if not missing:
                return [self._answers[one.id] for one in chosen]
            await asyncio.gather(*map(self._try, missing))
        return None

    async def _try(self, endorser: EndorsingPeer) -> None:
        answer = await self._ask(endorser)
        if answer is None:
            self._failed.add(endorser.id)
        else:
            self.count(endorser, answer)

    def _choose(self, layout: Mapping[str, int]) -> list[EndorsingPeer] | None:
        """Choose endorsers for a layout, each once; None when there are too few."""
        chosen: dict[bytes, EndorsingPeer] = {}
        for group, count in layout.items():
            able = [one for one in self._endorsers.groups.get(group, ()) if self._may(one, chosen)]
            able.sort(key=lambda one: one.id not in self._answers)
            if len(able) < count:
                return None
            chosen |= {one.id: one for one in able[:count]}
        return list(chosen.values())

    def _may(self, endorser: EndorsingPeer, chosen: Mapping[bytes, EndorsingPeer]) -> bool:
        return endorser.id not in self._failed and endorser.id not in chosen

    def _unanswered(self, layout: Mapping[str, int]) -> bool:
        return not any(
            one.id in self._answers
            for group in layout
            for one in self._endorsers.groups.get(group, ())
        )
