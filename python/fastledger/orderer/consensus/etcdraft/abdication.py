# SPDX-License-Identifier: Apache-2.0
"""A leader that a configuration takes out, or gives another certificate, hands over first.

Fabric: ``abdicateLeadership``. The configuration then goes to the next leader.
"""

from collections.abc import Callable

from fastledger._core import RaftNode
from fastledger.common import log
from fastledger.orderer.consensus.chain import ChainHalted
from fastledger.orderer.consensus.etcdraft.leaderwatch import LeaderWatch

MAX_ATTEMPTS = 5
"""As Fabric's."""

_logger = log.get("orderer.consensus.etcdraft")


async def abdicate(
    node: RaftNode, watch: LeaderWatch, wake: Callable[[], None], election_timeout_s: float
) -> None:
    """Hand leadership to another consenter, and return when it has it.

    Raises:
        ChainHalted: Nobody has taken it.
    """
    for _ in range(MAX_ATTEMPTS):
        if watch.leader != node.member:
            return
        candidates = [
            (match, member)
            for member, match, is_active, state in node.progress()
            if is_active and member != node.member and state == "replicate"
        ]
        if candidates:
            _, to = max(candidates)
            _logger.info("Transferring leadership to %d", to)
            node.transfer_leadership(to)
            wake()
        await watch.wait(election_timeout_s)
    if watch.leader == node.member:
        raise ChainHalted("leader transfer timed out: no other consenter takes over leadership")
