# SPDX-License-Identifier: Apache-2.0
"""``peer channel fetch``."""

from pathlib import Path

import click

from fastledger.cli.peer.channel import CHANNEL
from fastledger.cli.peer.cobra import CobraCommand, UsageFailed
from fastledger.cli.peer.settings import OrdererFlags, load_settings, orderer_options
from fastledger.client.orderer import Orderer
from fastledger.client.peer import Peer
from fastledger.client.stream import BlockStream
from fastledger.common import log
from fastledger.common.errors import InputError
from fastledger.protos.common.common_pb2 import (
    Block,
    BlockMetadataIndex,
    LastConfig,
    Metadata,
    OrdererBlockMetadata,
)
from fastledger.protoutil.seek import NEWEST, OLDEST, specified

_MAX_NUMBER = 2**64 - 1
_logger = log.get("channelCmd")


@click.command(cls=CobraCommand)
@click.argument("args", nargs=-1, metavar="<newest|oldest|config|(number)> [outputfile]")
@CHANNEL
@click.option("--bestEffort", "best_effort", is_flag=True, help="Ignore the consenter's errors")
@orderer_options
async def fetch(
    args: tuple[str, ...], channel_id: str, best_effort: bool, ordering: OrdererFlags
) -> None:
    """Fetch a block from the ordering service, or without -o from the peer, into a file."""
    if not args:
        raise UsageFailed("fetch target required, oldest, newest, config, or a number")
    if len(args) > 2:
        raise UsageFailed("trailing args detected")
    settings = load_settings()
    if ordering.orderer.count(":") == 1:
        async with await Orderer.connect(settings.orderer(ordering)) as orderer:
            stream = orderer.blocks(channel_id, settings.signer, best_effort=best_effort)
            block = await _fetch(stream, args[0])
    else:
        async with await Peer.connect(settings.peer(), "deliver") as peer:
            stream = peer.blocks(channel_id, settings.signer, best_effort=best_effort)
            block = await _fetch(stream, args[0])
    file = args[1] if len(args) == 2 else f"{channel_id}_{args[0]}.block"
    Path(file).write_bytes(block.SerializeToString())


async def _fetch(stream: BlockStream, what: str) -> Block:
    _logger.info("Endorser and orderer connections initialized")
    if what == "oldest":
        return await stream.get(OLDEST)
    if what == "newest":
        return await stream.get(NEWEST)
    if what == "config":
        number = _last_config(await stream.get(NEWEST))
        _logger.info("Retrieving last config block: %d", number)
        return await stream.get(specified(number))
    if not what.isdecimal() or int(what) > _MAX_NUMBER:
        raise InputError(f"fetch target illegal: {what}")
    return await stream.get(specified(int(what)))


def _last_config(block: Block) -> int:
    """Return the newest configuration block's number, from either place that tells it."""
    slots = block.metadata.metadata
    signatures = Metadata.FromString(slots[BlockMetadataIndex.SIGNATURES])
    if signatures.value:
        last = OrdererBlockMetadata.FromString(signatures.value).last_config
    else:
        slot = Metadata.FromString(slots[BlockMetadataIndex.LAST_CONFIG])
        last = LastConfig.FromString(slot.value)
    return last.index
