# SPDX-License-Identifier: Apache-2.0
"""``peer channel create``, ``update``, ``signconfigtx`` and ``getinfo``."""

import asyncio
import base64
import json
import time
from pathlib import Path

import click

from fastledger.cli.peer.cobra import DURATION, CobraCommand, UsageFailed
from fastledger.cli.peer.configtx import InvalidCreateTx, check_and_sign, read_envelope
from fastledger.cli.peer.settings import OrdererFlags, Settings, load_settings, orderer_options
from fastledger.client.endorsement import call
from fastledger.client.orderer import Orderer
from fastledger.client.peer import Peer
from fastledger.common import log
from fastledger.common.errors import DeliverEnded, InputError, ProposalRefused, RpcFailed
from fastledger.protos.common.common_pb2 import Block
from fastledger.protos.common.ledger_pb2 import BlockchainInfo
from fastledger.protoutil.seek import specified

_POLL_S = 0.2
_logger = log.get("channelCmd")

CHANNEL = click.option("-c", "--channelID", "channel_id", default="", help="The channel")


@click.command(cls=CobraCommand)
@CHANNEL
@click.option("-f", "--file", default="", help="Channel transaction that configtxgen wrote")
@click.option("--outputBlock", "output", default="", help="Where to write the genesis block")
@click.option(
    "-t", "--timeout", type=DURATION, default=10.0, help="Wait so long for the genesis block"
)
@orderer_options
async def create(
    channel_id: str, file: str, output: str, timeout: float, ordering: OrdererFlags
) -> None:
    """Create a channel through the system channel, and write its genesis block to a file."""
    if not channel_id:
        raise UsageFailed("must supply channel ID")
    settings = load_settings()
    check_endpoint(ordering)
    target = settings.orderer(ordering)
    async with await Orderer.connect(target) as orderer:
        _logger.info("Endorser and orderer connections initialized")
        if not file:
            raise InvalidCreateTx("No configtx file name supplied")
        _, signed = check_and_sign(read_envelope(file), channel_id, settings.signer)
        await orderer.broadcast(signed)
        block = await _genesis_block(orderer, channel_id, settings, timeout)
    Path(output or f"{channel_id}.block").write_bytes(block.SerializeToString())


async def _genesis_block(
    orderer: Orderer, channel_id: str, settings: Settings, timeout_s: float
) -> Block:
    """Ask until the orderer has the new channel."""
    end = time.monotonic() + timeout_s
    while True:
        stream = orderer.blocks(channel_id, settings.signer)
        try:
            return await stream.get(specified(0))
        except DeliverEnded:
            if time.monotonic() > end:
                raise InputError("timeout waiting for channel creation") from None
            await asyncio.sleep(_POLL_S)
        finally:
            stream.close()


@click.command(cls=CobraCommand)
@CHANNEL
@click.option("-f", "--file", default="", help="Channel update that configtxgen wrote")
@orderer_options
async def update(channel_id: str, file: str, ordering: OrdererFlags) -> None:
    """Sign a channel update and send it to the ordering service."""
    if not channel_id:
        raise UsageFailed("Must supply channel ID")
    if not file:
        raise UsageFailed(str(InvalidCreateTx("No configtx file name supplied")))
    settings = load_settings()
    check_endpoint(ordering)
    async with await Orderer.connect(settings.orderer(ordering)) as orderer:
        _logger.info("Endorser and orderer connections initialized")
        _, signed = check_and_sign(read_envelope(file), channel_id, settings.signer)
        await orderer.broadcast(signed)
    _logger.info("Successfully submitted channel update")


@click.command(cls=CobraCommand)
@click.option("-f", "--file", default="", help="Channel update that configtxgen wrote")
@orderer_options
def signconfigtx(file: str, ordering: OrdererFlags) -> None:  # noqa: ARG001
    """Add a signature to a channel update, in place."""
    if not file:
        raise UsageFailed(str(InvalidCreateTx("No configtx file name supplied")))
    settings = load_settings()
    _, signed = check_and_sign(read_envelope(file), "", settings.signer)
    Path(file).write_bytes(signed.SerializeToString())


@click.command(cls=CobraCommand)
@CHANNEL
@orderer_options
async def getinfo(channel_id: str, ordering: OrdererFlags) -> None:  # noqa: ARG001
    """Show a channel's height and newest hashes."""
    if not channel_id:
        raise UsageFailed("Must supply channel ID")
    settings = load_settings()
    async with await Peer.connect(settings.peer()) as peer:
        _logger.info("Endorser and orderer connections initialized")
        try:
            payload = await call(
                peer, settings.signer, "qscc", [b"GetChainInfo", channel_id.encode()]
            )
        except ProposalRefused as error:
            raise InputError(
                f"received bad response, status {error.status}: {error.message}"
            ) from error
        except RpcFailed as error:
            raise InputError(f"failed sending proposal: {error}") from error
    click.echo(f"Blockchain info: {_as_json(BlockchainInfo.FromString(payload))}")


def _as_json(info: BlockchainInfo) -> str:
    """Return it as Go's encoding/json does: base64, zero values left out."""
    values: dict[str, object] = {
        "height": info.height,
        "currentBlockHash": base64.b64encode(info.currentBlockHash).decode(),
        "previousBlockHash": base64.b64encode(info.previousBlockHash).decode(),
    }
    values = {key: value for key, value in values.items() if value}
    if info.HasField("bootstrappingSnapshotInfo"):
        last = info.bootstrappingSnapshotInfo.lastBlockInSnapshot
        values["bootstrappingSnapshotInfo"] = {"lastBlockInSnapshot": last} if last else {}
    return json.dumps(values, separators=(",", ":"))


def check_endpoint(ordering: OrdererFlags) -> None:
    """Refuse to go on without ``-o host:port``."""
    if ordering.orderer.count(":") != 1:
        raise InputError(f"ordering service endpoint {ordering.orderer} is not valid or missing")
