# SPDX-License-Identifier: Apache-2.0
"""The chain of a channel with several raft consenters (Fabric: ``etcdraft/chain.go``).

::

    order, configure, step ──► Submitting ──► Leading ── proposals ──┐
                                   │                                 ▼
                                   └──► another that leads         Driver ──► Applier ──► the ledger
                                                                   ▲    │
    step ───────────────────────── messages of raft ───────────────┘    └──► messages to the others

A block's place in the log stands in it, so that the log may be applied again after a crash.
"""

import asyncio
from collections.abc import Callable

from google.protobuf.message import DecodeError

from fastledger._core import RaftEntry, RaftMessage, RaftNode, RaftReady, RaftSnapshot, raft_route
from fastledger.channelconfig import Bundle
from fastledger.common import log
from fastledger.common.errors import FastledgerError, InputError, LedgerCorrupted, ProposalDropped
from fastledger.orderer.blockcutter import Message
from fastledger.orderer.cluster import ClusterComm
from fastledger.orderer.consensus.chain import (
    ChainHalted,
    ConsenterSupport,
    Relation,
    Standing,
    Status,
)
from fastledger.orderer.consensus.clock import LOOP, Clock
from fastledger.orderer.consensus.etcdraft.abdication import abdicate
from fastledger.orderer.consensus.etcdraft.applying import Applier
from fastledger.orderer.consensus.etcdraft.driver import Driver
from fastledger.orderer.consensus.etcdraft.leaderwatch import LeaderWatch
from fastledger.orderer.consensus.etcdraft.leading import Leading
from fastledger.orderer.consensus.etcdraft.membership import (
    ConfChange,
    Membership,
    Transition,
    consenters_of,
    following_membership,
)
from fastledger.orderer.consensus.etcdraft.metrics import RaftMetrics
from fastledger.orderer.consensus.etcdraft.options import RaftOptions
from fastledger.orderer.consensus.etcdraft.rejoining import Puller, Rejoining
from fastledger.orderer.consensus.etcdraft.roster import Roster, open_change
from fastledger.orderer.consensus.etcdraft.submitting import NO_LEADER, Submitting
from fastledger.orderer.consensus.etcdraft.tracker import Tracker
from fastledger.orderer.errors import Rejected
from fastledger.orderer.msgprocessor.message import OrdererMessage
from fastledger.protos.orderer.cluster_pb2 import ConsensusRequest, StepRequest, SubmitRequest

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
        applied: int,
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
            applied: Place of the last block in the log.
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
        self._ticks = 0
        self._metrics = RaftMetrics(support.channel_id)
        self._roster = Roster(support, member, comm, self._not_reached, self._metrics)
        self._applier = Applier(support, membership, applied, puller.pull, self, self._metrics)
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
        self._submitting = Submitting(
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
        self._is_running = True
        self._watch.leaderless_since = self._clock.time()
        self._metrics.node_id.set(self._member)
        self._metrics.is_leader.set(0)
        self._roster.meet(self._applier.membership)
        _logger.info("%s Starting Raft node, at block [%d]", self._name, self._support.height - 1)
        self._driver.start()

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
        values = following.orderer
        if values is None or values.consensus_type != self._support.orderer.consensus_type:
            return
        membership, active = self._applier.membership, self._tracker.active
        if membership.following(consenters_of(values)).loses_quorum(active):
            raise InputError(
                f"{len(active)} out of {len(membership.consenters)} nodes are alive, configuration "
                "will result in quorum loss"
            )

    async def wait_ready(self) -> None:
        """Return while it runs."""
        self._check_running()

    async def order(self, message: Message, sequence: int) -> None:
        """Put a message into the leader's pending batch."""
        self._metrics.normal_proposals_received.inc()
        self._check_running()
        await self._submitting.order(message, sequence)

    async def configure(self, envelope: bytes, sequence: int) -> None:
        """Have the leader write a configuration."""
        self._metrics.config_proposals_received.inc()
        self._check_running()
        await self._submit_config(envelope, sequence)

    async def step(self, sender: int, message: bytes) -> None:
        """Take an encoded ``orderer.StepRequest`` of another consenter."""
        self._check_running()
        request = StepRequest.FromString(message)
        if request.HasField("submit_request"):
            await self._submitted(request.submit_request)
        else:
            self._consensus(sender, request.consensus_request)

    # Messages of clients.

    async def _submitted(self, request: SubmitRequest) -> None:
        """Take what another consenter hands on; what it is refused for, only the log learns."""
        encoded = request.payload.SerializeToString()
        sequence = request.last_validation_seq
        try:
            message = OrdererMessage.parse(encoded)
            if message.channel_id != self._support.channel_id:
                raise InputError(f"it is for channel {message.channel_id}")
            if message.configures:
                await self._submit_config(encoded, sequence)
            else:
                await self._submitting.order(Message(encoded, message.size), sequence)
        except (Rejected, InputError) as error:
            self._metrics.proposal_failures.inc()
            _logger.error("%s Failed to order message: %s", self._name, error)

    async def _submit_config(self, envelope: bytes, sequence: int) -> None:
        take = lambda: self._take_config(envelope, sequence)  # noqa: E731
        await self._submitting.configure(envelope, sequence, take)

    async def _take_config(self, envelope: bytes, sequence: int) -> None:
        """Have a configuration agreed on; one that concerns the leader is the next leader's."""
        if sequence < self._support.sequence:
            envelope, sequence = self._support.process_config(envelope), self._support.sequence
        membership = self._applier.membership
        transition = following_membership(self._support, membership, envelope)
        is_gone = self._member not in transition.membership.consenters
        if is_gone or transition.rotated == self._member:
            _logger.info("%s Detected eviction or certificate rotation of ourselves", self._name)
            node = self._own()
            await self._leading.finish()
            try:
                await abdicate(
                    node, self._watch, self._driver.wake, self._options.election_timeout_s
                )
            finally:
                self._leading.stay()
            raise ChainHalted(NO_LEADER)
        await self._leading.configure(envelope, sequence)

    # Messages of raft.

    def _consensus(self, sender: int, request: ConsensusRequest) -> None:
        node = self._own()
        try:
            speaker, to, _, _ = raft_route(request.payload)
        except InputError as error:
            raise InputError(
                f"failed to unmarshal StepRequest payload to Raft Message: {error}"
            ) from error
        if to != self._member:
            _logger.warning(
                "%s Received msg to %d, my ID is probably wrong due to out of date, cowardly "
                "halting",
                self._name,
                to,
            )
            self._rejoining.doubt()
            return
        if speaker != sender:
            raise InputError(f"consenter {sender} sent a message of {speaker}")
        try:
            node.step(request.payload)
        except InputError as error:
            raise InputError(f"failed to process Raft Step message: {error}") from error
        except LedgerCorrupted as error:
            self.failed(error)
            raise
        self._driver.wake()
        if request.metadata and sender == self._watch.leader:
            try:
                self._tracker.told(request.metadata)
            except DecodeError as error:
                raise InputError(f"failed to unmarshal ClusterMetadata: {error}") from error

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

    # What the driver tells.

    def ticking(self) -> None:
        """Look who is there; stand for election where nobody else would yet."""
        node = self._own()
        self._tracker.ticking()
        self._ticks += 1
        if self._campaigns and self._ticks % (2 * self._options.heartbeat_tick) == 0:
            node.campaign()
        if not self._watch.leader:
            leaderless_s = self._clock.time() - self._watch.leaderless_since
            if leaderless_s >= self._eviction_suspicion_s:
                self._rejoining.doubt()

    def send(self, message: RaftMessage) -> bool:
        """Send a message to another consenter."""
        request = ConsensusRequest(
            channel=self._support.channel_id,
            payload=message.payload,
            metadata=self._tracker.metadata_for(message.to),
        )
        return self._comm.send_consensus(message.to, request)

    def observe(self, ready: RaftReady) -> None:
        """Learn who leads."""
        watch, leading = self._watch, self._leading
        before, was_errored = watch.leader, watch.errored
        watch.observe(ready.leader, ready.state, len(self._applier.membership.consenters))
        self._metrics.term.set(ready.term)
        if watch.leader != before:
            _logger.info("%s Raft leader changed: %d -> %d", self._name, before, watch.leader)
            self._metrics.leader_changes.inc()
            self._metrics.leader_id.set(watch.leader)
            self._metrics.is_leader.set(watch.leader == self._member)
        term = ready.term if watch.leader == self._member else 0
        if leading.term and leading.term != term:
            leading.lost()
        if term and not leading.term:
            leading.elected(term)
        if watch.leader:
            self._campaigns = False
        if watch.errored != was_errored:
            self._support.changed()

    async def take_over(self, snapshot: RaftSnapshot) -> None:
        """Come to where a leader's snapshot is."""
        await self._applier.take_over(snapshot)

    async def apply(self, entry: RaftEntry) -> None:
        """Write an entry's block, or count a consenter in or out."""
        if entry.kind == _CONF_CHANGE_ENTRY:
            members = self._own().apply_conf_change(entry)
            _logger.info(
                "%s Applied config change, current nodes in channel: %s", self._name, members
            )
            self._counted(members)
        elif entry.kind != _NORMAL_ENTRY:
            raise LedgerCorrupted(f"the raft log has an entry of kind {entry.kind}")
        elif entry.data:
            await self._applier.apply(entry)

    def applied(self) -> None:
        """Go on with what had to wait until all is applied."""
        node, leading = self._own(), self._leading
        self._metrics.last_index.set(node.last_index)
        if leading.term:
            change = open_change(node, self._applier.membership)
            if change is not None:
                self._propose_change(node, change)
            elif not leading.serves and not leading.is_ending and node.applied == node.last_index:
                leading.settled()
                self._watch.tell()
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

    # Who is in it.

    def _counted(self, members: list[int]) -> None:
        """Know whom raft counts."""
        if self._member not in members and self._member not in self._applier.membership.consenters:
            _logger.info("%s This node is being removed from replica set", self._name)
            self._support.switch_chain()
            return
        if set(members) == set(self._applier.membership.consenters):
            self._leading.changed()
            self._roster.meet(self._applier.membership)

    def _propose_change(self, node: RaftNode, change: ConfChange) -> None:
        self._leading.is_changing = True
        if node.conf_change_pending:
            return
        try:
            node.propose_conf_change(change.kind, change.member)
        except ProposalDropped as error:
            _logger.warning(
                "%s Failed to propose configuration update to Raft node: %s", self._name, error
            )
        else:
            self._driver.wake()

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
