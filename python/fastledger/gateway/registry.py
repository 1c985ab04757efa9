# SPDX-License-Identifier: Apache-2.0
"""Who has a chaincode, and who has to endorse (``internal/pkg/gateway/registry.go``)."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from fastledger.gateway.plan import Endorsers, EndorsingPeer, best_first
from fastledger.protos.discovery.protocol_pb2 import EndorsementDescriptor
from fastledger.protos.gossip.message_pb2 import Properties
from fastledger.protos.peer.proposal_response_pb2 import ChaincodeInterest

MAX_KEPT = 1024
"""Chaincodes, and interests, of which the endorsers are remembered."""

MAX_KEPT_BYTES = 16 * 1024
"""What transactions touch that touch more is not remembered."""

FRESH_S = 1.0
"""Who is there is looked up again after so long; peers tell their heights every few seconds."""

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class Member(Protocol):
    """A peer of the channel, as gossip knows it."""

    @property
    def pki_id(self) -> bytes:
        """What gossip calls it."""

    @property
    def mspid(self) -> str:
        """Its organization."""

    @property
    def endpoint(self) -> str:
        """Where everybody reaches it."""

    @property
    def properties(self) -> Properties:
        """Its height and its chaincodes."""


@dataclass(frozen=True, slots=True)
class Own:
    """The gateway's own peer, which knows more of itself than gossip does.

    Attributes:
        pki_id: What gossip calls it.
        address: Where it is served.
        mspid: Its organization.
        height: Blocks that it has now.
        runs: Whether it has a chaincode.
    """

    pki_id: bytes
    address: str
    mspid: str
    height: Callable[[], int]
    runs: Callable[[str], bool]


class Registry:
    """One channel's endorsers."""

    def __init__(
        self,
        own: Own,
        members: Callable[[], Iterable[Member]],
        descriptor: Callable[[ChaincodeInterest], EndorsementDescriptor],
        pki_id_of: Callable[[bytes], bytes],
        on_every_peer: Sequence[str],
    ) -> None:
        """Look at a channel.

        Args:
            own: The gateway's own peer.
            members: The channel's peers, the own one too.
            descriptor: Who has to endorse what touches chaincodes, collections and keys.
            pki_id_of: What gossip calls a peer with an identity.
            on_every_peer: Chaincodes that nobody installs.
        """
        self._own = own
        self._members = members
        self._descriptor = descriptor
        self._pki_id_of = pki_id_of
        self._on_every_peer = on_every_peer
        self._having: _Fresh[str, Sequence[EndorsingPeer]] = _Fresh()
        self._plans: _Fresh[bytes, Endorsers] = _Fresh()

    def endorsers(self, chaincode: str) -> Sequence[EndorsingPeer]:
        """Who has a chaincode: peers of the own organization first, then by their heights."""
        found = self._having.get(chaincode)
        if found is None:
            found = self._find(chaincode)
            # Whoever asks may make up any name, of any length: what nobody has is not remembered.
            if found:
                self._having.keep(chaincode, found)
        return found

    def endorsers_for(self, interest: ChaincodeInterest) -> Endorsers:
        """Who has to endorse what touches chaincodes, collections and keys.

        Raises:
            FastledgerError: The peers that are known do not suffice.
        """
        key = interest.SerializeToString(deterministic=True)
        found = self._plans.get(key)
        if found is None:
            found = self._derive(interest)
            if len(key) <= MAX_KEPT_BYTES:
                self._plans.keep(key, found)
        return found

    def _find(self, chaincode: str) -> Sequence[EndorsingPeer]:
        able = [
            self._endorser(member) for member in self._members() if self._has(member, chaincode)
        ]
        own = [one for one in able if one.mspid == self._own.mspid]
        others = [one for one in able if one.mspid != self._own.mspid]
        return (*best_first(own), *best_first(others))

    def _has(self, member: Member, chaincode: str) -> bool:
        return (
            chaincode in self._on_every_peer
            or any(one.name == chaincode for one in member.properties.chaincodes)
            # What it tells others of itself comes a moment later.
            or (member.pki_id == self._own.pki_id and self._own.runs(chaincode))
        )

    def _endorser(self, member: Member) -> EndorsingPeer:
        if member.pki_id == self._own.pki_id:
            own = self._own
            return EndorsingPeer(own.pki_id, own.address, member.mspid, own.height(), own=True)
        height = member.properties.ledger_height
        return EndorsingPeer(member.pki_id, member.endpoint, member.mspid, height)

    def _derive(self, interest: ChaincodeInterest) -> Endorsers:
        members = {one.pki_id: one for one in self._members()}
        descriptor = self._descriptor(interest)
        groups = {}
        for name, group in descriptor.endorsers_by_groups.items():
            known = (members.get(self._pki_id_of(peer.identity)) for peer in group.peers)
            groups[name] = best_first([self._endorser(one) for one in known if one is not None])
        return Endorsers(groups, [dict(one.quantities_by_group) for one in descriptor.layouts])


@dataclass
class _Fresh(Generic[_Key, _Value]):
    """Answers that are remembered for a while; when there are too many, only the newest."""

    _kept: dict[_Key, tuple[float, _Value]] = field(default_factory=dict)

    def get(self, key: _Key) -> _Value | None:
        made, value = self._kept.get(key, (0.0, None))
        return value if time.monotonic() - made <= FRESH_S else None

    def keep(self, key: _Key, value: _Value) -> None:
        if len(self._kept) >= MAX_KEPT and key not in self._kept:
            self._kept.clear()
        self._kept[key] = (time.monotonic(), value)
