# SPDX-License-Identifier: Apache-2.0
"""Orderers that give blocks as a test wants them to, honestly or not, over real connections."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc

from fastledger.comm import GrpcServer
from fastledger.protos.common.common_pb2 import ChannelHeader, Envelope, Payload
from fastledger.protos.orderer.ab_pb2 import DeliverResponse, SeekInfo

_SERVICE = "orderer.AtomicBroadcast"


@dataclass
class Teller:
    """Serves Deliver.

    Attributes:
        blocks: What it has; more may be added, and are not told to who waits.
        status: What it answers instead of blocks, if anything.
        then: What it answers after the last block, if anything.
        falls_silent_at: Number of the block that it never sends, nor those after it.
        asked: Each request, as it came.
    """

    blocks: list[bytes] = field(default_factory=list)
    status: int = 0
    then: int = 0
    falls_silent_at: int = 2**64
    asked: list[SeekInfo] = field(default_factory=list)
    bound_to: list[bytes] = field(default_factory=list)
    address: str = ""

    def register(self, server: Any) -> None:
        handlers = {"Deliver": grpc.stream_stream_rpc_method_handler(self._serve)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, handlers),))

    async def _serve(self, requests: AsyncIterator[bytes], _: Any) -> AsyncIterator[bytes]:
        async for request in requests:
            payload = Payload.FromString(Envelope.FromString(request).payload)
            header = ChannelHeader.FromString(payload.header.channel_header)
            self.bound_to.append(header.tls_cert_hash)
            info = SeekInfo.FromString(payload.data)
            self.asked.append(info)
            if self.status or not self.blocks:
                yield DeliverResponse(status=self.status or 404).SerializeToString()  # type: ignore[arg-type]
                return
            is_newest = info.start.WhichOneof("Type") == "newest"
            number = len(self.blocks) - 1 if is_newest else info.start.specified.number
            while number < len(self.blocks) and (is_newest or number < self.falls_silent_at):
                yield b"\x12" + _length(self.blocks[number]) + self.blocks[number]
                number += 1
            if self.then:
                yield DeliverResponse(status=self.then).SerializeToString()  # type: ignore[arg-type]
                return
            await asyncio.Event().wait()


def _length(block: bytes) -> bytes:
    size, encoded = len(block), bytearray()
    while size > 127:
        encoded.append(size & 127 | 128)
        size >>= 7
    encoded.append(size)
    return bytes(encoded)


@asynccontextmanager
async def telling(tellers: Sequence[Teller]) -> AsyncIterator[None]:
    """Serve at free ports of this machine, in plain text."""
    servers = []
    for teller in tellers:
        server = GrpcServer("127.0.0.1:0")
        server.add(teller.register)
        await server.start()
        teller.address = f"127.0.0.1:{server.port}"
        servers.append(server)
    try:
        yield
    finally:
        for server in servers:
            await server.stop(0)
