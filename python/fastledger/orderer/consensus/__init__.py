# SPDX-License-Identifier: Apache-2.0
"""How a channel's messages come into one order.

=============  ================================================================================
chain          the interface: a kind of consensus, a channel's chain, its side of the channel
batcher        messages become batches, in turn and in time; every kind with a cutter uses it
clock          the time, handed in
consenters     the kinds that run here, by name
rules, kinds   what the configurations of every kind must be
solo           one orderer
etcdraft       raft's rules; one consenter
smartbft       BFT's rules
=============  ================================================================================
"""
