# SPDX-License-Identifier: Apache-2.0
"""Another orderer, as one that has blocks (Fabric: ``cluster.ImpatientStream``)."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any

import grpc.aio

from fastledger.comm import ClientTls, GrpcChannel, dial
from fastledger.common.errors import FastledgerError, InputError
from fastledger.orderer.replication.endpoints import Endpoint
from fastledger.orderer.replication.settings import ReplicationSettings
from fastledger.protos.common.common_pb2 import Envelope, Status
from fastledger.protos.orderer.ab_pb2 import SeekPosition
from fastledger.protoutil.blocks import block_or_status, number_of
from fastledger.protoutil.seek import NEWEST, NO_END, seek, specified
from fastledger.protoutil.signer import Signer

_METHOD = "/orderer.AtomicBroadcast/Deliver"


class SourceFailed(FastledgerError):
    """An orderer does not give what it was asked for.

    Attributes:
        status: The ``common.Status`` that it gave instead of a block; 0 where it gave none.
    """

    def __init__(self, text: str, status: int = 0) -> None:
        """Say why."""
        super().__init__(text)
        self.status = status


class Source:
    """An orderer that is connected."""

    def __init__(
        self, channel: GrpcChannel, request: Callable[[SeekPosition], Envelope], timeout_s: float
    ) -> None:
        """Take over a channel.

        Args:
            channel: To the orderer.
            request: Makes what asks it for all blocks from a position on.
            timeout_s: For each block to come.
        """
        self._channel = channel
        self._request = request
        self._timeout_s = timeout_s

    def shows(self, certificate: bytes) -> bool:
        """Whether its TLS certificate is this one, in DER."""
        return self._channel.server_certificate == certificate

    async def newest(self) -> bytes:
        """Return its newest block, encoded; raises SourceFailed."""
        return await self._first(NEWEST)

    async def block(self, number: int) -> bytes:
        """Return a block, encoded; raises SourceFailed."""
        block = await self._first(specified(number))
        _check_number(block, number)
        return block

    async def blocks(self, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        """Yield the encoded blocks from one up to before another, in order.

        Raises:
            SourceFailed: There are no more.
        """
        async with aclosing(self._from(specified(start))) as blocks:
            async for block in blocks:
                _check_number(block, start)
                start += 1
                yield block
                if start >= stop:
                    return

    async def _first(self, position: SeekPosition) -> bytes:
        async with aclosing(self._from(position)) as blocks:
            return await anext(blocks)

    async def _from(self, position: SeekPosition) -> AsyncGenerator[bytes, None]:
        call = self._channel.stream_stream(_METHOD)()
        try:
            await call.write(self._request(position).SerializeToString())
            while True:
                yield _block_of(await self._read(call))
        except grpc.aio.AioRpcError as error:
            raise SourceFailed(f"{error.code().name}: {error.details()}") from error
        except asyncio.InvalidStateError as error:
            raise SourceFailed("the stream ended") from error
        finally:
            call.cancel()

    async def _read(self, call: Any) -> bytes:
        try:
            async with asyncio.timeout(self._timeout_s):
                response: Any = await call.read()
        except TimeoutError:
            raise SourceFailed(f"no block came within {self._timeout_s:g} s") from None
        if response is grpc.aio.EOF:
            raise SourceFailed("the stream ended")
        encoded: bytes = response
        return encoded


class Sources:
    """Connects to orderers as this one."""

    def __init__(
        self,
        signer: Signer,
        settings: ReplicationSettings,
        certificate: bytes = b"",
        key: bytes = b"",
        time_shift_s: float = 0.0,
    ) -> None:
        """Know what is shown to others.

        Args:
            signer: Signs requests for blocks.
            settings: How long others are waited for.
            certificate: Our TLS certificate, PEM; empty where there is no TLS.
            key: Its key.
            time_shift_s: Others' certificates are judged as of so long ago.
        """
        self._signer = signer
        self._settings = settings
        self._certificate = certificate
        self._key = key
        self._time_shift_s = time_shift_s
        self.own = ssl.PEM_cert_to_DER_cert(certificate.decode("ascii")) if certificate else b""
        """DER of our TLS certificate; empty without."""

    @asynccontextmanager
    async def open(self, endpoint: Endpoint, channel_id: str) -> AsyncIterator[Source]:
        """Connect to an orderer for a channel's blocks; raises ConnectionFailed."""
        tls = None
        if self._certificate:
            tls = ClientTls(
                endpoint.roots, self._certificate, self._key, time_shift_s=self._time_shift_s
            )
        bound_to = tls.certificate_hash if tls else b""
        channel = await dial(endpoint.address, tls, timeout_s=self._settings.dial_timeout_s)
        try:
            yield Source(
                channel,
                lambda start: seek(
                    start, NO_END, channel_id, self._signer, bound_to, best_effort=True
                ),
                self._settings.pull_timeout_s,
            )
        finally:
            with suppress(grpc.aio.AioRpcError):
                await channel.close()


def _block_of(response: bytes) -> bytes:
    try:
        found = block_or_status(response)
    except InputError as error:
        raise SourceFailed(str(error)) from error
    if isinstance(found, int):
        known = found in Status.values()
        name = Status.Name(found) if known else str(found)  # type: ignore[arg-type]
        raise SourceFailed(f"it answered {name}", found)
    return bytes(found)


def _check_number(block: bytes, expected: int) -> None:
    try:
        number = number_of(block)
    except InputError as error:
        raise SourceFailed(str(error)) from error
    if number != expected:
        raise SourceFailed(f"block {number} came where {expected} was asked for")
