# SPDX-License-Identifier: Apache-2.0
"""Blocks as they are written, held against the core's own reading of them."""

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from fastledger._core import BlockStore, block_header
from fastledger.common.errors import BlockRefused, LedgerIo
from fastledger.orderer.blockwriter import BlockWriter, Seal, consenter_metadata
from fastledger.orderer.errors import BlockNotNext
from fastledger.orderer.multichannel import writequeue
from fastledger.orderer.multichannel.writequeue import WriteQueue
from fastledger.protos.common.common_pb2 import Block, LastConfig, Metadata, SignatureHeader
from fastledger.protoutil.blocks import last_config_index, new_block
from fastledger.protoutil.hashes import header_bytes

DEADLINE_S = 20


class Signer:
    """Signs with what was signed."""

    serialized = b"orderer"

    def sign(self, message: bytes) -> bytes:
        return b"over " + message


@pytest.fixture
def store(tmp_path: Path) -> BlockStore:
    store = BlockStore.open(str(tmp_path))
    store.append([new_block(0, b"", [b"genesis"]).SerializeToString()])
    return store


def sealed(writer: BlockWriter, *data: bytes, kept: bytes = b"", is_config: bool = False) -> Seal:
    return writer.seal(writer.create_next(data), kept, is_config=is_config)


def write(store: BlockStore, *seals: Seal) -> None:
    store.append([seal() for seal in seals])


def test_blocks_continue_the_chain(store: BlockStore) -> None:
    writer = BlockWriter(store, Signer())
    write(store, sealed(writer, b"a", b"b"), sealed(writer, b"c"))
    write(store, sealed(BlockWriter(store, Signer()), b"d"))
    assert store.height == 4
    previous = b""
    for number, data in enumerate(([b"genesis"], [b"a", b"b"], [b"c"], [b"d"])):
        encoded = store.block(number)
        assert list(Block.FromString(encoded).data.data) == data
        found, names, _, header_hash = block_header(encoded)
        assert (found, names) == (number, previous)
        previous = header_hash


def test_metadata(store: BlockStore) -> None:
    writer = BlockWriter(store, Signer())
    write(
        store,
        sealed(writer, b"a"),
        sealed(writer, b"config", kept=b"kept", is_config=True),
        sealed(writer, b"b"),
    )
    for number, last_config, kept in ((1, 0, b""), (2, 2, b"kept"), (3, 2, b"")):
        block = Block.FromString(store.block(number))
        slots = block.metadata.metadata
        assert last_config_index(block) == last_config
        assert consenter_metadata(block) == kept
        assert LastConfig.FromString(Metadata.FromString(slots[1]).value).index == last_config
        assert list(slots[2:]) == [b"", b"", b""]
        signed = Metadata.FromString(slots[0])
        [signature] = signed.signatures
        header = SignatureHeader.FromString(signature.signature_header)
        assert (header.creator, len(header.nonce)) == (b"orderer", 24)
        over = signed.value + signature.signature_header + header_bytes(block.header)
        assert signature.signature == b"over " + over


def test_the_last_configuration_is_found_again(store: BlockStore) -> None:
    writer = BlockWriter(store, Signer())
    write(store, sealed(writer, b"config", is_config=True), sealed(writer, b"a"))
    write(store, sealed(BlockWriter(store, Signer()), b"b"))
    assert last_config_index(Block.FromString(store.block(3))) == 1


def test_blocks_are_created_ahead_of_what_is_sealed(store: BlockStore) -> None:
    writer = BlockWriter(store, Signer())
    ahead = [writer.create_next([name]) for name in (b"a", b"b", b"c")]
    assert [block.header.number for block in ahead] == [1, 2, 3]
    write(store, *(writer.seal(block, b"") for block in ahead))
    assert store.height == 4


def test_what_was_created_ahead_can_be_forgotten(store: BlockStore) -> None:
    writer = BlockWriter(store, Signer())
    first, *others = [writer.create_next([name]) for name in (b"a", b"b", b"c")]
    seal = writer.seal(first, b"")
    writer.rewind()
    write(store, seal, sealed(writer, b"d"))
    assert list(Block.FromString(store.block(2)).data.data) == [b"d"]
    for block in others:
        with pytest.raises(BlockNotNext):
            writer.is_next(block)


def test_one_that_leads_goes_on_after_the_blocks_of_another(store: BlockStore) -> None:
    writer, leader = BlockWriter(store, Signer()), BlockWriter(store, Signer())
    for name in (b"a", b"b"):
        write(store, writer.seal(leader.create_next([name]), b""))
    assert writer.create_next([b"c"]).header.number == 3


def test_a_block_that_is_there_is_not_next(store: BlockStore) -> None:
    """Whether it is durable already, or on its way."""
    writer = BlockWriter(store, Signer())
    stored, waiting = writer.create_next([b"a"]), writer.create_next([b"b"])
    write(store, writer.seal(stored, b""))
    writer.seal(waiting, b"")
    assert not writer.is_next(stored)
    assert not writer.is_next(waiting)
    assert writer.is_next(writer.create_next([b"c"]))


def test_what_does_not_follow_is_told_with_both_hashes(store: BlockStore) -> None:
    writer = BlockWriter(store, Signer())
    write(store, sealed(writer, b"a"))
    _, _, _, genesis_hash = block_header(store.block(0))
    _, _, _, stored_hash = block_header(store.block(1))
    other = new_block(1, genesis_hash, [b"other"])
    _, _, _, other_hash = block_header(other.SerializeToString())
    with pytest.raises(BlockNotNext, match=f"{other_hash.hex()}.*{stored_hash.hex()}"):
        writer.is_next(other)
    with pytest.raises(BlockNotNext, match=f"{other_hash.hex()}.*{stored_hash.hex()}"):
        writer.is_next(new_block(2, other_hash, [b"b"]))
    with pytest.raises(BlockNotNext, match="block 3 cannot follow block 1"):
        writer.is_next(new_block(3, stored_hash, [b"b"]))


def test_anothers_block_is_adopted_with_the_right_last_configuration(
    store: BlockStore, tmp_path: Path
) -> None:
    theirs = BlockStore.open(str(tmp_path / "theirs"))
    theirs.append([store.block(0)])
    other, writer = BlockWriter(theirs, Signer()), BlockWriter(store, Signer())
    write(theirs, sealed(other, b"a"), sealed(other, b"config", is_config=True))
    message, config = (Block.FromString(theirs.block(number)) for number in (1, 2))
    with pytest.raises(BlockRefused, match="names block 0 as the last configuration, which is 1"):
        writer.adopt(message, is_config=True)
    writer.adopt(message, is_config=False)
    with pytest.raises(BlockRefused, match="names block 2 as the last configuration, which is 0"):
        writer.adopt(config, is_config=False)
    writer.adopt(config, is_config=True)
    store.append([theirs.block(1), theirs.block(2)])
    write(store, sealed(writer, b"b"))
    assert last_config_index(Block.FromString(store.block(3))) == 2


def test_a_group_shares_a_sync_and_is_seen_when_it_is_durable() -> None:
    groups: list[list[bytes]] = []

    async def story() -> None:
        queue = WriteQueue(
            "channel",
            lambda group: groups.append(list(group)),
            1,
            lambda error: pytest.fail(str(error)),
        )
        queue.put(lambda: b"first")
        await asyncio.sleep(0)
        for name in (b"a", b"b", b"c"):
            queue.put(partial(bytes, name))
        assert queue.height == 1
        await queue.wait(5)
        assert (queue.height, queue.unwritten) == (5, 0)
        assert groups == [[b"first"], [b"a", b"b", b"c"]]
        queue.close()

    asyncio.run(asyncio.wait_for(story(), DEADLINE_S))


class Disk:
    """Takes blocks while it is not full."""

    def __init__(self) -> None:
        self.is_full = True
        self.tried: list[list[bytes]] = []
        self.written: list[bytes] = []

    def append(self, blocks: Sequence[bytes]) -> None:
        self.tried.append(list(blocks))
        if self.is_full:
            raise LedgerIo("no space left")
        self.written.extend(blocks)


def test_nothing_follows_what_could_not_be_written() -> None:
    async def story() -> None:
        reports: list[Exception | None] = []
        queue = WriteQueue("channel", Disk().append, 1, reports.append)
        queue.put(lambda: b"a")
        with pytest.raises(LedgerIo):
            await queue.drained(0)
        with pytest.raises(LedgerIo):
            queue.put(lambda: b"b")
        assert queue.height == 1
        assert len(reports) == 1
        queue.close()

    asyncio.run(asyncio.wait_for(story(), DEADLINE_S))


def test_nothing_follows_what_could_not_be_signed() -> None:
    class NoKey(Exception):
        pass

    def sign() -> bytes:
        raise NoKey

    async def story() -> None:
        disk = Disk()
        disk.is_full = False
        reports: list[Exception | None] = []
        queue = WriteQueue("channel", disk.append, 1, reports.append)
        queue.put(lambda: b"a")
        queue.put(sign)
        with pytest.raises(NoKey):
            await queue.drained(0)
        assert disk.written == []
        assert [type(report) for report in reports] == [NoKey]
        queue.close()

    asyncio.run(asyncio.wait_for(story(), DEADLINE_S))


def test_a_full_disk_is_waited_for_and_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writequeue, "RETRY_S", 0.001)

    async def story() -> None:
        disk = Disk()
        reports: list[Exception | None] = []
        told = asyncio.Event()

        def report(failure: Exception | None) -> None:
            reports.append(failure)
            told.set()

        queue = WriteQueue("channel", disk.append, 1, report, lambda _: disk.is_full)
        queue.put(lambda: b"a")
        await told.wait()
        queue.put(lambda: b"b")
        assert queue.height == 1
        assert [type(one) for one in reports] == [LedgerIo]
        disk.is_full = False
        await queue.drained(0)
        assert reports[1:] == [None]
        assert (queue.height, disk.written) == (3, [b"a", b"b"])
        queue.close()

    asyncio.run(asyncio.wait_for(story(), DEADLINE_S))


def test_who_stops_does_not_wait_for_room() -> None:
    async def story() -> None:
        told = asyncio.Event()
        queue = WriteQueue("channel", Disk().append, 1, lambda _: told.set(), lambda _: True)
        queue.put(lambda: b"a")
        await told.wait()
        queue.give_up()
        with pytest.raises(LedgerIo):
            await queue.drained(0)
        queue.close()

    asyncio.run(asyncio.wait_for(story(), DEADLINE_S))


def test_a_group_that_could_not_be_written_is_written_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is signed once: what is tried again is the same block to the byte."""
    monkeypatch.setattr(writequeue, "RETRY_S", 0.001)
    signed: list[bytes] = []

    def seal() -> bytes:
        signed.append(b"signature %d" % len(signed))
        return signed[-1]

    async def story() -> None:
        disk = Disk()
        told = asyncio.Event()
        queue = WriteQueue("channel", disk.append, 1, lambda _: told.set(), lambda _: disk.is_full)
        queue.put(seal)
        queue.put(seal)
        await told.wait()
        disk.is_full = False
        await queue.drained(0)
        assert len(disk.tried) >= 2
        assert all(group == disk.tried[0] for group in disk.tried)
        assert disk.written == signed == [b"signature 0", b"signature 1"]
        queue.close()

    asyncio.run(asyncio.wait_for(story(), DEADLINE_S))
