# SPDX-License-Identifier: Apache-2.0
"""Messages of raft, to the other consenters and from them."""

from collections.abc import Callable

from google.protobuf.message import DecodeError

from fastledger._core import CoreBytes, RaftMessage, RaftNode, raft_route
from fastledger.common import log
from fastledger.common.errors import InputError
from fastledger.orderer.cluster import ClusterComm
from fastledger.orderer.consensus.etcdraft.leaderwatch import LeaderWatch
from fastledger.orderer.consensus.etcdraft.rejoining import Rejoining
from fastledger.orderer.consensus.etcdraft.tracker import Tracker

_logger = log.get("orderer.consensus.etcdraft")


class Speaking:
    """What one consenter says and hears."""

    def __init__(
        self,
        channel_id: str,
        node: RaftNode,
        comm: ClusterComm,
        watch: LeaderWatch,
        tracker: Tracker,
        rejoining: Rejoining,
        wake: Callable[[], None],
    ) -> None:
        """Say nothing yet.

        Args:
            channel_id: The channel.
            node: Its raft.
            comm: The streams to the others.
            watch: Knows who leads.
            tracker: Knows which consenters are there, from the leader where that is another.
            rejoining: Learns that somebody knows this consenter by another raft id.
            wake: Has the wheel turn.
        """
        self._channel_id = channel_id
        self._node = node
        self._comm = comm
        self._watch = watch
        self._tracker = tracker
        self._rejoining = rejoining
        self._wake = wake
        self._name = f"[channel: {channel_id}, node: {node.member}]"

    def send(self, message: RaftMessage) -> bool:
        """Send a message to another consenter; False when it is lost already."""
        to = message.to
        step = message.step_request(self._channel_id, self._tracker.metadata_for(to))
        return self._comm.send_consensus(self._channel_id, to, step)

    def hear(self, sender: int, payload: bytes | CoreBytes, metadata: bytes) -> None:
        """Take a message of another consenter, and what the leader may have told with it.

        Raises:
            InputError: It is not one, or not the sender's.
            LedgerCorrupted: The leader relies on what this consenter's log has lost.
        """
        try:
            speaker, to, _, _ = raft_route(payload)
        except InputError as error:
            raise InputError(
                f"failed to unmarshal StepRequest payload to Raft Message: {error}"
            ) from error
        if to != self._node.member:
            _logger.warning(
                "%s Received msg to %d, my ID is probably wrong due to out of date, cowardly "
                "halting",
                self._name,
                to,
            )
            self._rejoining.doubt(is_spoken_to=True)
            return
        if speaker != sender:
            raise InputError(f"consenter {sender} sent a message of {speaker}")
        try:
            self._node.step(payload)
        except InputError as error:
            raise InputError(f"failed to process Raft Step message: {error}") from error
        self._wake()
        if metadata and sender == self._watch.leader:
            try:
                self._tracker.told(metadata)
            except DecodeError as error:
                raise InputError(f"failed to unmarshal ClusterMetadata: {error}") from error
