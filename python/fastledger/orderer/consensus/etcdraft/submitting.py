# SPDX-License-Identifier: Apache-2.0
"""Messages of clients on their way to the leader, whoever that is.

::

    take ──► a leader? ──no──► wait for one, a while ──► "no Raft leader"
                │
     another ◄──┴──► this one, once it serves
        │              │
    submit request    Leading

A message that surely got nowhere is tried again, with the next leader; one of which nobody can say
is not, since it would be in the chain twice.
"""

from collections.abc import Awaitable, Callable, Sequence

from fastledger._core import submit_request
from fastledger.orderer.blockcutter import Message
from fastledger.orderer.cluster import ClusterComm, NotDelivered
from fastledger.orderer.consensus.chain import ChainHalted
from fastledger.orderer.consensus.clock import Clock
from fastledger.orderer.consensus.etcdraft.leaderwatch import LeaderWatch
from fastledger.orderer.consensus.etcdraft.leading import Leading
from fastledger.orderer.consensus.etcdraft.metrics import RaftMetrics
from fastledger.orderer.consensus.etcdraft.options import RaftOptions

MAX_PATIENCE_S = 10.0
"""Longest that a message waits for a leader: twice Fabric's election timeout. Those that wait are
as many as there are streams, which wait with one each."""

NO_LEADER = "no Raft leader"


class Submitting:
    """The way to the leader of one channel."""

    def __init__(
        self,
        channel_id: str,
        member: int,
        leading: Leading,
        watch: LeaderWatch,
        comm: ClusterComm,
        check: Callable[[], None],
        options: RaftOptions,
        metrics: RaftMetrics,
        clock: Clock,
    ) -> None:
        """Know the way.

        Args:
            channel_id: The channel.
            member: This consenter's raft id.
            leading: Takes messages while this consenter leads.
            watch: Knows who leads.
            comm: The way to others.
            check: Raises ChainHalted when nothing is taken any more.
            options: How fast all goes.
            metrics: What is counted.
            clock: Tells the time.
        """
        self._channel_id = channel_id
        self._member = member
        self._leading = leading
        self._watch = watch
        self._comm = comm
        self._check = check
        self._pause_s = options.tick_s
        self._patience_s = min(MAX_PATIENCE_S, 4 * options.election_timeout_s)
        self._metrics = metrics
        self._clock = clock

    async def order(self, message: Message, sequence: int) -> None:
        """Get a message to the leader; raises ChainHalted, or why it is refused here."""
        await self._submit(
            message.encoded, sequence, lambda: self._leading.order(message, sequence)
        )

    def room(self) -> int:
        """Return how many messages `order_now` would take, about."""
        leader = self._watch.leader
        if leader == self._member:
            return self._leading.room
        return self._comm.submit_room(self._channel_id, leader) if leader else 0

    def order_now(self, messages: Sequence[Message], sequence: int) -> int:
        """Get messages to the leader at once; return how many, from the first on."""
        leader = self._watch.leader
        if leader == self._member:
            return self._leading.order_now(messages, sequence)
        requests = [
            submit_request(self._channel_id, sequence, message.encoded) for message in messages
        ]
        return self._comm.submit_now(self._channel_id, leader, requests)

    async def configure(
        self, envelope: bytes, sequence: int, take: Callable[[], Awaitable[None]]
    ) -> None:
        """Get a configuration to the leader, which ``take`` does while that is this consenter."""
        await self._submit(envelope, sequence, take)

    async def _submit(
        self, envelope: bytes, sequence: int, take: Callable[[], Awaitable[None]]
    ) -> None:
        deadline = self._clock.time() + self._patience_s
        while True:
            leader = await self._leader(deadline)
            try:
                if leader == self._member:
                    return await take()
                return await self._forward(leader, envelope, sequence)
            except NotDelivered as error:
                if not error.is_certain or self._clock.time() >= deadline:
                    self._metrics.proposal_failures.inc()
                    raise ChainHalted(str(error)) from error
            except ChainHalted:
                if self._clock.time() >= deadline:
                    self._metrics.proposal_failures.inc()
                    raise
            await self._watch.wait(self._pause_s)

    async def _forward(self, leader: int, envelope: bytes, sequence: int) -> None:
        request = submit_request(self._channel_id, sequence, envelope)
        await self._comm.send_submit(self._channel_id, leader, request)

    async def _leader(self, deadline: float) -> int:
        """Return who leads, once somebody does; raises ChainHalted when nobody does in time."""
        watch = self._watch
        while True:
            self._check()
            if watch.leader and (watch.leader != self._member or self._leading.serves):
                return watch.leader
            until = deadline
            if not watch.leader:
                until = min(deadline, watch.leaderless_since + self._patience_s)
            left_s = until - self._clock.time()
            if left_s <= 0:
                self._metrics.proposal_failures.inc()
                raise ChainHalted(NO_LEADER)
            await watch.wait(left_s)
