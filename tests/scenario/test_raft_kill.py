# SPDX-License-Identifier: Apache-2.0
"""kill -9 of raft orderers under load: no block lost, none doubled, none different."""

import asyncio
import contextlib
import itertools
from collections import Counter
from pathlib import Path

import grpc.aio
import pytest

import ordering
from fastledger.comm import ClientTls, GrpcChannel, dial
from fastledger.common.errors import ConnectionFailed
from fastledger.network.deployment import join_orderer
from fastledger.network.settings import read_env
from fastledger.protos.common.common_pb2 import Block, HeaderType, Status
from fastledger.protos.orderer.ab_pb2 import BroadcastResponse, DeliverResponse, SeekInfo
from fastledger.protoutil.envelope import signed_envelope
from fastledger.protoutil.hashes import header_hash
from raft_network import RaftNetwork, contents_of
from waiting import elapse, until

STREAMS = 6
KILLS = 3


class Processes:
    """Raft orderers in processes of their own, and clients of them."""

    def __init__(self, network: RaftNetwork) -> None:
        self.network = network
        self.plan = network.plan
        self.running: dict[int, ordering.OrdererProcess] = {}
        self.sent = itertools.count()
        self.acknowledged: set[bytes] = set()
        node = self.plan.orderer
        self._tls = ClientTls((node.identity / "tls" / "ca.crt").read_bytes())

    def start(self, *numbers: int) -> None:
        for number in numbers:
            node = self.plan.all_orderers[number - 1]
            self.running[number] = ordering.OrdererProcess(read_env(node))

    def join(self) -> None:
        for node in self.plan.all_orderers:
            join_orderer(self.plan, node)

    def kill(self, number: int) -> None:
        self.running.pop(number).kill()

    def terminate(self) -> None:
        for process in self.running.values():
            assert process.terminate() == 0

    async def connect(self, number: int) -> GrpcChannel:
        return await dial(self.plan.all_orderers[number - 1].address, self._tls)

    async def flood(self, number: int) -> None:
        """Send messages to an orderer, each of them once, whatever comes of it."""
        while True:
            with contextlib.suppress(ConnectionFailed, grpc.aio.AioRpcError):
                channel = await self.connect(number)
                try:
                    await self._flood(channel)
                finally:
                    await channel.close()
            await elapse(0.05, "an orderer that is gone is not tried again at once")

    async def _flood(self, channel: GrpcChannel) -> None:
        call = channel.stream_stream("/orderer.AtomicBroadcast/Broadcast")()
        while True:
            content = b"%d" % next(self.sent)
            await call.write(self.network.envelope(content))
            encoded = await call.read()
            if (
                encoded is grpc.aio.EOF
                or BroadcastResponse.FromString(encoded).status != Status.SUCCESS
            ):
                return
            self.acknowledged.add(content)

    async def acknowledge(self, more: int) -> None:
        """Wait until so many more messages are taken."""
        wanted = len(self.acknowledged) + more
        await until(lambda: len(self.acknowledged) > wanted)

    async def order(self, content: bytes) -> None:
        """Send one message to any orderer that takes it."""

        async def is_taken() -> bool:
            for number in list(self.running):
                with contextlib.suppress(ConnectionFailed, grpc.aio.AioRpcError):
                    channel = await self.connect(number)
                    try:
                        call = channel.stream_stream("/orderer.AtomicBroadcast/Broadcast")()
                        await call.write(self.network.envelope(content))
                        encoded = await call.read()
                        if encoded is not grpc.aio.EOF:
                            response = BroadcastResponse.FromString(encoded)
                            if response.status == Status.SUCCESS:
                                return True
                    finally:
                        await channel.close()
            return False

        await until(is_taken)

    async def blocks(self, number: int, until_content: bytes | None = None) -> list[Block]:
        """Read a chain from its first block to its newest, or to the one with a message."""
        channel = await self.connect(number)
        end = 2**64 - 1
        stop = {"specified": {"number": end}} if until_content is not None else {"newest": {}}
        info = SeekInfo(start={"oldest": {}}, stop=stop)
        request = signed_envelope(
            HeaderType.DELIVER_SEEK_INFO,
            self.network.channel_id,
            info.SerializeToString(),
            self.network.client,
        )
        blocks: list[Block] = []
        try:
            call = channel.stream_stream("/orderer.AtomicBroadcast/Deliver")()
            await call.write(request.SerializeToString())
            while (encoded := await call.read()) is not grpc.aio.EOF:
                response = DeliverResponse.FromString(encoded)
                if response.WhichOneof("Type") == "status":
                    break
                blocks.append(response.block)
                if until_content is not None and until_content in contents_of([response.block]):
                    break
        finally:
            await channel.close()
        return blocks

    async def all_blocks(self, last: bytes) -> dict[int, list[Block]]:
        """Every orderer's chain up to the block with a message, which all come to have."""

        async def chain(number: int) -> list[Block]:
            while True:
                with contextlib.suppress(ConnectionFailed, grpc.aio.AioRpcError):
                    blocks = await self.blocks(number, last)
                    if last in contents_of(blocks):
                        return blocks
                await elapse(0.1, "its stream ended: it has no leader yet, or has just started")

        numbers = sorted(self.running)
        chains = await asyncio.wait_for(asyncio.gather(*map(chain, numbers)), 120)
        return dict(zip(numbers, chains, strict=True))


@pytest.fixture
def cluster(tmp_path: Path) -> Processes:
    return Processes(RaftNetwork(tmp_path, 7400))


def check_same(chains: dict[int, list[Block]]) -> None:
    first = next(iter(chains.values()))
    for chain in chains.values():
        assert [header_hash(one.header) for one in chain] == [
            header_hash(one.header) for one in first
        ]
        assert [one.data for one in chain] == [one.data for one in first]
    for before, block in itertools.pairwise(first):
        assert block.header.previous_hash == header_hash(before.header)
        assert block.header.number == before.header.number + 1
    counts = Counter(contents_of(first))
    assert max(counts.values()) == 1, counts.most_common(3)


def test_each_orderer_is_killed_under_load(cluster: Processes) -> None:
    """One of them is the leader; whoever it is, the others go on, and it comes back."""

    async def story() -> None:
        cluster.start(1, 2, 3)
        cluster.join()
        seen: list[Block] = []
        for victim in (1, 2, 3):
            await cluster.order(b"before %d" % victim)
            floods = [
                asyncio.ensure_future(cluster.flood(number))
                for number in itertools.islice(itertools.cycle((1, 2, 3)), STREAMS)
            ]
            await cluster.acknowledge(200)
            cluster.kill(victim)
            await cluster.acknowledge(200)
            for flood in floods:
                flood.cancel()
            await asyncio.gather(*floods, return_exceptions=True)
            await cluster.order(b"without %d" % victim)
            cluster.start(victim)
            await cluster.order(b"after %d" % victim)
            chains = await cluster.all_blocks(b"after %d" % victim)
            check_same(chains)
            blocks = chains[victim]
            # What was seen is still there.
            assert [header_hash(one.header) for one in blocks[: len(seen)]] == [
                header_hash(one.header) for one in seen
            ]
            seen = blocks
        ordered = set(contents_of(seen))
        for victim in (1, 2, 3):
            assert {b"before %d" % victim, b"without %d" % victim} <= ordered

    asyncio.run(story())
    cluster.terminate()


def test_all_are_killed_at_once(cluster: Processes) -> None:
    async def story() -> None:
        cluster.start(1, 2, 3)
        cluster.join()
        await cluster.order(b"first")
        for kill in range(KILLS):
            floods = [asyncio.ensure_future(cluster.flood(number)) for number in (1, 2, 3)]
            await cluster.acknowledge(100)
            for number in (1, 2, 3):
                cluster.kill(number)
            for flood in floods:
                flood.cancel()
            await asyncio.gather(*floods, return_exceptions=True)
            cluster.start(1, 2, 3)
            await cluster.order(b"again %d" % kill)
            chains = await cluster.all_blocks(b"again %d" % kill)
            check_same(chains)
        assert b"first" in contents_of(chains[1])

    asyncio.run(story())
    cluster.terminate()
