# SPDX-License-Identifier: Apache-2.0
"""The core's Raft from Python: three members in one process, with real logs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fastledger._core import RaftNode, RaftSnapshot, raft_route, remove_raft_log
from fastledger.common.errors import InputError, LedgerCorrupted, LedgerLocked, ProposalDropped
from fastledger.protos.orderer.cluster_pb2 import ConsensusRequest, StepRequest

MEMBERS = [1, 2, 3]


def opened(
    folder: Path, member: int, members: list[int], snapshot: RaftSnapshot | None = None
) -> RaftNode:
    return RaftNode(
        str(folder / str(member)),
        member,
        election_tick=10,
        heartbeat_tick=1,
        max_message_bytes=1 << 20,
        max_inflight_messages=5,
        seed=member,
        members=members,
        snapshot=snapshot,
    )


class Cluster:
    """Members whose messages reach each other at once."""

    def __init__(self, folder: Path, nodes: list[RaftNode]) -> None:
        self.folder = folder
        self.nodes = {node.member: node for node in nodes}
        self.applied: dict[int, list[bytes]] = {node.member: [] for node in nodes}
        self.restored: dict[int, RaftSnapshot] = {}

    def work(self) -> None:
        """Do what there is to do, until there is nothing."""
        while any(node.has_ready() for node in self.nodes.values()):
            for node in list(self.nodes.values()):
                self._work(node)

    def _work(self, node: RaftNode) -> None:
        if (ready := node.ready()) is None:
            return
        node.save()
        if ready.snapshot is not None:
            self.restored[node.member] = ready.snapshot
        for entry in ready.committed:
            if entry.kind == 1:
                node.apply_conf_change(entry)
            elif len(entry.data):
                self.applied[node.member].append(bytes(entry.data))
        node.advance()
        for message in ready.messages + ready.replies:
            if (receiver := self.nodes.get(message.to)) is not None:
                # What a removed member answers is refused.
                if node.member in receiver.members or message.kind != "MsgAppResp":
                    receiver.step(message.payload)
                if message.is_snapshot:
                    node.report_snapshot(message.to, arrived=True)

    def leader(self) -> RaftNode:
        return next(node for node in self.nodes.values() if node.state == "leader")


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    made = Cluster(tmp_path, [opened(tmp_path, member, MEMBERS) for member in MEMBERS])
    made.work()
    made.nodes[2].campaign()
    made.work()
    return made


def test_a_new_cluster_begins_as_etcdrafts_does(cluster: Cluster) -> None:
    leader = cluster.leader()
    assert (leader.member, leader.term, leader.last_index) == (2, 2, 4)
    assert [node.leader for node in cluster.nodes.values()] == [2, 2, 2]
    assert leader.members == MEMBERS
    assert leader.started_empty


def test_what_is_proposed_is_applied_everywhere(cluster: Cluster) -> None:
    for data in (b"first", b"second"):
        cluster.leader().propose(data)
    cluster.work()
    assert all(applied == [b"first", b"second"] for applied in cluster.applied.values())
    assert cluster.leader().progress() == [(member, 6, True, "replicate") for member in MEMBERS]


def test_only_the_leader_takes_proposals(cluster: Cluster) -> None:
    with pytest.raises(ProposalDropped, match="does not lead"):
        cluster.nodes[1].propose(b"block")


def test_leadership_is_handed_over(cluster: Cluster) -> None:
    cluster.leader().transfer_leadership(3)
    assert cluster.leader().transferee == 3
    with pytest.raises(ProposalDropped, match="handed over"):
        cluster.leader().propose(b"block")
    cluster.work()
    assert cluster.leader().member == 3


def test_a_log_goes_on_after_a_restart(cluster: Cluster) -> None:
    cluster.leader().propose(b"block")
    cluster.work()
    cluster.nodes[1].close()
    cluster.applied[1].clear()
    cluster.nodes[1] = again = opened(cluster.folder, 1, [])
    assert (again.term, again.started_empty) == (2, False)
    cluster.work()
    for _ in range(2):
        cluster.leader().tick()
        cluster.work()
    assert cluster.applied[1] == [b"block"]
    assert again.members == MEMBERS


def test_a_member_is_added_and_takes_a_snapshot(cluster: Cluster) -> None:
    leader = cluster.leader()
    for number in range(20):
        leader.propose(b"block %d" % number)
    cluster.work()
    leader.compact(leader.applied, b"block 19")
    assert (leader.first_index, leader.snapshot_index) == (21, 24)
    cluster.nodes[4] = opened(cluster.folder, 4, [])
    cluster.applied[4] = []
    leader.propose_conf_change(0, 4)
    assert leader.conf_change_pending
    assert not leader.wants_snapshot
    cluster.work()
    # It is no member of the first snapshot.
    leader.tick()
    cluster.work()
    assert leader.wants_snapshot
    assert 4 not in cluster.restored
    leader.compact(leader.applied, b"block 19")
    assert not leader.wants_snapshot
    for _ in range(3):
        leader.tick()
        cluster.work()
    taken = cluster.restored[4]
    assert (taken.index, taken.data, taken.members) == (25, b"block 19", [1, 2, 3, 4])
    leader.propose(b"behind the snapshot")
    cluster.work()
    assert cluster.applied[4] == [b"behind the snapshot"]
    leader.propose_conf_change(1, 4)
    cluster.work()
    assert leader.members == MEMBERS


def test_one_consenters_channel_begins_with_a_snapshot(tmp_path: Path) -> None:
    first = RaftSnapshot(70, 3, [5], b"block 60")
    cluster = Cluster(tmp_path, [opened(tmp_path, 5, [], first)])
    node = cluster.nodes[5]
    assert (node.applied, node.members, node.term) == (70, [5], 3)
    node.campaign()
    cluster.work()
    node.propose(b"block 61")
    cluster.work()
    assert cluster.applied[5] == [b"block 61"]
    assert (node.term, node.last_index) == (4, 72)


def test_messages_that_no_member_sends_are_refused(cluster: Cluster) -> None:
    follower = cluster.nodes[1]

    def message(*fields: tuple[int, int]) -> bytes:
        return b"".join(bytes([number << 3, value]) for number, value in fields)

    heartbeat = [(1, 8), (2, 1), (3, 2), (4, 2)]
    refused: list[tuple[bytes, str]] = [
        (b"\xff", "not an encoded raftpb.Message"),
        (message((1, 0), (2, 1), (3, 2), (4, 2)), "sent MsgHup"),
        (message((1, 2), (2, 1), (3, 2), (4, 2)), "sent MsgProp"),
        (message((1, 8), (2, 3), (3, 2), (4, 2)), "for member 3 reached member 1"),
        (message((1, 4), (2, 1), (3, 9), (4, 2)), "which is no member"),
        (message((1, 8), (2, 1), (3, 2)), "has no term"),
        (message((1, 8), (2, 1), (3, 1), (4, 2)), "names no other member"),
        (message(*heartbeat, (5, 3)), "later term than its own"),
    ]
    for encoded, reason in refused:
        with pytest.raises(InputError, match=reason):
            follower.step(encoded)
    assert (follower.term, follower.leader) == (2, 2)
    assert raft_route(message(*heartbeat)) == (2, 1, "MsgHeartbeat", 2)


def test_a_member_whose_log_was_lost_does_not_go_on(cluster: Cluster) -> None:
    cluster.leader().propose(b"block")
    cluster.work()
    cluster.nodes[1].close()
    remove_raft_log(str(cluster.folder / "1"))
    cluster.nodes[1] = opened(cluster.folder, 1, MEMBERS)
    cluster.leader().tick()
    with pytest.raises(LedgerCorrupted, match="under a new id"):
        cluster.work()


def test_the_order_of_work_is_kept(cluster: Cluster, tmp_path: Path) -> None:
    leader = cluster.leader()
    leader.propose(b"block")
    assert leader.ready() is not None
    leader.propose(b"another")
    calls: list[Callable[[], object]] = [leader.ready, leader.advance]
    for call in calls:
        with pytest.raises(InputError):
            call()
    with pytest.raises(InputError, match="compacted already, or not applied"):
        leader.compact(leader.last_index, b"")
    with pytest.raises(LedgerLocked):
        opened(tmp_path, 2, [])


@pytest.mark.parametrize("sizes", [[], [10], [20_000], [10, 300_000, 20], [20_000, 20_000, 5]])
def test_a_message_is_one_request_however_large_its_entries_are(
    cluster: Cluster, sizes: list[int]
) -> None:
    leader = cluster.leader()
    for place, size in enumerate(sizes):
        leader.propose(bytes([65 + place]) * size)
    # A heartbeat goes out in any case.
    leader.tick()
    ready = leader.ready()
    assert ready is not None
    for message in ready.messages:
        for metadata in (b"", b"told"):
            request = ConsensusRequest(channel="c", payload=message.payload, metadata=metadata)
            expected = StepRequest(consensus_request=request).SerializeToString()
            step = message.step_request("c", metadata)
            assert bytes(step) == expected
            assert len(step) == len(expected)
    for member in (1, 3):
        sent = b"".join(message.payload for message in ready.messages if message.to == member)
        assert sent
        assert all(bytes([65 + place]) * size in sent for place, size in enumerate(sizes))
