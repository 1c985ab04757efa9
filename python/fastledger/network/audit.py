# SPDX-License-Identifier: Apache-2.0
"""A copy of the channel that is validated once more, to say why a transaction is invalid.

The peer's own ledger belongs to its process. This one, in ``.fastledger/audit``, takes the blocks
from a peer's Deliver service when it is asked, judges them again, and can explain.
"""

import asyncio
from pathlib import Path

from fastledger.common.errors import NodeFailed, NotFound
from fastledger.ledger import kvledger
from fastledger.ledger.explanation import Explanation
from fastledger.ledger.kvledger import Ledger
from fastledger.network.plan import Plan
from fastledger.network.session import Session, User, spokesman

FETCH_TIMEOUT_S = 30.0
"""The longest pause between two blocks that a peer is known to have."""


def folder(plan: Plan) -> Path:
    """Return where the copy is."""
    return plan.state / "audit" / plan.channel


async def explain(session: Session, user: User, tx_id: str, last: int) -> Explanation:
    """Say why a transaction got its verdict.

    Args:
        session: The network.
        user: Who asks, at the first peer of its organization.
        tx_id: The transaction.
        last: The block that has it.

    Raises:
        FastledgerError: The copy cannot be opened, or the peer does not send its blocks.
    """
    copy = folder(session.plan)
    copy.parent.mkdir(parents=True, exist_ok=True)
    with kvledger.open(copy, durable=False) as ledger:
        await follow(session, ledger, user, last)
        return ledger.explain(tx_id)


async def follow(session: Session, ledger: Ledger, user: User, last: int) -> None:
    """Commit a peer's blocks to the copy, up to and with ``last``."""
    if ledger.height > last:
        return
    node = spokesman(user.org)
    peer = await session.peer(node)
    blocks = peer.full_blocks(session.plan.channel, session.signer(user), ledger.height)
    try:
        while ledger.height <= last:
            async with asyncio.timeout(FETCH_TIMEOUT_S):
                block = await anext(blocks)
            await asyncio.to_thread(ledger.commit, block)
    except StopAsyncIteration:
        raise NotFound(f"{node.name} sent no block {ledger.height}") from None
    except TimeoutError:
        raise NodeFailed(f"{node.name} does not send block {ledger.height}") from None
