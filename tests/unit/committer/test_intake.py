# SPDX-License-Identifier: Apache-2.0
"""Blocks come in any order, from anybody, and are committed in theirs, each once."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc.aio
import pytest

from corpora import OpenCorpus
from fastledger.committer import intake as room
from fastledger.committer.committer import Committer
from fastledger.committer.deliverclient import DeliverClient
from fastledger.committer.intake import Intake, TooFarAhead
from fastledger.committer.puller import BlockPuller
from fastledger.common.errors import BlockRefused, InputError
from fastledger.ledger import kvledger
from fastledger.ledger.pvtdata import PrivateDataStore
from fastledger.protos.common.common_pb2 import Block, Envelope, Payload
from fastledger.protos.orderer.ab_pb2 import DeliverResponse, SeekInfo
from fastledger.protoutil.blocks import number_of

PATIENCE_S = 60


@dataclass
class Channel:
    """A ledger that grows, and what was told of it."""

    committer: Committer
    intake: Intake
    told: list[int] = field(default_factory=list)
    refused: list[BlockRefused] = field(default_factory=list)
    happened: asyncio.Event = field(default_factory=asyncio.Event)
    source: DeliverClient | None = None

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                self.happened.clear()
                await self.happened.wait()


@asynccontextmanager
async def channel(folder: Path) -> AsyncIterator[Channel]:
    def committed(_: bytes, commit: kvledger.Commit) -> None:
        one.told.append(commit.number)
        one.happened.set()

    def refused(refusal: BlockRefused) -> None:
        one.refused.append(refusal)
        one.intake.rewind()
        if one.source is not None:
            one.source.reject()
        one.happened.set()

    with kvledger.open(folder / "ledger") as ledger:
        store = PrivateDataStore(folder / "private")
        committer = Committer("c", ledger, store, committed, refused)
        one = Channel(committer, Intake(committer, lambda: ledger.height))
        committer.start()
        yield one
        await committer.stop()
        assert committer.failure is None
        store.close()


def run(folder: Path, story: Callable[[Channel], Awaitable[None]]) -> Channel:
    async def told() -> Channel:
        async with channel(folder) as one:
            await story(one)
        return one

    return asyncio.run(told())


@pytest.fixture
def blocks(open_corpus: OpenCorpus) -> list[bytes]:
    return open_corpus("v14").blocks("peer")


@pytest.mark.parametrize("seed", range(4))
def test_every_order_of_arrival_is_the_order_of_the_chain(
    blocks: list[bytes], tmp_path: Path, seed: int
) -> None:
    """Several sources bring all blocks, as they come, each of them twice."""
    chance = random.Random(seed)
    arriving = [block for block in blocks for _ in range(2)]

    async def story(one: Channel) -> None:
        async def bring() -> None:
            while arriving:
                near = [
                    place
                    for place, block in enumerate(arriving)
                    if number_of(block) < one.intake.next + room.WINDOW
                ]
                await one.intake.put(arriving.pop(chance.choice(near)))

        await asyncio.gather(*(bring() for _ in range(3)))
        await one.committer.idle()
        assert one.intake.next == len(blocks)

    assert run(tmp_path, story).told == list(range(len(blocks)))


def test_what_is_too_far_ahead_is_refused(
    blocks: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "WINDOW", 3)

    async def story(one: Channel) -> None:
        with pytest.raises(TooFarAhead, match=r"block \[3\] came, block \[0\] is wanted"):
            await one.intake.put(blocks[3])
        monkeypatch.setattr(room, "WINDOW_BYTES", len(blocks[2]))
        await one.intake.put(blocks[2])
        with pytest.raises(TooFarAhead, match=r"block \[1\]"):
            await one.intake.put(blocks[1])
        # The one that is wanted always fits.
        await one.intake.put(blocks[0])
        await one.intake.put(blocks[1])
        await one.committer.idle()
        assert await one.intake.wanted() == one.intake.next == 3

    assert run(tmp_path, story).told == [0, 1, 2]


@pytest.mark.parametrize("nonsense", [b"", b"\xff", b"\x0a\x05ab", Block().SerializeToString()])
def test_what_is_no_block_is_refused(tmp_path: Path, nonsense: bytes) -> None:
    async def story(one: Channel) -> None:
        with pytest.raises(InputError):
            await one.intake.put(nonsense)

    assert run(tmp_path, story).told == []


def damaged(block: bytes) -> bytes:
    broken = Block.FromString(block)
    broken.header.data_hash = bytes(32)
    return broken.SerializeToString()


def test_a_block_that_does_not_hold_makes_room_for_the_right_one(
    blocks: list[bytes], tmp_path: Path
) -> None:
    async def story(one: Channel) -> None:
        for block in (*blocks[:2], damaged(blocks[2]), *blocks[3:6]):
            await one.intake.put(block)
        await one.until(lambda: one.refused)
        assert await one.intake.wanted() == 2
        for block in blocks[2:6]:
            await one.intake.put(block)
        await one.committer.idle()

    one = run(tmp_path, story)
    assert one.told == list(range(6))
    assert {refusal.number for refusal in one.refused} == {2}


class Orderers:
    """Connects to itself: sends blocks from where it is asked, and then waits."""

    certificate_hash = b""

    def __init__(self, blocks: list[bytes]) -> None:
        self.blocks = blocks
        self.asked: list[int] = []
        self.happened = asyncio.Event()

    async def connect(self, _address: str) -> "Orderers":
        return self

    def stream_stream(self, _method: str, *_: object) -> "Callable[[], Stream]":
        return lambda: Stream(self)

    async def close(self) -> None:
        pass


class Stream:
    def __init__(self, orderers: Orderers) -> None:
        self._orderers = orderers
        self._cancelled = asyncio.Event()
        self._next = 0

    async def write(self, request: bytes) -> None:
        payload = Payload.FromString(Envelope.FromString(request).payload)
        self._next = SeekInfo.FromString(payload.data).start.specified.number
        self._orderers.asked.append(self._next)
        self._orderers.happened.set()

    async def read(self) -> object:
        await asyncio.sleep(0)
        if self._next == len(self._orderers.blocks):
            await self._cancelled.wait()
        if self._cancelled.is_set():
            return grpc.aio.EOF
        self._next += 1
        block = Block.FromString(self._orderers.blocks[self._next - 1])
        return DeliverResponse(block=block).SerializeToString()

    def cancel(self) -> None:
        self._cancelled.set()


class Signer:
    serialized = b"peer"

    def sign(self, message: bytes) -> bytes:
        return message


def source(one: Channel, orderers: Orderers) -> DeliverClient:
    puller = BlockPuller("c", lambda: ["orderer:1"], Signer(), orderers)
    one.source = DeliverClient("c", puller, one.intake)
    return one.source


def test_a_source_is_switched_on_and_off_and_no_block_is_lost_or_doubled(
    blocks: list[bytes], tmp_path: Path
) -> None:
    """As when a leader is elected: it takes the orderer's blocks, the others those of peers."""
    orderers = Orderers([])

    async def story(one: Channel) -> None:
        leader = source(one, orderers)
        for height in range(3, len(blocks), 5):
            orderers.blocks = blocks[:height]
            leader.start()
            leader.start()
            assert leader.is_on
            await one.until(lambda height=height: len(one.told) >= height)
            await leader.stop()
            assert not leader.is_on
            # Meanwhile others bring some: two that are there already, and the next ones.
            begin = await one.intake.wanted()
            for block in blocks[begin - 2 : begin + 2]:
                await one.intake.put(block)
        orderers.blocks = blocks
        leader.start()
        await one.until(lambda: len(one.told) == len(blocks))
        await leader.stop()

    one = run(tmp_path, story)
    assert one.told == list(range(len(blocks)))
    assert not one.refused
    assert orderers.asked == sorted(set(orderers.asked))
    assert len(orderers.asked) > 2


def test_an_orderer_that_skips_a_block_is_left(blocks: list[bytes], tmp_path: Path) -> None:
    """It must not be waited for until the block that is missing comes."""
    orderers = Orderers([*blocks[:2], *blocks[3:5]])

    async def story(one: Channel) -> None:
        orderers.happened = one.happened
        leader = source(one, orderers)
        leader.start()
        await one.until(lambda: len(orderers.asked) == 2)
        assert orderers.asked == [0, 2]
        orderers.blocks = blocks
        await one.until(lambda: len(one.told) == len(blocks))
        await leader.stop()

    one = run(tmp_path, story)
    assert one.told == list(range(len(blocks)))
    assert not one.refused
