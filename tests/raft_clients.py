# SPDX-License-Identifier: Apache-2.0
"""Clients of raft orderers: those that send, and those that read every orderer's chain.

What is checked at each block that any of them reads: it has the header that all others read at that
height, it follows the block before, its data have the hash that it says, and no message in it is in
another block. What a reader has seen once is ordered, and must be there for ever.

An orderer's SUCCESS is no promise that a message is ordered (nor is Fabric's): what a leader has
taken and not proposed when it dies is lost. So those are counted; each message is sent once.
"""

import asyncio
import itertools
from collections.abc import Iterable
from contextlib import suppress

import grpc.aio

from fastledger.comm import GrpcChannel
from fastledger.common.errors import ConnectionFailed
from fastledger.protos.common.common_pb2 import Block, Status
from fastledger.protos.orderer.ab_pb2 import BroadcastResponse, DeliverResponse
from fastledger.protoutil.blocks import data_hash
from fastledger.protoutil.hashes import header_hash
from fastledger.protoutil.seek import NO_END, seek, specified
from raft_network import contents_of
from raft_processes import ANSWER_S, RaftProcesses
from waiting import elapse, until

LOST_S = 120.0
"""Whatever was healed, a new block is with all orderers long before."""


class Senders:
    """One client of each orderer, which goes on sending whatever comes of it."""

    def __init__(self, orderers: RaftProcesses, pause_s: float) -> None:
        self.acknowledged: dict[bytes, str] = {}
        """What was taken, and what happened then."""
        self.happening = "nothing"
        self.stopping = 0
        """The leader that is being stopped."""
        self.taken_by_stopping: set[bytes] = set()
        """What it took itself, of a client."""
        self.refused: set[bytes] = set()
        self.sent: set[bytes] = set()
        self._orderers = orderers
        self._pause_s = pause_s
        self._numbers = itertools.count()

    async def send(self, number: int) -> None:
        """Send messages to an orderer, each of them once."""
        while True:
            with suppress(ConnectionFailed, grpc.aio.AioRpcError, TimeoutError):
                channel = await self._orderers.connect(number)
                try:
                    await self._send(channel, number)
                finally:
                    await channel.close()
            await elapse(0.05, "an orderer that is gone is not tried again at once")

    async def _send(self, channel: GrpcChannel, number: int) -> None:
        call = channel.stream_stream("/orderer.AtomicBroadcast/Broadcast")()
        while True:
            content = b"%d" % next(self._numbers)
            self.sent.add(content)
            async with asyncio.timeout(ANSWER_S):
                await call.write(self._orderers.network.envelope(content))
                encoded = await call.read()
            if encoded is grpc.aio.EOF:
                return
            if BroadcastResponse.FromString(encoded).status != Status.SUCCESS:
                self.refused.add(content)
                return
            self.acknowledged[content] = self.happening
            if number == self.stopping:
                self.taken_by_stopping.add(content)
            await elapse(self._pause_s, "clients do other things, too")

    async def acknowledge(self, more: int) -> None:
        """Wait until so many more messages are taken."""
        wanted = len(self.acknowledged) + more
        await until(lambda: len(self.acknowledged) >= wanted)


class Chains:
    """What is read of every orderer's chain."""

    def __init__(self, orderers: RaftProcesses) -> None:
        self.hashes: list[bytes] = []
        """Of the headers, by height."""
        self.ordered: dict[bytes, int] = {}
        """The number of the block that a message is in."""
        self.heights = dict.fromkeys(orderers.numbers, 0)
        """Up to where each orderer's chain was read."""
        self._orderers = orderers

    async def read(self, number: int) -> None:
        """Read an orderer's chain as it grows, whenever it can be asked."""
        while True:
            with suppress(ConnectionFailed, grpc.aio.AioRpcError, asyncio.InvalidStateError):
                channel = await self._orderers.connect(number)
                try:
                    await self._read(number, channel)
                finally:
                    await channel.close()
            await elapse(0.05, "an orderer that is gone is not tried again at once")

    async def reread(self) -> None:
        """Read all chains once more from their first blocks on, up to where they were read."""
        wanted, self.heights = self.heights, dict.fromkeys(self.heights, 0)
        async with asyncio.TaskGroup() as group:
            readers = [group.create_task(self.read(number)) for number in wanted]
            await until(lambda: self._are_at_least(wanted), LOST_S)
            for reader in readers:
                reader.cancel()

    async def until_have(self, content: bytes, numbers: Iterable[int]) -> None:
        """Wait until orderers have the block with a message."""

        def is_there() -> bool:
            block = self.ordered.get(content)
            return block is not None and all(self.heights[one] > block for one in numbers)

        await until(is_there, LOST_S)

    def _are_at_least(self, wanted: dict[int, int]) -> bool:
        return all(self.heights[number] >= height for number, height in wanted.items())

    async def _read(self, number: int, channel: GrpcChannel) -> None:
        network = self._orderers.network
        start = specified(self.heights[number])
        request = seek(start, NO_END, network.channel_id, network.client, b"", best_effort=True)
        call = channel.stream_stream("/orderer.AtomicBroadcast/Deliver")()
        await call.write(request.SerializeToString())
        while (encoded := await call.read()) is not grpc.aio.EOF:
            response = DeliverResponse.FromString(encoded)
            if response.WhichOneof("Type") == "status":
                return
            self._take(number, response.block)

    def _take(self, orderer: int, block: Block) -> None:
        number = block.header.number
        assert number == self.heights[orderer]
        found = header_hash(block.header)
        assert data_hash(block.data.data) == block.header.data_hash
        if number < len(self.hashes):
            assert found == self.hashes[number], f"orderer {orderer} has another block {number}"
        else:
            assert not number or block.header.previous_hash == self.hashes[-1]
            self.hashes.append(found)
            for content in contents_of([block]):
                assert content not in self.ordered, f"{content!r} is in {number}, and before"
                self.ordered[content] = number
        self.heights[orderer] = number + 1
