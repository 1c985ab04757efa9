# SPDX-License-Identifier: Apache-2.0
"""How many blocks each node has."""

import asyncio

from fastledger.client.endorsement import call
from fastledger.common.errors import FastledgerError
from fastledger.network.deployment import ADMIN
from fastledger.network.plan import Node, Org, Plan
from fastledger.network.session import Session
from fastledger.protos.common.ledger_pb2 import BlockchainInfo
from fastledger.protoutil.seek import NEWEST


async def heights(plan: Plan) -> dict[str, int]:
    """Return the channel's height by the node's name, without nodes that do not answer."""
    async with Session(plan) as session:
        asked = [_peer(session, org, peer) for org in plan.organizations for peer in org.peers]
        answers = await asyncio.gather(_orderer(session, plan), *asked, return_exceptions=True)
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


async def _orderer(session: Session, plan: Plan) -> int:
    signer = session.identity(plan.organizations[0], ADMIN)
    stream = (await session.orderer()).blocks(plan.channel, signer)
    try:
        return (await stream.get(NEWEST)).header.number + 1
    finally:
        stream.close()
