# SPDX-License-Identifier: Apache-2.0
"""Blocks from a Deliver service, an orderer's or a peer's (Fabric: ``deliverclient.go``)."""

from typing import Any

import grpc.aio

from fastledger.client.target import rpc_failed
from fastledger.common import log
from fastledger.common.errors import DeliverEnded
from fastledger.protos.common.common_pb2 import Block, Envelope, Status
from fastledger.protos.orderer.ab_pb2 import SeekPosition
from fastledger.protoutil.seek import seek
from fastledger.protoutil.signer import Signer

_logger = log.get("cli.common")


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
        request = seek(
            position,
            position,
            self._channel_id,
            self._signer,
            self._certificate_hash,
            best_effort=self._best_effort,
        )
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
