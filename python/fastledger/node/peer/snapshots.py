# SPDX-License-Identifier: Apache-2.0
"""The service ``protos.Snapshot``: snapshots now, and at blocks to come.

::

    <ledger.snapshots.rootDir>/completed/<channel>/<block>   Fabric's format
                               pending/<channel>             block numbers, one a line
"""

import asyncio
import time
from functools import partial
from pathlib import Path

import grpc
import grpc.aio
from google.protobuf import empty_pb2
from google.protobuf.message import DecodeError

from fastledger.common import log
from fastledger.common.errors import FastledgerError, SnapshotRefused
from fastledger.endorser.acl import AclProvider
from fastledger.msp import expires_at
from fastledger.node.peer.channel import PeerChannel
from fastledger.node.peer.channels import PeerChannels
from fastledger.protos.peer import snapshot_pb2, snapshot_pb2_grpc
from fastledger.protoutil.signed_data import SignedData

MAX_PENDING = 1000
"""Requests that may wait on one channel."""

_logger = log.get("kvledger")
_Request = snapshot_pb2.SnapshotRequest | snapshot_pb2.SnapshotQuery


class Snapshots(snapshot_pb2_grpc.SnapshotServicer):
    """Takes snapshots of a peer's channels."""

    def __init__(self, channels: PeerChannels, acl: AclProvider, folder: Path) -> None:
        """Write into a folder."""
        self._channels = channels
        self._acl = acl
        self._completed = folder / "completed"
        self._waiting = folder / "pending"
        self._pending: dict[str, set[int]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        channels.opened.subscribe(self._opened)

    async def start(self) -> None:
        """Go on with what was asked for before the peer was started."""
        self._waiting.mkdir(parents=True, exist_ok=True)
        for path in self._waiting.iterdir():
            channel = self._channels.channel(path.name)
            if channel is not None:
                numbers = _block_numbers(path)
                self._pending[channel.id] = {n for n in numbers if n >= channel.height}

    async def Generate(
        self,
        request: snapshot_pb2.SignedSnapshotRequest,
        context: "grpc.aio.ServicerContext[object, object]",
    ) -> empty_pb2.Empty:
        """Take a snapshot of a block, by default the newest."""
        try:
            wanted = snapshot_pb2.SnapshotRequest.FromString(request.request)
            channel = self._authorize("snapshot/submitrequest", wanted, request)
            await self._submit(channel, wanted.block_number)
        except (FastledgerError, DecodeError) as error:
            await context.abort(grpc.StatusCode.UNKNOWN, str(error))
        return empty_pb2.Empty()

    async def Cancel(
        self,
        request: snapshot_pb2.SignedSnapshotRequest,
        context: "grpc.aio.ServicerContext[object, object]",
    ) -> empty_pb2.Empty:
        """Forget a request."""
        try:
            wanted = snapshot_pb2.SnapshotRequest.FromString(request.request)
            channel = self._authorize("snapshot/cancelrequest", wanted, request)
            pending = self._pending.get(channel.id, set())
            if wanted.block_number not in pending:
                raise SnapshotRefused(
                    f"no snapshot request exists for block number {wanted.block_number}"
                )
            pending.discard(wanted.block_number)
            self._write(channel.id)
        except (FastledgerError, DecodeError) as error:
            await context.abort(grpc.StatusCode.UNKNOWN, str(error))
        return empty_pb2.Empty()

    async def QueryPendings(
        self,
        request: snapshot_pb2.SignedSnapshotRequest,
        context: "grpc.aio.ServicerContext[object, object]",
    ) -> snapshot_pb2.QueryPendingSnapshotsResponse:
        """List the blocks of which snapshots will be taken."""
        numbers: set[int] = set()
        try:
            query = snapshot_pb2.SnapshotQuery.FromString(request.request)
            channel = self._authorize("snapshot/listpending", query, request)
            numbers = self._pending.get(channel.id, set())
        except (FastledgerError, DecodeError) as error:
            await context.abort(grpc.StatusCode.UNKNOWN, str(error))
        return snapshot_pb2.QueryPendingSnapshotsResponse(block_numbers=sorted(numbers))

    def _authorize(
        self, resource: str, wanted: _Request, request: snapshot_pb2.SignedSnapshotRequest
    ) -> PeerChannel:
        if not wanted.HasField("signature_header"):
            raise SnapshotRefused("missing signature header")
        creator = wanted.signature_header.creator
        expiry = expires_at(creator)
        if expiry is not None and time.time() > expiry:
            raise SnapshotRefused("client identity expired")
        self._acl.check(resource, "", SignedData(request.request, creator, request.signature))
        if not wanted.channel_id:
            raise SnapshotRefused("missing channel ID")
        channel = self._channels.channel(wanted.channel_id)
        if channel is None:
            raise SnapshotRefused(f"cannot find ledger for channel {wanted.channel_id}")
        return channel

    async def _submit(self, channel: PeerChannel, number: int) -> None:
        newest = channel.height - 1
        if number < newest and number:
            raise SnapshotRefused(
                f"requested snapshot for block number {number} cannot be less than the last "
                f"committed block number {newest}"
            )
        wanted = number or newest
        pending = self._pending.setdefault(channel.id, set())
        if wanted in pending or (self._completed / channel.id / str(wanted)).exists():
            raise SnapshotRefused(f"duplicate snapshot request for block number {wanted}")
        if len(pending) >= MAX_PENDING:
            raise SnapshotRefused(f"{MAX_PENDING} snapshot requests are pending already")
        if wanted == newest:
            await asyncio.to_thread(self._take, channel, wanted)
            return
        pending.add(wanted)
        self._write(channel.id)

    def _opened(self, channel: PeerChannel) -> None:
        channel.committed.subscribe(partial(self._committed, channel))

    def _committed(self, channel: PeerChannel, number: int) -> None:
        if number in self._pending.get(channel.id, set()):
            task = asyncio.create_task(self._take_pending(channel, number))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _take_pending(self, channel: PeerChannel, number: int) -> None:
        try:
            await asyncio.to_thread(self._take, channel, number)
        except FastledgerError as error:
            _logger.error("[%s] snapshot of block %d: %s", channel.id, number, error)
        self._pending[channel.id].discard(number)
        self._write(channel.id)

    def _take(self, channel: PeerChannel, number: int) -> None:
        folder = self._completed / channel.id
        folder.mkdir(parents=True, exist_ok=True)
        channel.ledger.snapshot(folder / str(number))
        _logger.info("[%s] Generated snapshot of block %d", channel.id, number)

    def _write(self, channel_id: str) -> None:
        numbers = "\n".join(map(str, sorted(self._pending.get(channel_id, set()))))
        (self._waiting / channel_id).write_text(numbers)


def _block_numbers(path: Path) -> set[int]:
    """Read for which blocks snapshots were asked for; what cannot be read is told and forgotten."""
    try:
        return {int(line) for line in path.read_text("ascii").split()}
    except ValueError:
        _logger.error(
            "%s is damaged: the snapshot requests of channel %s are forgotten; submit them again",
            path,
            path.name,
        )
        return set()
