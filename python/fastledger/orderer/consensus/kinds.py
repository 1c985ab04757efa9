# SPDX-License-Identifier: Apache-2.0
"""Asks the rules of the kinds of consensus that a configuration names."""

from fastledger.channelconfig import Bundle
from fastledger.orderer.capabilities import orderer_of
from fastledger.orderer.consensus.etcdraft.rules import RULES as ETCDRAFT
from fastledger.orderer.consensus.rules import PLAIN, Rules
from fastledger.orderer.consensus.smartbft.rules import RULES as BFT

_RULES = {"etcdraft": ETCDRAFT, "BFT": BFT}


def rules_of(bundle: Bundle) -> Rules:
    """Return the rules of the kind that a configuration names."""
    return _RULES.get(orderer_of(bundle).consensus_type, PLAIN)
