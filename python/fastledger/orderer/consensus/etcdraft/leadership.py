# SPDX-License-Identifier: Apache-2.0
"""Who leads, whom raft counts, and what a consenter does when either is another."""

from collections.abc import Callable

from fastledger._core import RaftEntry, RaftNode, RaftReady
from fastledger.common import log
from fastledger.common.errors import ProposalDropped
from fastledger.orderer.consensus.chain import ConsenterSupport
from fastledger.orderer.consensus.etcdraft.applying import Applier
from fastledger.orderer.consensus.etcdraft.leaderwatch import LeaderWatch
from fastledger.orderer.consensus.etcdraft.leading import Leading
from fastledger.orderer.consensus.etcdraft.membership import ConfChange
from fastledger.orderer.consensus.etcdraft.metrics import RaftMetrics
from fastledger.orderer.consensus.etcdraft.roster import Roster, open_change

_logger = log.get("orderer.consensus.etcdraft")


class Leadership:
    """One consenter's part, as raft gives and takes it."""

    def __init__(
        self,
        support: ConsenterSupport,
        node: RaftNode,
        applier: Applier,
        watch: LeaderWatch,
        leading: Leading,
        roster: Roster,
        wake: Callable[[], None],
        metrics: RaftMetrics,
        *,
        campaigns_every: int,
    ) -> None:
        """Follow, for now.

        Args:
            support: The channel.
            node: Its raft.
            applier: Knows whom the configuration names.
            watch: Tells those who wait who leads.
            leading: Orders while this consenter leads.
            roster: Whom it speaks with.
            wake: Has the wheel turn.
            metrics: What is counted.
            campaigns_every: Ticks between two times of standing for election until somebody leads;
                0 for leaving that to raft.
        """
        self._support = support
        self._node = node
        self._applier = applier
        self._watch = watch
        self._leading = leading
        self._roster = roster
        self._wake = wake
        self._metrics = metrics
        self._campaigns_every = campaigns_every
        self._ticks = 0
        self._is_leaving = False
        self._name = f"[channel: {support.channel_id}, node: {node.member}]"

    def ticking(self) -> None:
        """Stand for election where nobody else would yet; leave when nobody needs it any more."""
        if self._is_leaving and self._node.removal_is_known:
            self._is_leaving = False
            self._support.switch_chain()
        self._ticks += 1
        if self._campaigns_every and self._ticks % self._campaigns_every == 0:
            self._node.campaign()

    def observe(self, ready: RaftReady) -> None:
        """Learn who leads."""
        watch, leading, member = self._watch, self._leading, self._node.member
        before, was_errored = watch.leader, watch.errored
        watch.observe(ready.leader, ready.state, len(self._applier.membership.consenters))
        self._metrics.term.set(ready.term)
        if watch.leader != before:
            _logger.info("%s Raft leader changed: %d -> %d", self._name, before, watch.leader)
            self._metrics.leader_changes.inc()
            self._metrics.leader_id.set(watch.leader)
            self._metrics.is_leader.set(watch.leader == member)
        term = ready.term if watch.leader == member else 0
        if leading.term and leading.term != term:
            leading.lost()
        if term and not leading.term:
            leading.elected(term)
        if watch.leader:
            self._campaigns_every = 0
        if watch.errored != was_errored:
            self._support.changed()

    def applied(self) -> None:
        """Go on with what a leader does once all is applied: tell raft whom to count, and serve."""
        node, leading = self._node, self._leading
        if not leading.term:
            return
        change = open_change(node, self._applier.membership)
        if change is not None:
            self._propose(change)
        elif not leading.serves and not leading.is_ending and node.applied == node.last_index:
            leading.settled()
            self._watch.tell()

    def count(self, entry: RaftEntry) -> None:
        """Have raft count whom a committed entry adds, and no more whom it removes."""
        members = self._node.apply_conf_change(entry)
        _logger.info("%s Applied config change, current nodes in channel: %s", self._name, members)
        named = self._applier.membership.consenters
        if self._node.member not in members and self._node.member not in named:
            # Others may still count on a leader that does not know yet whether they know.
            _logger.info("%s This node is being removed from replica set", self._name)
            self._is_leaving = True
        elif set(members) == set(named):
            self._leading.changed()
            self._roster.meet(self._applier.membership)

    def _propose(self, change: ConfChange) -> None:
        self._leading.is_changing = True
        if self._node.conf_change_pending:
            return
        try:
            self._node.propose_conf_change(change.kind, change.member)
        except ProposalDropped as error:
            _logger.warning(
                "%s Failed to propose configuration update to Raft node: %s", self._name, error
            )
        else:
            self._wake()
