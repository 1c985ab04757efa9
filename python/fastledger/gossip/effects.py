# SPDX-License-Identifier: Apache-2.0
"""What the parts of gossip want done. They decide, and do nothing themselves.

A part takes a message, or the time, and returns effects. :class:`fastledger.gossip.node.GossipNode`
carries them out on sockets and timers, and a test in a world of its own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from fastledger.gossip.members import Member
from fastledger.gossip.messages import Sealed
from fastledger.protos.gossip.message_pb2 import Envelope


@dataclass(frozen=True, slots=True)
class Send:
    """Send to one peer; nobody waits, and what cannot be sent is dropped.

    Attributes:
        envelope: What to send.
        to: The peer's PKI-ID.
        endpoint: Where to dial it; when empty, only a connection that is there is used.
    """

    envelope: Envelope
    to: bytes
    endpoint: str = ""


@dataclass(frozen=True, slots=True)
class Push:
    """Pass on to some peers of those that may know, soon, with other messages.

    Attributes:
        sealed: The message.
        route: Who may know it; asked for when it goes out, of whoever knows the rule.
        but: The PKI-ID of the peer that it came from.
    """

    sealed: Sealed
    route: Callable[[], Sequence[Member]]
    but: bytes = b""


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the connection to a peer, if there is one."""

    peer: bytes


@dataclass(frozen=True, slots=True)
class Ping:
    """See whether a dead peer answers again at an address; ``Gossip.answers`` is told if so."""

    peer: bytes
    endpoint: str


@dataclass(frozen=True, slots=True)
class Connect:
    """Connect to whoever is at an address; ``Gossip.reached`` or ``Gossip.missed`` is told.

    Attributes:
        endpoint: The address.
        org: The organization that names the address as one of its peers'.
    """

    endpoint: str
    org: str


@dataclass(frozen=True, slots=True)
class Later:
    """Work to be done once, after so many seconds."""

    pause_s: float
    work: "Callable[[], Effects]"


@dataclass(frozen=True, slots=True)
class Every:
    """Work to be done again and again, with so many seconds between."""

    pause_s: float
    work: "Callable[[], Effects]"


Effect: TypeAlias = Send | Push | HangUp | Ping | Connect | Later | Every
Effects: TypeAlias = Sequence[Effect]
