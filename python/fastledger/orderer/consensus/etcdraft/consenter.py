# SPDX-License-Identifier: Apache-2.0
"""The kind etcdraft: which chain a channel has on this orderer (Fabric: ``etcdraft/consenter.go``).

=====================================  ============================================================
the configuration                      the chain
=====================================  ============================================================
does not name this orderer, or blocks  a follower's
up to a join block are missing
names this orderer alone, and there    one that asks nobody: its block files are the log
never was a log
names this orderer                     raft's
=====================================  ============================================================
"""

import secrets
from dataclasses import dataclass
from pathlib import Path

from fastledger._core import RaftNode, remove_raft_log
from fastledger.channelconfig import Orderer
from fastledger.common import log
from fastledger.common.errors import InputError, LedgerCorrupted, Unsupported
from fastledger.orderer.cluster import ClusterComm
from fastledger.orderer.consensus.chain import Chain, Consenter, ConsenterSupport
from fastledger.orderer.consensus.clock import LOOP, Clock
from fastledger.orderer.consensus.etcdraft.beginning import (
    Beginning,
    beginning_of,
    campaigns_first,
    last_kept,
)
from fastledger.orderer.consensus.etcdraft.chain import RaftChain
from fastledger.orderer.consensus.etcdraft.logage import check_age
from fastledger.orderer.consensus.etcdraft.lognotes import LogNote, LogNotes
from fastledger.orderer.consensus.etcdraft.membership import (
    Membership,
    consenters_of,
    has_key,
    key_of,
)
from fastledger.orderer.consensus.etcdraft.options import RaftOptions, RaftSettings
from fastledger.orderer.consensus.etcdraft.single import SingleConsenterChain, SingleConsenterLog
from fastledger.orderer.consensus.follower.chain import FollowerChain
from fastledger.orderer.replication.replication import Replication
from fastledger.protos.common.common_pb2 import Metadata
from fastledger.protos.orderer.etcdraft.metadata_pb2 import BlockMetadata

_logger = log.get("orderer.consensus.etcdraft")


@dataclass(frozen=True, slots=True)
class RaftParts:
    """What a node has for all of its raft channels.

    Attributes:
        comm: Its streams to other orderers.
        settings: ``Consensus`` of orderer.yaml.
        notes: Which logs it has begun.
        identity: Its own, serialized, as it signs blocks.
        clock: Ticks, and times batches.
    """

    comm: ClusterComm
    settings: RaftSettings
    notes: LogNotes
    identity: bytes
    clock: Clock = LOOP


def consenter(
    server_certificate: bytes | None, replication: Replication | None, raft: RaftParts | None
) -> Consenter:
    """Return the kind.

    Args:
        server_certificate: Our PEM TLS certificate, by whose key consenters are told apart
            (``crypto.CertificatesWithSamePublicKey``); None where TLS is off, and the one
            consenter must be us.
        replication: How blocks of others are pulled; None where nobody is followed.
        raft: None where there can be no other consenters, as without TLS.
    """
    return _Kind(server_certificate, replication, raft).consenter()


class _Kind:
    def __init__(
        self,
        server_certificate: bytes | None,
        replication: Replication | None,
        raft: RaftParts | None,
    ) -> None:
        self._ours = key_of(server_certificate) if server_certificate is not None else None
        self._replication = replication
        self._raft = raft

    def consenter(self) -> Consenter:
        return Consenter(self._check, self._chain, self._is_member, self._forget)

    def _is_member(self, values: Orderer) -> bool:
        consenters = consenters_of(values)
        if self._ours is None:
            return len(consenters) == 1
        return any(has_key(one, self._ours) for one in consenters)

    def _check(self, channel_id: str, values: Orderer) -> None:
        """Refuse a channel that is neither ours to order nor one to follow."""
        try:
            consenters = consenters_of(values)
        except InputError as error:
            raise Unsupported(f"channel {channel_id}: its etcdraft metadata: {error}") from error
        if not self._is_member(values):
            if self._replication is None:
                raise Unsupported(f"channel {channel_id}: none of its consenters is this orderer")
        elif len(consenters) != 1 and (self._raft is None or self._ours is None):
            raise Unsupported(
                f"channel {channel_id} names {len(consenters)} etcdraft consenters, which takes "
                "TLS between orderers: set General.TLS.Enabled"
            )

    def _chain(self, support: ConsenterSupport, _: bytes) -> Chain:
        if support.is_onboarding or not self._is_member(support.orderer):
            if self._replication is None:
                raise Unsupported(
                    f"channel {support.channel_id}: this orderer has no TLS identity for other "
                    "orderers, and cannot follow them"
                )
            return FollowerChain(support, self._replication.puller(support), self._is_member)
        kept = last_kept(support)
        membership = Membership.of(kept, support.orderer)
        raft, ours = self._raft, self._ours
        if raft is None or ours is None:
            return _single(support, membership, kept)
        return _raft_chain(support, raft, self._replication, membership, kept, ours)

    def _forget(self, channel_id: str) -> None:
        """Delete a removed channel's log."""
        if self._raft is not None:
            remove_raft_log(str(self._raft.settings.wal_folder / channel_id))
            self._raft.notes.forget(channel_id)


def single_consenter_chain(support: ConsenterSupport, last_metadata: bytes) -> SingleConsenterChain:
    """Return the chain of one orderer, whose blocks count the places of a raft log.

    It goes on after what the last block keeps, empty for nothing.
    """
    kept = BlockMetadata.FromString(Metadata.FromString(last_metadata).value)
    known = kept if kept.consenter_ids else None
    return _single(support, Membership.of(known, support.orderer), known)


def _single(
    support: ConsenterSupport,
    membership: Membership,
    kept: BlockMetadata | None,
    clock: Clock = LOOP,
) -> SingleConsenterChain:
    places = SingleConsenterLog(support, membership, kept.raft_index if kept else 0)
    return SingleConsenterChain(support, places, clock=clock)


def _raft_chain(
    support: ConsenterSupport,
    raft: RaftParts,
    replication: Replication | None,
    membership: Membership,
    kept: BlockMetadata | None,
    ours: bytes,
) -> Chain:
    """Return the chain of a consenter, with the log that it has, or as its log begins."""
    channel_id, member = support.channel_id, membership.member(ours)
    folder = raft.settings.wal_folder / channel_id
    noted = raft.notes.read(channel_id)
    if noted is not None and noted.member != member:
        _logger.info(
            "[channel: %s] was consenter %d, and is now %d; the former log is removed",
            channel_id,
            noted.member,
            member,
        )
        remove_raft_log(str(folder))
        raft.notes.forget(channel_id)
        noted = None
    has_log = _has_log(folder)
    if len(membership.consenters) == 1 and noted is None and not has_log:
        return _single(support, membership, kept, raft.clock)
    if replication is None:
        raise Unsupported(f"channel {channel_id}: this orderer cannot pull blocks from others")
    options = RaftOptions.read(support.orderer, raft.settings)
    beginning = Beginning() if has_log else beginning_of(support, kept, membership, member)

    def open_log() -> RaftNode:
        if noted is not None and not has_log:
            raise LedgerCorrupted(_amnesia(channel_id, folder, member))
        node = RaftNode(
            str(folder),
            member,
            election_tick=options.election_tick,
            heartbeat_tick=options.heartbeat_tick,
            max_message_bytes=options.max_message_bytes,
            max_inflight_messages=options.max_inflight_blocks,
            seed=secrets.randbits(64),
            members=list(beginning.members),
            snapshot=beginning.snapshot,
        )
        if noted is None:
            raft.notes.write(channel_id, LogNote(member, support.height))
        elif noted.height is not None:
            try:
                check_age(support, node.last_index, raft.identity, noted.height)
            except LedgerCorrupted:
                node.close()
                raise
        return node

    first = bool(beginning.members) and campaigns_first(channel_id, member, len(membership.ids))
    return RaftChain(
        support,
        open_log,
        member,
        membership,
        options,
        raft.comm,
        replication.puller(support),
        raft.settings.eviction_suspicion_s,
        campaigns=first or beginning.snapshot is not None,
        clock=raft.clock,
    )


def _has_log(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())


def _amnesia(channel_id: str, folder: Path, member: int) -> str:
    return (
        f"{folder}: the raft log of channel {channel_id} is gone, in which this orderer may have "
        f"voted as consenter {member}; it must not vote again under this number: copy the log "
        "back, or have the consenter removed from the channel's configuration and added again"
    )
