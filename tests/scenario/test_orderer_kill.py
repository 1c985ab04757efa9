# SPDX-License-Identifier: Apache-2.0
"""kill -9 of an orderer at any time loses no block that anyone has seen."""

import asyncio
import contextlib
import itertools
import random
from pathlib import Path

import grpc.aio
import pytest

import ordering
from corpora import Corpus, OpenCorpus
from fastledger._core import ChannelConfig
from fastledger.msp import SigningIdentity
from fastledger.protos.common.common_pb2 import Block, Status
from fastledger.protos.orderer.ab_pb2 import DeliverResponse, SeekInfo
from waiting import until

CHANNEL = "mychannel"
ROUNDS = 3
STREAMS = 8


@pytest.fixture(scope="module")
def v14(open_corpus: OpenCorpus) -> Corpus:
    return open_corpus("v14")


class Watched:
    """What clients were told."""

    def __init__(self) -> None:
        self.blocks: dict[int, bytes] = {}
        self.sent = itertools.count()


async def flood(client: ordering.Client, watched: Watched) -> None:
    call = client.channel.stream_stream("/orderer.AtomicBroadcast/Broadcast")()
    while True:
        await call.write(client.transaction(CHANNEL, b"%d" % next(watched.sent)))
        if await call.read() != b"\x08\xc8\x01":
            return


async def watch(client: ordering.Client, watched: Watched) -> None:
    call = client.channel.stream_stream("/orderer.AtomicBroadcast/Deliver")()
    everything = SeekInfo(
        start={"specified": {"number": len(watched.blocks)}},
        stop={"specified": {"number": 2**64 - 1}},
    )
    await call.write(client.request(CHANNEL, everything))
    while (encoded := await call.read()) is not grpc.aio.EOF:
        block = DeliverResponse.FromString(encoded).block
        watched.blocks[block.header.number] = block.SerializeToString()


async def round_of_load(port: int, identity: SigningIdentity, watched: Watched, kill) -> None:
    client = ordering.Client(port, identity)
    tasks = [asyncio.ensure_future(flood(client, watched)) for _ in range(STREAMS)]
    tasks.append(asyncio.ensure_future(watch(client, watched)))
    seen = len(watched.blocks)
    await until(lambda: len(watched.blocks) >= seen + 5)
    await asyncio.sleep(random.random() * 0.3)
    kill()
    with contextlib.suppress(grpc.aio.AioRpcError):
        await asyncio.gather(*tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await client.close()


def test_what_was_seen_is_there_after_kills(v14: Corpus, tmp_path: Path) -> None:
    folder = v14.folder / "crypto-config/peerOrganizations/org1.example.com"
    identity = SigningIdentity.load(folder / "users/User1@org1.example.com/msp", "Org1MSP")
    environ = ordering.environment(
        v14.folder / "crypto-config",
        tmp_path / "orderer",
        ORDERER_GENERAL_BOOTSTRAPMETHOD="file",
        ORDERER_GENERAL_BOOTSTRAPFILE=str(v14.folder / "artifacts/genesis.block"),
    )
    create = ordering.creation(v14.folder)
    watched = Watched()

    async def one_round(orderer: ordering.OrdererProcess, first: bool) -> None:
        if first:
            client = ordering.Client(orderer.port, identity)
            [created] = await client.broadcast([create])
            assert created.status == Status.SUCCESS
            await client.close()
        await round_of_load(orderer.port, identity, watched, orderer.kill)

    for number in range(ROUNDS):
        asyncio.run(one_round(ordering.OrdererProcess(environ), number == 0))

    orderer = ordering.OrdererProcess(environ)

    async def read_all() -> list[Block]:
        client = ordering.Client(orderer.port, identity)
        blocks = await client.blocks(CHANNEL, 0, max(watched.blocks))
        await client.close()
        return blocks

    blocks = [block.SerializeToString() for block in asyncio.run(read_all())]
    assert orderer.terminate() == 0
    assert len(blocks) > 5 * ROUNDS
    assert blocks == [watched.blocks[number] for number in range(len(blocks))]
    bundle = ChannelConfig.from_block(blocks[0])
    for block in blocks[1:]:
        bundle.verify_block(block)
