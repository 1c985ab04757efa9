# SPDX-License-Identifier: Apache-2.0
"""Messages of clients, from Broadcast here or handed on by other consenters.

::

    order, configure ──────────────────┐
                                       ├──► Submitting ──► another that leads
    handed_on (a submit request) ──────┘        └────────► Leading

A configuration that takes the leader out, or renews its certificate, is the next leader's to write.
"""

import asyncio
from collections.abc import Callable, Sequence

from fastledger._core import RaftNode, route_envelopes
from fastledger.channelconfig import Bundle
from fastledger.common import log
from fastledger.common.errors import InputError
from fastledger.orderer.blockcutter import Message
from fastledger.orderer.cluster import OpenedRequest
from fastledger.orderer.consensus.chain import ChainHalted, ConsenterSupport
from fastledger.orderer.consensus.etcdraft.abdication import abdicate
from fastledger.orderer.consensus.etcdraft.applying import Applier
from fastledger.orderer.consensus.etcdraft.leaderwatch import LeaderWatch
from fastledger.orderer.consensus.etcdraft.leading import Leading
from fastledger.orderer.consensus.etcdraft.membership import consenters_of, following_membership
from fastledger.orderer.consensus.etcdraft.metrics import RaftMetrics
from fastledger.orderer.consensus.etcdraft.submitting import NO_LEADER, Submitting
from fastledger.orderer.consensus.etcdraft.tracker import Tracker
from fastledger.orderer.errors import Rejected
from fastledger.orderer.msgprocessor.message import CONFIGURATIONS, OrdererMessage

_logger = log.get("orderer.consensus.etcdraft")


class Intake:
    """What one consenter is given to order."""

    def __init__(
        self,
        support: ConsenterSupport,
        node: RaftNode,
        applier: Applier,
        watch: LeaderWatch,
        leading: Leading,
        submitting: Submitting,
        tracker: Tracker,
        wake: Callable[[], None],
        metrics: RaftMetrics,
        *,
        election_timeout_s: float,
    ) -> None:
        """Take nothing yet.

        Args:
            support: The channel.
            node: Its raft.
            applier: Knows the consenters.
            watch: Knows who leads.
            leading: Orders while this consenter leads.
            submitting: The way to whoever leads.
            tracker: Knows which consenters are there.
            wake: Has the wheel turn.
            metrics: What is counted.
            election_timeout_s: How long another may take to become the leader.
        """
        self._support = support
        self._node = node
        self._applier = applier
        self._watch = watch
        self._leading = leading
        self._submitting = submitting
        self._tracker = tracker
        self._wake = wake
        self._metrics = metrics
        self._election_timeout_s = election_timeout_s
        self._name = f"[channel: {support.channel_id}, node: {node.member}]"

    async def order(self, message: Message, sequence: int) -> None:
        """Put a message into the leader's pending batch."""
        await self._submitting.order(message, sequence)

    async def configure(self, envelope: bytes, sequence: int) -> None:
        """Have the leader write a configuration."""
        take = lambda: self._take_config(envelope, sequence)  # noqa: E731
        await self._submitting.configure(envelope, sequence, take)

    def room(self) -> int:
        """Return how many messages `order_now` would take, about."""
        return self._submitting.room()

    def order_now(self, messages: Sequence[Message], sequence: int) -> int:
        """Get messages to the leader at once; return how many, from the first on."""
        return self._submitting.order_now(messages, sequence)

    def handed_on_now(self, requests: Sequence[OpenedRequest]) -> int:
        """Take what another consenter hands on as long as nothing has to wait; return how many."""
        room = self._leading.room if self._leading.term else 0
        sequence, envelopes, messages = requests[0][2], [], []
        for _, is_submit, last_sequence, envelope, _ in requests[:room]:
            if not is_submit or last_sequence != sequence:
                break
            envelopes.append(bytes(envelope))
        for encoded, route in zip(envelopes, route_envelopes(envelopes), strict=True):
            channel_id, kind, size = route or ("", 0, 0)
            if channel_id != self._support.channel_id or kind in CONFIGURATIONS:
                break
            messages.append(Message(encoded, size))
        return self._leading.order_now(messages, sequence)

    async def handed_on(self, envelope: bytes, sequence: int) -> None:
        """Take what another consenter hands on; what it is refused for, only the log learns."""
        try:
            message = OrdererMessage.parse(envelope)
            if message.channel_id != self._support.channel_id:
                raise InputError(f"it is for channel {message.channel_id}")
            if message.configures:
                await self.configure(message.encoded, sequence)
            else:
                await self.order(Message(message.encoded, message.size), sequence)
        except (Rejected, InputError) as error:
            self._metrics.proposal_failures.inc()
            _logger.error("%s Failed to order message: %s", self._name, error)

    def check_update(self, following: Bundle) -> None:
        """Refuse consenters without whom too few of those that are active would be left."""
        values = following.orderer
        if values is None or values.consensus_type != self._support.orderer.consensus_type:
            return
        membership, active = self._applier.membership, self._tracker.active
        if membership.following(consenters_of(values)).loses_quorum(active):
            raise InputError(
                f"{len(active)} out of {len(membership.consenters)} nodes are alive, configuration "
                "will result in quorum loss"
            )

    async def resign(self) -> None:
        """Hand leadership to another consenter, within an election timeout, if there is one."""
        if self._watch.leader != self._node.member or len(self._tracker.active) < 2:
            return
        try:
            async with asyncio.timeout(self._election_timeout_s):
                await self._hand_over()
        except (ChainHalted, TimeoutError):
            _logger.warning("%s ends as the leader: no other consenter took over", self._name)

    async def _take_config(self, envelope: bytes, sequence: int) -> None:
        """Have a configuration agreed on; one that concerns the leader is the next leader's."""
        if sequence < self._support.sequence:
            envelope, sequence = self._support.process_config(envelope), self._support.sequence
        transition = following_membership(self._support, self._applier.membership, envelope)
        member = self._node.member
        if member not in transition.membership.consenters or transition.rotated == member:
            _logger.info("%s Detected eviction or certificate rotation of ourselves", self._name)
            await self._hand_over()
            raise ChainHalted(NO_LEADER)
        await self._leading.configure(envelope, sequence)

    async def _hand_over(self) -> None:
        """Have what was taken agreed on, and another lead; raises ChainHalted where none does."""
        try:
            await self._leading.finish()
            await abdicate(self._node, self._watch, self._wake, self._election_timeout_s)
        finally:
            self._leading.stay()
