# SPDX-License-Identifier: Apache-2.0
"""Which consenters are there, as the leader sees it and tells the others.

Fabric: ``etcdraft/tracker.go`` and ``disseminator.go``. It rides once on a message to each.
"""

from collections.abc import Sequence

from fastledger._core import RaftNode
from fastledger.orderer.consensus.etcdraft.metrics import RaftMetrics
from fastledger.protos.orderer.etcdraft.metadata_pb2 import ClusterMetadata

STABLE_TICKS = 3
"""The same number is seen for longer before it is told: at elections it is wrong for a moment."""


class Tracker:
    """The active consenters of one channel."""

    def __init__(self, node: RaftNode, metrics: RaftMetrics) -> None:
        """Know of none."""
        self._node = node
        self._metrics = metrics
        self._same_ticks = 0
        self._metadata = b""
        self._told: set[int] = set()
        self.active: Sequence[int] = ()

    def ticking(self) -> None:
        """Look before a tick, which may forget who was heard of."""
        if not self._node.leader:
            self._set(())
        elif self._node.leader == self._node.member:
            self._look()

    def metadata_for(self, member: int) -> bytes:
        """Return what to tell a consenter with the next message: nothing if it was told."""
        if not self._metadata or member in self._told:
            return b""
        self._told.add(member)
        return self._metadata

    def told(self, metadata: bytes) -> None:
        """Take what the leader says; raises DecodeError."""
        self._set(tuple(ClusterMetadata.FromString(metadata).active_nodes))

    def _look(self) -> None:
        progress = self._node.progress()
        others = [member for member, _, is_active, _ in progress if is_active]
        me = self._node.member
        seen = (me, *(member for member in others if member != me))
        before, self.active = self.active, seen
        if len(before) != len(seen) or self._same_ticks < STABLE_TICKS:
            self._same_ticks = self._same_ticks + 1 if len(before) == len(seen) else 0
            return
        self._same_ticks = 0
        self._metrics.active_nodes.set(len(seen))
        metadata = ClusterMetadata(active_nodes=seen).SerializeToString()
        if metadata != self._metadata:
            self._metadata = metadata
            self._told.clear()

    def _set(self, active: Sequence[int]) -> None:
        self.active = active
        self._metrics.active_nodes.set(len(active))
