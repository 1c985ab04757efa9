# SPDX-License-Identifier: Apache-2.0
"""What is counted of the talk between orderers (Fabric: ``orderer/common/cluster/metrics.go``)."""

from fastledger.common import metrics

_QUEUE = ("host", "msg_type", "channel")
_HOST = ("host", "channel")

EGRESS_QUEUE_LENGTH = metrics.gauge(
    "cluster_comm_egress_queue_length", "Length of the egress queue.", _QUEUE
)
EGRESS_QUEUE_CAPACITY = metrics.gauge(
    "cluster_comm_egress_queue_capacity", "Capacity of the egress queue.", _QUEUE
)
EGRESS_QUEUE_WORKERS = metrics.gauge(
    "cluster_comm_egress_queue_workers", "Count of egress queue workers.", ("channel",)
)
INGRESS_STREAM_COUNT = metrics.gauge(
    "cluster_comm_ingress_stream_count", "Count of streams from other nodes."
)
EGRESS_STREAM_COUNT = metrics.gauge(
    "cluster_comm_egress_stream_count", "Count of streams to other nodes.", ("channel",)
)
EGRESS_TLS_CONNECTION_COUNT = metrics.gauge(
    "cluster_comm_egress_tls_connection_count", "Count of TLS connections to other nodes."
)
MSG_SEND_TIME = metrics.histogram(
    "cluster_comm_msg_send_time", "The time it takes to send a message in seconds.", _HOST
)
MSG_DROPPED_COUNT = metrics.counter(
    "cluster_comm_msg_dropped_count", "Count of messages dropped.", _HOST
)
