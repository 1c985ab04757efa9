# SPDX-License-Identifier: Apache-2.0
"""How many blocks each node has."""

import asyncio

from fastledger.client.endorsement import call
from fastledger.common.errors import FastledgerError
from fastledger.network.deployment import ADMIN
from fastledger.network.ordering import ANSWER_TIMEOUT_S
from fastledger.network.plan import Node, Org, Plan
from fastledger.network.session import Session
from fastledger.protos.common.ledger_pb2 import BlockchainInfo
from fastledger.protoutil.seek import NEWEST


async def heights(plan: Plan) -> dict[str, int]:
    """Return the channel's height by the node's name, without nodes that do not answer."""
    async with Session(plan) as session:
        asked = [_peer(session, org, peer) for org in plan.organizations for peer in org.peers]
        ordering = [_orderer(session, plan, node) for node in plan.all_orderers]
        answers = await asyncio.gather(*ordering, *asked, return_exceptions=True)
    known = {}
    for node, answer in zip(plan.nodes, answers, strict=True):
        if isinstance(answer, int):
            known[node.name] = answer
        elif not isinstance(answer, FastledgerError | OSError):
            raise answer
    return known


async def _peer(session: Session, org: Org, node: Node) -> int:
    args = [b"GetChainInfo", session.plan.channel.encode()]
    payload = await call(await session.peer(node), session.identity(org, ADMIN), "qscc", args)
    return BlockchainInfo.FromString(payload).height


async def _orderer(session: Session, plan: Plan, node: Node) -> int:
    signer = session.identity(plan.organizations[0], ADMIN)
    # An orderer whose cluster has no leader tells what it has, too.
    stream = (await session.orderer(node)).blocks(plan.channel, signer, best_effort=True)
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            return (await stream.get(NEWEST)).header.number + 1
    finally:
        stream.close()
