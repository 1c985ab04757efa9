# SPDX-License-Identifier: Apache-2.0
"""``peer channel join``, ``joinbysnapshot``, ``joinbysnapshotstatus`` and ``list``."""

from pathlib import Path

import click

from fastledger.cli.peer.cobra import CobraCommand, UsageFailed
from fastledger.cli.peer.settings import OrdererFlags, load_settings, orderer_options
from fastledger.client.endorsement import call
from fastledger.client.peer import Peer
from fastledger.common import log
from fastledger.common.errors import InputError, ProposalRefused, RpcFailed
from fastledger.protos.common.common_pb2 import HeaderType
from fastledger.protos.peer.query_pb2 import ChannelQueryResponse, JoinBySnapshotStatus

_logger = log.get("channelCmd")


@click.command(cls=CobraCommand)
@click.option("-b", "--blockpath", default="", help="File of the channel's genesis block")
@orderer_options
async def join(blockpath: str, ordering: OrdererFlags) -> None:  # noqa: ARG001
    """Let the peer join a channel."""
    if not blockpath:
        raise UsageFailed("Must supply genesis block path")
    await _join(b"JoinChain", blockpath)


@click.command(cls=CobraCommand)
@click.option("--snapshotpath", default="", help="Folder of the snapshot, on the peer")
@orderer_options
async def joinbysnapshot(snapshotpath: str, ordering: OrdererFlags) -> None:  # noqa: ARG001
    """Let the peer join a channel with a snapshot instead of all blocks."""
    if not snapshotpath:
        raise UsageFailed(
            "the required parameter 'snapshotpath' is empty. Rerun the command with "
            "--snapshotpath flag"
        )
    await _join(b"JoinChainBySnapshot", snapshotpath)
    _logger.info(
        'The joinbysnapshot operation is in progress. Use "peer channel joinbysnapshotstatus" '
        "to check the status."
    )


async def _join(function: bytes, path: str) -> None:
    settings = load_settings()
    async with await Peer.connect(settings.peer()) as peer:
        _logger.info("Endorser and orderer connections initialized")
        what = _genesis_block(path) if function == b"JoinChain" else path.encode()
        try:
            await call(
                peer, settings.signer, "cscc", [function, what], header_type=HeaderType.CONFIG
            )
        except ProposalRefused as error:
            reason = f"bad proposal response {error.status}: {error.message}"
            raise InputError(f"proposal failed (err: {reason})") from error
        except RpcFailed as error:
            raise InputError(f"proposal failed (err: {error})") from error
    _logger.info("Successfully submitted proposal to join channel")


def _genesis_block(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        reason = f"open {path}: {(error.strerror or str(error)).lower()}"
        raise InputError(f"genesis block file not found {reason}") from error


@click.command(cls=CobraCommand, name="list")
@click.argument("args", nargs=-1)
@orderer_options
async def list_channels(args: tuple[str, ...], ordering: OrdererFlags) -> None:  # noqa: ARG001
    """List the channels that the peer has joined."""
    if args:
        raise UsageFailed(f"trailing args detected: [{' '.join(args)}]")
    payload = await _ask(b"GetChannels")
    click.echo("Channels peers has joined: ")
    for channel in ChannelQueryResponse.FromString(payload).channels:
        click.echo(channel.channel_id)


@click.command(cls=CobraCommand)
@click.argument("args", nargs=-1)
@orderer_options
async def joinbysnapshotstatus(
    args: tuple[str, ...],
    ordering: OrdererFlags,  # noqa: ARG001
) -> None:
    """Say whether the peer is joining a channel with a snapshot."""
    if args:
        raise UsageFailed(f"trailing args detected: [{' '.join(args)}]")
    status = JoinBySnapshotStatus.FromString(await _ask(b"JoinBySnapshotStatus"))
    if status.in_progress:
        where = status.bootstrapping_snapshot_dir
        click.echo(f"A joinbysnapshot operation is in progress for snapshot at {where}")
    else:
        click.echo("No joinbysnapshot operation is in progress")


async def _ask(function: bytes) -> bytes:
    settings = load_settings()
    async with await Peer.connect(settings.peer()) as peer:
        _logger.info("Endorser and orderer connections initialized")
        try:
            return await call(peer, settings.signer, "cscc", [function])
        except ProposalRefused as error:
            raise InputError(
                f"received bad response, status {error.status}: {error.message}"
            ) from error
        except RpcFailed as error:
            raise InputError(f"failed sending proposal, due to {error}") from error
