# SPDX-License-Identifier: Apache-2.0
"""Orderers of one channel talk to each other (Fabric: ``orderer/common/cluster``).

::

    ClusterService   requests of others come in, from whom the membership says they may
    ClusterComm      who is who in each channel, and a stream for each channel, consenter and kind
    Stream           a queue, and the task that writes it out
    Connections      one connection to a node, for all channels that it is in
"""

from fastledger.orderer.cluster.comm import ClusterComm, ClusterSettings, NotDelivered, OnFailure
from fastledger.orderer.cluster.connections import Backoff, ClusterIdentity
from fastledger.orderer.cluster.node import RemoteNode
from fastledger.orderer.cluster.service import ClusterService, OpenedRequest

__all__ = [
    "Backoff",
    "ClusterComm",
    "ClusterIdentity",
    "ClusterService",
    "ClusterSettings",
    "NotDelivered",
    "OnFailure",
    "OpenedRequest",
    "RemoteNode",
]
