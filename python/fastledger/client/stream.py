# SPDX-License-Identifier: Apache-2.0
"""Blocks from a Deliver service, an orderer's or a peer's (Fabric: ``deliverclient.go``)."""

from typing import Any

import grpc.aio

from fastledger.client.target import rpc_failed
from fastledger.common import log
from fastledger.common.errors import DeliverEnded
from fastledger.protos.common.common_pb2 import Block, Envelope, HeaderType, Status
from fastledger.protos.orderer.ab_pb2 import (
    SeekInfo,
    SeekNewest,
    SeekOldest,
    SeekPosition,
    SeekSpecified,
)
from fastledger.protoutil.envelope import signed_envelope
from fastledger.protoutil.signer import Signer

_LAST = 2**64 - 1
_logger = log.get("cli.common")

NEWEST = SeekPosition(newest=SeekNewest())
OLDEST = SeekPosition(oldest=SeekOldest())


def specified(number: int) -> SeekPosition:
    """Return the position of a block."""
    return SeekPosition(specified=SeekSpecified(number=number))


def seek_from(
    start: SeekPosition, channel_id: str, signer: Signer, certificate_hash: bytes
) -> Envelope:
    """Ask for everything from a position on."""
    info = SeekInfo(start=start, stop=specified(_LAST), behavior=SeekInfo.BLOCK_UNTIL_READY)
    return _envelope(info, channel_id, signer, certificate_hash)


def _envelope(info: SeekInfo, channel_id: str, signer: Signer, certificate_hash: bytes) -> Envelope:
    return signed_envelope(
        HeaderType.DELIVER_SEEK_INFO,
        channel_id,
        info.SerializeToString(),
        signer,
        tls_cert_hash=certificate_hash,
    )


class BlockStream:
    """A Deliver stream on which single blocks are asked for, one after another."""

    def __init__(
        self,
        call: "grpc.aio.StreamStreamCall[Envelope, Any]",
        channel_id: str,
        signer: Signer,
        certificate_hash: bytes = b"",
        *,
        best_effort: bool = False,
    ) -> None:
        """Take over an open call."""
        self._call = call
        self._channel_id = channel_id
        self._signer = signer
        self._certificate_hash = certificate_hash
        self._best_effort = best_effort

    async def get(self, position: SeekPosition) -> Block:
        """Return the block at a position.

        Raises:
            DeliverEnded: The node answered with a status instead.
            RpcFailed: The call failed.
        """
        info = SeekInfo(start=position, stop=position, behavior=SeekInfo.BLOCK_UNTIL_READY)
        if self._best_effort:
            info.error_response = SeekInfo.BEST_EFFORT
        request = _envelope(info, self._channel_id, self._signer, self._certificate_hash)
        try:
            await self._call.write(request)
            response = await self._read()
            if response.WhichOneof("Type") == "status":
                status = Status.Name(response.status)
                _logger.info("Expect block, but got status: &{%s}", status)
                raise DeliverEnded(status)
            block: Block = response.block
            _logger.info("Received block: %d", block.header.number)
            await self._read()
        except grpc.aio.AioRpcError as error:
            raise rpc_failed(error) from error
        return block

    async def _read(self) -> Any:
        response = await self._call.read()
        if response is grpc.aio.EOF:
            raise DeliverEnded("UNKNOWN")
        return response

    def close(self) -> None:
        """End the stream."""
        self._call.cancel()
