# SPDX-License-Identifier: Apache-2.0
"""``peer snapshot``."""

import secrets
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import click
import grpc.aio
from google.protobuf.message import Message

from fastledger.cli.peer.cobra import CobraCommand, UsageFailed, options
from fastledger.cli.peer.settings import Settings, load_settings
from fastledger.client.target import rpc_failed
from fastledger.common.errors import InputError
from fastledger.protos.common.common_pb2 import SignatureHeader
from fastledger.protos.peer.snapshot_pb2 import (
    SignedSnapshotRequest,
    SnapshotQuery,
    SnapshotRequest,
)
from fastledger.protos.peer.snapshot_pb2_grpc import SnapshotStub

if TYPE_CHECKING:
    from fastledger.protos.peer.snapshot_pb2_grpc import SnapshotAsyncStub

_NONCE_BYTES = 24
_T = TypeVar("_T")

_OPTIONS = options(
    click.option("-c", "--channelID", "channel_id", default="", help="The channel"),
    click.option("--peerAddress", "address", default="", help="The peer to ask"),
    click.option("--tlsRootCertFile", "root_file", default="", help="Its TLS root certificate"),
)
_BLOCK = click.option(
    "-b",
    "--blockNumber",
    "number",
    type=click.IntRange(0),
    default=0,
    help="Number of its last block",
)


@click.command(cls=CobraCommand)
@_OPTIONS
@_BLOCK
async def submitrequest(channel_id: str, number: int, address: str, root_file: str) -> None:
    """Ask for a snapshot at a block, without a number at the newest."""
    _check_channel(channel_id)
    settings = load_settings()
    request = SnapshotRequest(
        signature_header=_header(settings), channel_id=channel_id, block_number=number
    )
    what = "failed to submit the request"
    await _ask(settings, address, root_file, request, what, lambda s, r: s.Generate(r))
    click.echo("Snapshot request submitted successfully")


@click.command(cls=CobraCommand)
@_OPTIONS
@_BLOCK
async def cancelrequest(channel_id: str, number: int, address: str, root_file: str) -> None:
    """Take back the request for a snapshot at a block."""
    _check_channel(channel_id)
    if not number:
        raise UsageFailed(
            "the required parameter 'blockNumber' is empty or set to 0. Rerun the command with "
            "-b flag"
        )
    settings = load_settings()
    request = SnapshotRequest(
        signature_header=_header(settings), channel_id=channel_id, block_number=number
    )
    what = "failed to cancel the request"
    await _ask(settings, address, root_file, request, what, lambda s, r: s.Cancel(r))
    click.echo("Snapshot request cancelled successfully")


@click.command(cls=CobraCommand)
@_OPTIONS
async def listpending(channel_id: str, address: str, root_file: str) -> None:
    """List the blocks for which a snapshot will be made."""
    _check_channel(channel_id)
    settings = load_settings()
    query = SnapshotQuery(signature_header=_header(settings), channel_id=channel_id)
    what = "failed to list pending requests"
    answer = await _ask(settings, address, root_file, query, what, lambda s, r: s.QueryPendings(r))
    numbers = " ".join(str(number) for number in answer.block_numbers)
    click.echo(f"Successfully got pending snapshot requests: [{numbers}]")


async def _ask(
    settings: Settings,
    address: str,
    root_file: str,
    request: Message,
    what: str,
    method: "Callable[[SnapshotAsyncStub, SignedSnapshotRequest], Awaitable[_T]]",
) -> _T:
    content = request.SerializeToString()
    signed = SignedSnapshotRequest(request=content, signature=settings.signer.sign(content))
    async with await settings.peer(address, root_file).connect("snapshot") as channel:
        try:
            return await method(SnapshotStub(channel), signed)
        except grpc.aio.AioRpcError as error:
            raise InputError(f"{what}: {rpc_failed(error)}") from error


def _header(settings: Settings) -> SignatureHeader:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return SignatureHeader(creator=settings.signer.serialized, nonce=nonce)


def _check_channel(channel_id: str) -> None:
    if not channel_id:
        raise UsageFailed(
            "the required parameter 'channelID' is empty. Rerun the command with -c flag"
        )
