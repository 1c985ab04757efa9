# SPDX-License-Identifier: Apache-2.0
"""Who the consenters are, and which updates change that (Fabric: ``etcdraft/membership.go``).

Each consenter has a raft id, which nobody else ever gets. Configurations name consenters without
ids; the ids stand in the blocks, in the order of the configuration's consenters.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from google.protobuf.message import DecodeError

from fastledger._core import Certificate
from fastledger.channelconfig import Orderer
from fastledger.common.errors import IdentityRefused, InputError
from fastledger.orderer.consensus.chain import ConsenterSupport
from fastledger.orderer.msgprocessor.message import OrdererMessage
from fastledger.protos.common.common_pb2 import HeaderType, Metadata
from fastledger.protos.orderer.etcdraft.configuration_pb2 import ConfigMetadata, Consenter
from fastledger.protos.orderer.etcdraft.metadata_pb2 import BlockMetadata
from fastledger.protoutil.envelope import config_of


@dataclass(frozen=True, slots=True)
class MembershipChanges:
    """Consenters that come and go; one that comes while one goes has a new certificate."""

    added: tuple[Consenter, ...]
    removed: tuple[Consenter, ...]


def membership_changes(old: Sequence[Consenter], new: Sequence[Consenter]) -> MembershipChanges:
    """Compare two sets of consenters, who are told apart by their client certificates.

    Raises:
        InputError: More than one is added, or more than one removed.
    """
    before = {consenter.client_tls_cert for consenter in old}
    after = {consenter.client_tls_cert for consenter in new}
    added = tuple(consenter for consenter in new if consenter.client_tls_cert not in before)
    removed = tuple(consenter for consenter in old if consenter.client_tls_cert not in after)
    if len(added) > 1 or len(removed) > 1:
        raise InputError(
            "update of more than one consenter at a time is not supported, requested changes: "
            f"add {len(added)} node(s), remove {len(removed)} node(s)"
        )
    return MembershipChanges(added, removed)


def consenters_of(values: Orderer) -> Sequence[Consenter]:
    """Return the consenters that a configuration names; raises InputError."""
    try:
        return ConfigMetadata.FromString(values.consensus_metadata).consenters
    except DecodeError as error:
        raise InputError(f"failed to unmarshal consensus metadata: {error}") from error


def key_of(pem: bytes) -> bytes | None:
    """Return a certificate's key, the DER of ``SubjectPublicKeyInfo``; None if it has none."""
    try:
        return Certificate(pem).public_key
    except (IdentityRefused, InputError):
        return None


def has_key(consenter: Consenter, key: bytes) -> bool:
    """Whether one of a consenter's certificates has a key (Fabric: ``detectSelfID``)."""
    return key in (key_of(consenter.server_tls_cert), key_of(consenter.client_tls_cert))


class ConfChangeKind(IntEnum):
    """``raftpb.ConfChangeType``, as far as Fabric uses it."""

    ADD = 0
    REMOVE = 1


@dataclass(frozen=True, slots=True)
class ConfChange:
    """What raft is told after a configuration block that adds or removes a consenter."""

    kind: ConfChangeKind
    member: int


@dataclass(frozen=True, slots=True)
class Membership:
    """The consenters of a channel by raft id, in the order of the configuration."""

    consenters: Mapping[int, Consenter]
    next_id: int

    @staticmethod
    def of(kept: BlockMetadata | None, values: Orderer) -> "Membership":
        """Give consenters the ids that a block keeps; without one, ids from 1 on.

        Raises:
            InputError: The block keeps ids of other consenters than the configuration has.
        """
        named = consenters_of(values)
        if kept is None:
            return Membership(dict(enumerate(named, start=1)), len(named) + 1)
        if len(kept.consenter_ids) != len(named):
            raise InputError(
                f"the last block keeps {len(kept.consenter_ids)} raft ids, and the configuration "
                f"names {len(named)} consenters"
            )
        return Membership(dict(zip(kept.consenter_ids, named, strict=True)), kept.next_consenter_id)

    @property
    def ids(self) -> list[int]:
        """The raft ids."""
        return list(self.consenters)

    def member(self, key: bytes) -> int:
        """Return the raft id of the consenter that has a TLS key; 0 for nobody."""
        return next((number for number, one in self.consenters.items() if has_key(one, key)), 0)

    def kept(self, raft_index: int) -> bytes:
        """Return what a block keeps: ``etcdraft.BlockMetadata`` in a ``common.Metadata``."""
        kept = BlockMetadata(
            consenter_ids=self.ids, next_consenter_id=self.next_id, raft_index=raft_index
        )
        return Metadata(value=kept.SerializeToString()).SerializeToString()

    def following(self, named: Sequence[Consenter]) -> "Transition":
        """Return the membership of a later configuration, and the way there.

        Raises:
            InputError: More than one is added, or more than one removed.
        """
        changes = membership_changes(list(self.consenters.values()), named)
        by_certificate = {one.client_tls_cert: number for number, one in self.consenters.items()}
        gone = by_certificate[changes.removed[0].client_tls_cert] if changes.removed else 0
        came = (gone or self.next_id) if changes.added else 0
        for one in changes.added:
            by_certificate[one.client_tls_cert] = came
        ids = {by_certificate[one.client_tls_cert]: one for one in named}
        if gone and came:
            return Transition(Membership(ids, self.next_id), None, rotated=gone)
        if came:
            change = ConfChange(ConfChangeKind.ADD, came)
            return Transition(Membership(ids, self.next_id + 1), change)
        change_back = ConfChange(ConfChangeKind.REMOVE, gone) if gone else None
        return Transition(Membership(ids, self.next_id), change_back)


@dataclass(frozen=True, slots=True)
class Transition:
    """From one membership to the next.

    Attributes:
        membership: The next one.
        change: What raft must be told, if anything.
        rotated: Whose certificate is another; 0 for nobody's.
    """

    membership: Membership
    change: ConfChange | None
    rotated: int = 0

    def loses_quorum(self, active: Collection[int]) -> bool:
        """Whether too few of those that are active would be left, and it could be avoided.

        As Fabric (``UnacceptableQuorumLoss``), but for a certificate of one that is away: to give
        it another is how it comes back, and takes nobody from those that are there.
        """
        left = set(active)
        quorum = len(self.membership.consenters) // 2 + 1
        survives_faults = len(self.membership.consenters) > 2
        if self.rotated:
            is_there = self.rotated in left
            left.discard(self.rotated)
            return survives_faults and is_there and len(left) < quorum
        if self.change is None:
            return False
        if self.change.kind is ConfChangeKind.ADD:
            return survives_faults and len(left) < quorum
        left.discard(self.change.member)
        return len(left) < quorum


def following_membership(
    support: ConsenterSupport, membership: Membership, envelope: bytes
) -> Transition:
    """Return where a configuration leads that follows the one in force, or makes a channel.

    Raises:
        FastledgerError: It does not follow.
    """
    if OrdererMessage.parse(envelope).type != HeaderType.CONFIG:
        return Transition(membership, None)
    values = support.bundle.apply(config_of(envelope)).orderer
    if values is None or values.consensus_type != support.orderer.consensus_type:
        return Transition(membership, None)
    return membership.following(consenters_of(values))
