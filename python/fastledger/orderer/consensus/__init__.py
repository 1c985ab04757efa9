# SPDX-License-Identifier: Apache-2.0
"""How a channel's messages come into one order.

A chain is given messages that passed the filters, and writes blocks. :class:`~fastledger.orderer.
consensus.chain.Chain` is what every kind of consensus offers, :class:`~fastledger.orderer.
consensus.consenters.Consenters` names the kinds.
"""
