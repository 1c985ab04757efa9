# SPDX-License-Identifier: Apache-2.0
"""Blocks of other orderers (Fabric: the replication part of ``orderer/common/cluster``).

::

    configuration ──► endpoints ──► all are asked for their newest block ──► one of those ahead
                                                                                  │
    block files ◄── ChainSupport.append, which checks everything ◄── Deliver ◄────┘
"""
