# SPDX-License-Identifier: Apache-2.0
"""Reads an orderer's chain in one go: under load it outruns who asks for block after block."""

from collections.abc import AsyncGenerator

import grpc.aio

from fastledger.client.target import Target
from fastledger.msp import SigningIdentity
from fastledger.protos.common.common_pb2 import Block
from fastledger.protos.orderer.ab_pb2 import DeliverResponse
from fastledger.protoutil.seek import NEWEST, seek, specified


async def blocks_from(
    target: Target, channel_id: str, signer: SigningIdentity, number: int
) -> AsyncGenerator[Block, None]:
    """Yield the blocks from one on that an orderer has just now, and gives, also without a leader.

    Raises:
        ConnectionFailed: Nobody is there.
        grpc.aio.AioRpcError: It has gone.
    """
    channel = await target.connect("orderer")
    try:
        call = channel.stream_stream("/orderer.AtomicBroadcast/Deliver")()
        start, bound_to = specified(number), target.certificate_hash
        request = seek(start, NEWEST, channel_id, signer, bound_to, best_effort=True)
        await call.write(request.SerializeToString())
        while (encoded := await call.read()) is not grpc.aio.EOF:
            response = DeliverResponse.FromString(encoded)
            if response.WhichOneof("Type") == "status":
                return
            yield response.block
    finally:
        await channel.close()
