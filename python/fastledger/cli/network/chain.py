# SPDX-License-Identifier: Apache-2.0
"""``fastledger blocks`` and ``events``."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import click

from fastledger.cli.command import LiveCommand
from fastledger.cli.network.place import DIRECTORY, running
from fastledger.cli.network.transact import user_of
from fastledger.client.peer import Peer
from fastledger.common.codes import code_name
from fastledger.common.errors import DeliverEnded, NotFound
from fastledger.network.deployment import committed
from fastledger.network.plan import Plan
from fastledger.network.session import Session, User, spokesman
from fastledger.protos.common.common_pb2 import Block, BlockMetadataIndex
from fastledger.protoutil import block as blocks_of
from fastledger.protoutil import transaction as transactions
from fastledger.protoutil.inspect import block_to_dict
from fastledger.protoutil.seek import NEWEST, specified

_SHOWN_BLOCKS = 10
_VALID = 0


@click.command(cls=LiveCommand)
@DIRECTORY
@click.argument("number", type=click.IntRange(0), required=False)
@click.option(
    "-n",
    "--last",
    type=click.IntRange(1),
    default=_SHOWN_BLOCKS,
    show_default=True,
    help="How many of them.",
)
@click.option("-f", "--follow", is_flag=True, help="Go on showing new blocks.")
def blocks(directory: Path | None, number: int | None, last: int, follow: bool) -> None:
    """List the newest blocks with the verdicts of their transactions, or show block NUMBER."""
    plan = running(directory)
    if number is not None:
        asyncio.run(_one(plan, number))
    else:
        asyncio.run(_list(plan, last, follow))


async def _one(plan: Plan, number: int) -> None:
    user = _reader(plan)
    async with Session(plan) as session:
        height = await _height(session, user)
        if number >= height:
            raise NotFound(f"no block {number}, the newest is {height - 1}")
        peer = await session.peer(spokesman(user.org))
        stream = peer.blocks(plan.channel, session.signer(user))
        block = await stream.get(specified(number))
        stream.close()
    shown = block_to_dict(block.SerializeToString())
    click.echo(json.dumps(shown, indent=2, ensure_ascii=False))


async def _list(plan: Plan, last: int, follow: bool) -> None:
    user = _reader(plan)
    async with Session(plan) as session:
        height = await _height(session, user)
        start = max(0, height - last)
        peer = await session.peer(spokesman(user.org))
        async for encoded in peer.full_blocks(plan.channel, session.signer(user), start):
            block = Block.FromString(encoded)
            click.echo(_line(block, encoded))
            if block.header.number + 1 >= height and not follow:
                return


def _reader(plan: Plan) -> User:
    return user_of(plan, plan.organizations[0].name, "User1")


async def _height(session: Session, user: User) -> int:
    peer: Peer = await session.peer(spokesman(user.org))
    stream = peer.blocks(session.plan.channel, session.signer(user))
    try:
        return (await stream.get(NEWEST)).header.number + 1
    finally:
        stream.close()


def _line(block: Block, encoded: bytes) -> str:
    codes = block.metadata.metadata[BlockMetadataIndex.TRANSACTIONS_FILTER]
    parts = []
    for place, envelope in enumerate(blocks_of.parse(encoded).envelopes):
        parsed = transactions.parse(envelope)
        code = codes[place] if place < len(codes) else _VALID
        what = parsed.chaincode or parsed.type
        parts.append(f"{parsed.tx_id[:8]} {what} {code_name(code)}")
    shown = ", ".join(parts[:4]) + (f", … {len(parts) - 4} more" if len(parts) > 4 else "")
    return f"block {block.header.number:>5}  {len(parts):>4} tx  {shown}"


@click.command(cls=LiveCommand)
@DIRECTORY
@click.option("--chaincode", default="", help="Name; without it the one that up named last.")
@click.option(
    "--start", type=click.IntRange(0), help="Block to begin with; without it the next one."
)
def events(directory: Path | None, chaincode: str, start: int | None) -> None:
    """Show the chaincode's events as they are committed."""
    plan = running(directory)
    asyncio.run(_events(plan, chaincode or plan.chaincode, start))


async def _events(plan: Plan, chaincode: str, start: int | None) -> None:
    user = _reader(plan)
    async with Session(plan) as session:
        if not await committed(session, chaincode):
            raise NotFound(f"channel {plan.channel} has no chaincode {chaincode}")
        first = await _height(session, user) if start is None else start
        peer = await session.peer(spokesman(user.org))
        try:
            async for encoded in peer.full_blocks(plan.channel, session.signer(user), first):
                for line in _events_of(encoded, chaincode):
                    click.echo(line)
        except DeliverEnded as error:
            raise NotFound(f"the peer ended the stream: {error.status}") from error


def _events_of(encoded: bytes, chaincode: str) -> Iterator[str]:
    block = blocks_of.parse(encoded)
    codes = Block.FromString(encoded).metadata.metadata[BlockMetadataIndex.TRANSACTIONS_FILTER]
    for code, envelope in zip(codes, block.envelopes, strict=False):
        parsed = transactions.parse(envelope)
        event = parsed.event
        if code == _VALID and event is not None and event.chaincode == chaincode:
            payload = event.payload.decode("utf-8", "backslashreplace")
            yield f"block {block.number}  {parsed.tx_id[:8]}  {event.name}  {payload}"
