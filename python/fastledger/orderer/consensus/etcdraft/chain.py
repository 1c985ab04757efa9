# SPDX-License-Identifier: Apache-2.0
"""The chain of a channel with several raft consenters (Fabric: ``etcdraft/chain.go``).

::

    order, configure ──► Intake ──► Leading ── proposals ──┐
                          ▲  └──► another that leads       ▼
    step ─────────────────┤                              Driver ──► Applier ──► the ledger
                          ▼                              ▲    │
                       Speaking ── messages of raft ─────┘    └──► Leadership, Speaking

A block's place in the log stands in it, so that the log may be applied again after a crash.
"""

import asyncio
from collections.abc import Callable, Sequence

from fastledger._core import CoreBytes, RaftEntry, RaftMessage, RaftNode, RaftReady, RaftSnapshot
from fastledger.channelconfig import Bundle
from fastledger.common import log
from fastledger.common.errors import FastledgerError, LedgerCorrupted
from fastledger.orderer.blockcutter import Message
from fastledger.orderer.cluster import ClusterComm, OpenedRequest
from fastledger.orderer.consensus.chain import (
    ChainHalted,
    ConsenterSupport,
    Relation,
    Standing,
    Status,
)
from fastledger.orderer.consensus.clock import LOOP, Clock
from fastledger.orderer.consensus.etcdraft.applying import Applier
from fastledger.orderer.consensus.etcdraft.driver import Driver
from fastledger.orderer.consensus.etcdraft.intake import Intake
from fastledger.orderer.consensus.etcdraft.leadership import Leadership
from fastledger.orderer.consensus.etcdraft.leaderwatch import LeaderWatch
from fastledger.orderer.consensus.etcdraft.leading import Leading
from fastledger.orderer.consensus.etcdraft.membership import Membership, Transition
from fastledger.orderer.consensus.etcdraft.metrics import RaftMetrics
from fastledger.orderer.consensus.etcdraft.options import RaftOptions
from fastledger.orderer.consensus.etcdraft.rejoining import Puller, Rejoining
from fastledger.orderer.consensus.etcdraft.roster import Roster
from fastledger.orderer.consensus.etcdraft.speaking import Speaking
from fastledger.orderer.consensus.etcdraft.submitting import Submitting
from fastledger.orderer.consensus.etcdraft.tracker import Tracker
from fastledger.protos.orderer.cluster_pb2 import StepRequest

CHECK_S = 10.0
"""Between two times that others are asked whether this node still is a consenter."""

_NORMAL_ENTRY, _CONF_CHANGE_ENTRY = 0, 1

_logger = log.get("orderer.consensus.etcdraft")


class RaftChain:
    """One consenter's part in a channel."""

    def __init__(
        self,
        support: ConsenterSupport,
        open_log: Callable[[], RaftNode],
        member: int,
        membership: Membership,
        options: RaftOptions,
        comm: ClusterComm,
        puller: Puller,
        eviction_suspicion_s: float,
        *,
        campaigns: bool = False,
        clock: Clock = LOOP,
    ) -> None:
        """Prepare; `start` opens the log.

        Args:
            support: The channel.
            open_log: Opens the raft log, or begins it.
            member: This consenter's raft id.
            membership: All consenters.
            options: How fast all goes.
            comm: The streams to the others.
            puller: Gets blocks that a leader does not send any more.
            eviction_suspicion_s: Without a leader for so long, others are asked about it.
            campaigns: Whether to stand for election at once: in a new channel somebody must.
            clock: Ticks, and times batches.
        """
        self._support = support
        self._open_log = open_log
        self._member = member
        self._options = options
        self._comm = comm
        self._clock = clock
        self._eviction_suspicion_s = eviction_suspicion_s
        self._campaigns = campaigns
        self._metrics = RaftMetrics(support.channel_id)
        self._roster = Roster(support, member, comm, self._not_reached, self._metrics)
        self._applier = Applier(support, membership, puller.pull, self, self._metrics)
        self._rejoining = Rejoining(
            support, puller, self._retire, self._is_named, pause_s=CHECK_S, clock=clock
        )
        self._node: RaftNode | None = None
        self._is_running = False
        self._ending: asyncio.Task[None] | None = None
        self._watch = LeaderWatch(clock)
        self._name = f"[channel: {support.channel_id}, node: {member}]"

    # What the channel asks.

    @property
    def standing(self) -> Standing:
        """A consenter, until the configuration says otherwise."""
        status = Status.ACTIVE if self._is_running else Status.INACTIVE
        return Standing(Relation.CONSENTER, status)

    @property
    def errored(self) -> bool:
        """Whether it has no leader, where there are more than two consenters, or does not run."""
        return self._watch.errored or not self._is_running

    def start(self) -> None:
        """Open the log, and take part."""
        try:
            node = self._node = self._open_log()
        except FastledgerError as error:
            self.failed(error)
            return
        self._driver = Driver(
            node, self, self._metrics, tick_s=self._options.tick_s, clock=self._clock
        )
        self._leading = Leading(
            self._support,
            node,
            self._driver.wake,
            max_inflight_blocks=self._options.max_inflight_blocks,
            clock=self._clock,
        )
        self._tracker = Tracker(node, self._metrics)
        submitting = Submitting(
            self._support.channel_id,
            self._member,
            self._leading,
            self._watch,
            self._comm,
            self._check_running,
            self._options,
            self._metrics,
            self._clock,
        )
        self._intake = Intake(
            self._support,
            node,
            self._applier,
            self._watch,
            self._leading,
            submitting,
            self._tracker,
            self._driver.wake,
            self._metrics,
            election_timeout_s=self._options.election_timeout_s,
        )
        self._speaking = Speaking(
            self._support.channel_id,
            node,
            self._comm,
            self._watch,
            self._tracker,
            self._rejoining,
            self._driver.wake,
        )
        self._leadership = Leadership(
            self._support,
            node,
            self._applier,
            self._watch,
            self._leading,
            self._roster,
            self._driver.wake,
            self._metrics,
            campaigns_every=2 * self._options.heartbeat_tick if self._campaigns else 0,
        )
        self._is_running = True
        self._watch.leaderless_since = self._clock.time()
        self._metrics.node_id.set(self._member)
        self._metrics.is_leader.set(0)
        self._roster.meet(self._applier.membership)
        _logger.info("%s Starting Raft node, at block [%d]", self._name, self._support.height - 1)
        self._driver.start()

    async def resign(self) -> None:
        """Hand leadership to another consenter, if this one leads and there is one."""
        if self._is_running:
            await self._intake.resign()

    async def halt(self) -> None:
        """Take no more messages, and return when the blocks that were agreed on are durable."""
        if self._ending is not None:
            await asyncio.wait([self._ending])
        if not self._is_running:
            return
        self._is_running = False
        await self._rejoining.cease()
        await self._retire()
        await self._support.drained(0)

    def check_update(self, following: Bundle) -> None:
        """Refuse consenters without whom too few of those that are active would be left."""
        self._check_running()
        self._intake.check_update(following)

    async def wait_ready(self) -> None:
        """Return while it runs."""
        self._check_running()

    async def order(self, message: Message, sequence: int) -> None:
        """Put a message into the leader's pending batch."""
        self._metrics.normal_proposals_received.inc()
        self._check_running()
        await self._intake.order(message, sequence)

    async def configure(self, envelope: bytes, sequence: int) -> None:
        """Have the leader write a configuration."""
        self._metrics.config_proposals_received.inc()
        self._check_running()
        await self._intake.configure(envelope, sequence)

    def room(self) -> int:
        """Return how many messages `order_now` would take, about."""
        return self._intake.room() if self._is_running else 0

    def order_now(self, messages: Sequence[Message], sequence: int) -> int:
        """Put messages into the leader's pending batch at once; return how many."""
        count = self._intake.order_now(messages, sequence) if self._is_running else 0
        self._metrics.normal_proposals_received.inc(count)
        return count

    def step_now(self, sender: int, requests: Sequence[OpenedRequest]) -> int:
        """Take requests of another consenter as long as none has to wait; return how many."""
        count = 0
        while self._is_running and count < len(requests):
            _, is_submit, _, payload, metadata = requests[count]
            if is_submit:
                taken = self._intake.handed_on_now(requests[count:])
                if not taken:
                    break
                count += taken
            else:
                self._hear(sender, payload, metadata)
                count += 1
        return count

    async def step(self, sender: int, message: bytes) -> None:
        """Take an encoded ``orderer.StepRequest`` of another consenter."""
        self._check_running()
        request = StepRequest.FromString(message)
        if request.HasField("submit_request"):
            submitted = request.submit_request
            envelope = submitted.payload.SerializeToString()
            await self._intake.handed_on(envelope, submitted.last_validation_seq)
        else:
            heard = request.consensus_request
            self._hear(sender, heard.payload, heard.metadata)

    def _hear(self, sender: int, payload: bytes | CoreBytes, metadata: bytes) -> None:
        try:
            self._speaking.hear(sender, payload, metadata)
        except LedgerCorrupted as error:
            self.failed(error)
            raise

    # What the driver tells.

    def ticking(self) -> None:
        """Look who is there, and for how long nobody has led."""
        self._tracker.ticking()
        self._leadership.ticking()
        if not self._watch.leader:
            leaderless_s = self._clock.time() - self._watch.leaderless_since
            if leaderless_s >= self._eviction_suspicion_s:
                self._rejoining.doubt()

    def send(self, message: RaftMessage) -> bool:
        """Send a message to another consenter."""
        return self._speaking.send(message)

    def observe(self, ready: RaftReady) -> None:
        """Learn who leads."""
        self._leadership.observe(ready)

    async def take_over(self, snapshot: RaftSnapshot) -> None:
        """Come to where a leader's snapshot is."""
        await self._applier.take_over(snapshot)

    async def apply(self, entry: RaftEntry) -> None:
        """Write an entry's block, or count a consenter in or out."""
        if entry.kind == _CONF_CHANGE_ENTRY:
            self._leadership.count(entry)
        elif entry.kind != _NORMAL_ENTRY:
            raise LedgerCorrupted(f"the raft log has an entry of kind {entry.kind}")
        elif len(entry.data):
            await self._applier.apply(entry)

    def applied(self) -> None:
        """Go on with what had to wait until all is applied."""
        self._metrics.last_index.set(self._own().last_index)
        self._leadership.applied()
        node = self._own()
        if node.wants_snapshot:
            newest = self._applier.newest_block()
            if newest is not None:
                self._driver.compact(node.applied, newest)
            return
        due = self._applier.snapshot_due(self._options.snapshot_interval_bytes)
        if due is not None:
            self._driver.compact(due.index, due.data)

    def failed(self, error: Exception) -> None:
        """Stop for good: the channel fails, and the others go on without this node."""
        _logger.critical("%s failed: %s", self._name, error, exc_info=_unforeseen(error))
        self._support.fail(error)
        if self._is_running:
            self._is_running = False
            self._ending = asyncio.get_running_loop().create_task(self._retire())

    # What the applier tells.

    def wrote(self, number: int, transition: Transition | None) -> None:
        """Know that a block is on its way to the disk."""
        if transition is not None:
            if transition.change is None:
                self._roster.meet(self._applier.membership)
            elif self._leading.term:
                self._leading.is_changing = True
            self._options = self._options.with_snapshots_of(self._support.orderer)
        self._leading.agreed(number)

    def moved(self) -> None:
        """Know the consenters anew."""
        self._roster.meet(self._applier.membership)

    # How it ends, and what others say of it.

    async def _retire(self) -> None:
        """Take no part in raft any more."""
        self._leading.lost()
        self._watch.lost()
        self._roster.part()
        self._metrics.is_leader.set(0)
        self._metrics.active_nodes.set(0)
        await self._driver.stop()
        _logger.info("%s Raft node stopped", self._name)
        self._support.changed()

    def _is_named(self) -> bool:
        return self._member in self._applier.membership.consenters

    def _not_reached(self, member: int, is_refusal: bool) -> None:
        if not self._is_running:
            return
        self._own().report_unreachable(member)
        self._driver.wake()
        if is_refusal and not self._watch.leader:
            # As who was evicted is refused, of whom nobody speaks to it any more.
            self._rejoining.doubt()

    def _check_running(self) -> None:
        if not self._is_running:
            raise ChainHalted("chain is stopped" if self._node else "chain is not started")

    def _own(self) -> RaftNode:
        if self._node is None:
            raise ChainHalted("chain is not started")
        return self._node


def _unforeseen(error: Exception) -> Exception | None:
    return None if isinstance(error, FastledgerError) else error
