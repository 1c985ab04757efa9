# SPDX-License-Identifier: Apache-2.0
"""Blocks from whichever orderer gives them (``internal/pkg/peer/blocksprovider``)."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol

import grpc
import grpc.aio

from fastledger.comm import GrpcChannel, in_core
from fastledger.common import log
from fastledger.common.errors import ConnectionFailed, InputError
from fastledger.protos.common.common_pb2 import Status
from fastledger.protoutil.blocks import EncodedBlock, block_or_status
from fastledger.protoutil.seek import NO_END, seek, specified
from fastledger.protoutil.signer import Signer

METHOD = "/orderer.AtomicBroadcast/Deliver"

FIRST_PAUSE_S = 0.1
PAUSE_FACTOR = 1.2
"""Fabric's ``BackoffExponentBase``."""

MAX_PAUSE_S = 10.0
"""``peer.deliveryclient.reConnectBackoffThreshold`` is an hour; a peer that comes back within
seconds of its orderer is worth a connection now and then."""

MAX_TOLD = 100
"""Different lines that are remembered; an orderer could make up new ones."""

_logger = log.get("peer.blocksprovider")


class Connector(Protocol):
    """Connects to an orderer by its address."""

    async def connect(self, address: str) -> GrpcChannel:
        """Dial; raises ConnectionFailed."""

    @property
    def certificate_hash(self) -> bytes:
        """What the requests are bound to under mutual TLS."""


class StreamEnded(Exception):
    """An orderer ended the stream, or sent what is no block."""


class BlockPuller:
    """One channel's blocks, in order, whatever becomes of single orderers."""

    def __init__(
        self,
        channel_id: str,
        addresses: Callable[[], Sequence[str]],
        signer: Signer,
        connector: Connector,
    ) -> None:
        """Pull for a channel; the addresses are asked for again at every connection."""
        self._channel_id = channel_id
        self._addresses = addresses
        self._signer = signer
        self._connector = connector
        self._failures = 0
        self._reached = 0
        """Height at which the failures began."""
        self._told: set[tuple[str, str]] = set()
        """What was said since, by orderer: the same again goes to the debug log."""
        self._tried = 0
        self._call: grpc.aio.Call | None = None
        self._ended = ""
        """Why the stream in use is to end."""

    def restart(self) -> None:
        """Ask again, from the height that is wanted by then."""
        self._failures = 0
        self._end("the blocks that were sent are dropped: the disk was full")

    async def blocks(self, height: Callable[[], Awaitable[int]]) -> AsyncIterator[EncodedBlock]:
        """Yield encoded blocks from a height on, where they lie; ends only by being closed.

        Args:
            height: Gives the number of the block that is wanted next, at every connection.
        """
        while True:
            address = self._next_address()
            if address is not None:
                wanted = await height()
                if wanted > self._reached:
                    # Blocks that came and do not hold are no progress.
                    self._reached, self._failures = wanted, 0
                    self._told.clear()
                try:
                    async for block in self._from(address, wanted):
                        yield block
                except (ConnectionFailed, grpc.aio.AioRpcError, StreamEnded) as error:
                    self._tell(address, f"orderer {address}: {_text(error)}", logging.WARNING)
            await asyncio.sleep(self._pause())

    def reject(self) -> None:
        """Leave the orderer in use: what it sent does not hold."""
        self._end("it sent a block that does not hold")

    def _end(self, reason: str) -> None:
        self._ended = reason
        if self._call is not None:
            self._call.cancel()

    def _next_address(self) -> str | None:
        addresses = list(self._addresses())
        if not addresses:
            _logger.warning("[%s] the configuration names no orderer", self._channel_id)
            return None
        if self._tried == 0:
            # Peers of one channel do not all begin with the same orderer.
            self._tried = random.randrange(len(addresses))  # noqa: S311 - no secret
        self._tried += 1
        return addresses[self._tried % len(addresses)]

    def _tell(self, address: str, text: str, level: int) -> None:
        """Say what is new; what was said since the last progress is not said again."""
        if (address, text) in self._told:
            level = logging.DEBUG
        elif len(self._told) < MAX_TOLD:
            self._told.add((address, text))
        _logger.log(level, "[%s] %s", self._channel_id, text)

    def _pause(self) -> float:
        pause = FIRST_PAUSE_S * PAUSE_FACTOR ** min(self._failures, 64)
        self._failures += 1
        return min(pause, MAX_PAUSE_S)

    async def _from(self, address: str, height: int) -> AsyncIterator[EncodedBlock]:
        channel = await self._connector.connect(address)
        call = None
        self._ended = ""
        try:
            call = self._call = channel.stream_stream(METHOD, None, in_core)()
            await call.write(self._request(height))
            self._tell(address, f"pulling blocks from {address} at {height}", logging.INFO)
            while True:
                response = await self._read(call)
                if response is grpc.aio.EOF:
                    raise StreamEnded("the stream ended")
                yield block_of(response)
        finally:
            self._call = None
            if call is not None:
                call.cancel()
            with suppress(Exception):
                await channel.close()

    async def _read(self, call: "grpc.aio.StreamStreamCall[Any, Any]") -> Any:
        try:
            response = await call.read()
        except asyncio.CancelledError:
            # A call that was cancelled raises this, too.
            if self._ended:
                raise StreamEnded(self._ended) from None
            raise
        if self._ended:
            raise StreamEnded(self._ended)
        return response

    def _request(self, height: int) -> bytes:
        envelope = seek(
            specified(height),
            NO_END,
            self._channel_id,
            self._signer,
            self._connector.certificate_hash,
        )
        return envelope.SerializeToString()


def block_of(response: Any) -> EncodedBlock:
    """Cut the block out of an encoded ``orderer.DeliverResponse``, without a copy.

    Raises:
        StreamEnded: It is a status, or no such message.
    """
    try:
        found = block_or_status(response)
    except InputError as error:
        raise StreamEnded(str(error)) from error
    if isinstance(found, int):
        known = found in Status.values()
        raise StreamEnded(f"status {Status.Name(found) if known else found}")  # type: ignore[arg-type]
    return found


def _text(error: Exception) -> str:
    if isinstance(error, grpc.aio.AioRpcError):
        return f"{error.code().name}: {error.details()}"
    return str(error)
