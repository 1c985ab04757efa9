# SPDX-License-Identifier: Apache-2.0
"""What a client does with a network: proposals, transactions, blocks, events."""

from fastledger.client.endorsement import Endorsement, endorse, transaction
from fastledger.client.orderer import Orderer
from fastledger.client.peer import Peer
from fastledger.client.target import Target

__all__ = ["Endorsement", "Orderer", "Peer", "Target", "endorse", "transaction"]
