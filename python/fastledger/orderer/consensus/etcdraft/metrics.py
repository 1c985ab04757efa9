# SPDX-License-Identifier: Apache-2.0
"""What is counted of a channel's raft (Fabric: ``orderer/consensus/etcdraft/metrics.go``)."""

from fastledger.common import metrics

_CHANNEL = ("channel",)


class RaftMetrics:
    """The series of one channel."""

    def __init__(self, channel_id: str) -> None:
        """Begin as a follower."""
        self.cluster_size = metrics.gauge(
            "consensus_etcdraft_cluster_size", "Number of nodes in this channel.", _CHANNEL
        ).labels(channel_id)
        self.is_leader = metrics.gauge(
            "consensus_etcdraft_is_leader",
            "The leadership status of the current node: 1 if it is the leader else 0.",
            _CHANNEL,
        ).labels(channel_id)
        self.active_nodes = metrics.gauge(
            "consensus_etcdraft_active_nodes", "Number of active nodes in this channel.", _CHANNEL
        ).labels(channel_id)
        self.committed_block_number = metrics.gauge(
            "consensus_etcdraft_committed_block_number",
            "The block number of the latest block committed.",
            _CHANNEL,
        ).labels(channel_id)
        self.snapshot_block_number = metrics.gauge(
            "consensus_etcdraft_snapshot_block_number",
            "The block number of the latest snapshot.",
            _CHANNEL,
        ).labels(channel_id)
        self.leader_changes = metrics.counter(
            "consensus_etcdraft_leader_changes",
            "The number of leader changes since process start.",
            _CHANNEL,
        ).labels(channel_id)
        self.proposal_failures = metrics.counter(
            "consensus_etcdraft_proposal_failures", "The number of proposal failures.", _CHANNEL
        ).labels(channel_id)
        self.data_persist_duration = metrics.histogram(
            "consensus_etcdraft_data_persist_duration",
            "The time taken for etcd/raft data to be persisted in storage (in seconds).",
            _CHANNEL,
        ).labels(channel_id)
        self.normal_proposals_received = metrics.counter(
            "consensus_etcdraft_normal_proposals_received",
            "The total number of proposals received for normal type transactions.",
            _CHANNEL,
        ).labels(channel_id)
        self.config_proposals_received = metrics.counter(
            "consensus_etcdraft_config_proposals_received",
            "The total number of proposals received for config type transactions.",
            _CHANNEL,
        ).labels(channel_id)
        self.node_id = metrics.gauge(
            "consensus_etcdraft_node_id", "This node's raft id.", _CHANNEL
        ).labels(channel_id)
        self.leader_id = metrics.gauge(
            "consensus_etcdraft_leader_id", "The leader's raft id, 0 for none.", _CHANNEL
        ).labels(channel_id)
        self.term = metrics.gauge("consensus_etcdraft_term", "The term of raft.", _CHANNEL).labels(
            channel_id
        )
        self.last_index = metrics.gauge(
            "consensus_etcdraft_last_index", "The place of the last entry in the log.", _CHANNEL
        ).labels(channel_id)
