# SPDX-License-Identifier: Apache-2.0
"""Consensus by a Kafka cluster, as Fabric 1.4 and 2 have it (``orderer/consensus/kafka``).

A channel is a topic of one partition. Whatever is put into it, every orderer reads in the same
order, and each makes the same blocks of it on its own.
"""
