# SPDX-License-Identifier: Apache-2.0
"""Blocks in memory, and what a client of Deliver asks for."""

import asyncio
import time

from fastledger.deliver import PreparedBlocks
from fastledger.protos.common.common_pb2 import (
    Block,
    ChannelHeader,
    Envelope,
    HeaderType,
    Payload,
)
from fastledger.protos.orderer.ab_pb2 import SeekInfo
from fastledger.protoutil.blocks import new_block

DEADLINE_S = 20


class Chain:
    """Blocks in memory."""

    __hash__ = None  # type: ignore[assignment]
    """As a peer's channels, it has none."""

    def __init__(self, blocks: int) -> None:
        self.encoded = [new_block(n, b"", [b"tx"]).SerializeToString() for n in range(blocks)]
        self.blocks = PreparedBlocks(lambda number: self.encoded[number], lambda: self.height)
        self.sequence = 0
        self.errored = asyncio.Event()
        self.first = 0
        self._grown = asyncio.Condition()

    @property
    def height(self) -> int:
        return len(self.encoded)

    def block(self, number: int) -> Block:
        return Block.FromString(self.encoded[number])

    async def wait(self, height: int) -> None:
        async with self._grown:
            await self._grown.wait_for(lambda: self.height >= height)

    async def grow(self, envelope: bytes = b"tx") -> None:
        async with self._grown:
            self.encoded.append(new_block(self.height, b"", [envelope]).SerializeToString())
            self._grown.notify_all()


def position(value: int | str) -> dict:
    return {"specified": {"number": value}} if isinstance(value, int) else {value: {}}


def seek(start: int | str, stop: int | str, **fields: object) -> SeekInfo:
    return SeekInfo(start=position(start), stop=position(stop), **fields)


def request(
    info: SeekInfo | bytes, *, channel: str = "channel", age_s: float = 0, tls: bytes = b""
) -> bytes:
    header = ChannelHeader(type=HeaderType.DELIVER_SEEK_INFO, channel_id=channel, tls_cert_hash=tls)
    header.timestamp.seconds = int(time.time() - age_s)
    payload = Payload(data=info if isinstance(info, bytes) else info.SerializeToString())
    payload.header.channel_header = header.SerializeToString()
    return Envelope(payload=payload.SerializeToString()).SerializeToString()


def allow(_: object) -> None:
    """Let everyone read."""
