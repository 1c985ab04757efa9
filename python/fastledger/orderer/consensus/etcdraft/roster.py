# SPDX-License-Identifier: Apache-2.0
"""Whom a consenter speaks with, and whether raft counts those whom the configuration names."""

from fastledger._core import RaftNode
from fastledger.orderer.cluster import ClusterComm, OnFailure, RemoteNode
from fastledger.orderer.consensus.chain import ConsenterSupport
from fastledger.orderer.consensus.etcdraft.membership import (
    ConfChange,
    ConfChangeKind,
    Membership,
)
from fastledger.orderer.consensus.etcdraft.metrics import RaftMetrics
from fastledger.orderer.replication.endpoints import orderer_roots


class Roster:
    """The others of one channel."""

    def __init__(
        self,
        support: ConsenterSupport,
        member: int,
        comm: ClusterComm,
        on_failure: OnFailure,
        metrics: RaftMetrics,
    ) -> None:
        """Know nobody yet; ``on_failure`` learns to whom a message did not get."""
        self._support = support
        self._member = member
        self._comm = comm
        self._on_failure = on_failure
        self._metrics = metrics

    def meet(self, membership: Membership) -> None:
        """Know the others by their certificates, and hear nobody else."""
        self._metrics.cluster_size.set(len(membership.consenters))
        others = [
            RemoteNode.of(number, one.host, one.port, one.server_tls_cert, one.client_tls_cert)
            for number, one in membership.consenters.items()
            if number != self._member
        ]
        roots = orderer_roots(self._support.bundle)
        self._comm.configure(self._support.channel_id, others, roots, self._on_failure)

    def part(self) -> None:
        """Neither hear nor speak to anybody."""
        self._comm.forget(self._support.channel_id)


def open_change(node: RaftNode, membership: Membership) -> ConfChange | None:
    """Return whom the configuration names and raft does not count, or the other way round."""
    named, counted = set(membership.consenters), set(node.members)
    for member in sorted(named - counted):
        return ConfChange(ConfChangeKind.ADD, member)
    for member in sorted(counted - named):
        return ConfChange(ConfChangeKind.REMOVE, member)
    return None
