# SPDX-License-Identifier: Apache-2.0
"""Blocks as they are written, held against the core's own reading of them."""

import asyncio
from pathlib import Path

import pytest

from fastledger._core import BlockStore, block_header
from fastledger.common.errors import LedgerIo
from fastledger.orderer.blockwriter import BlockWriter, Draft, consenter_metadata
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


def test_blocks_continue_the_chain(store: BlockStore) -> None:
    BlockWriter(store, Signer()).write([Draft([b"a", b"b"]), Draft([b"c"])])
    BlockWriter(store, Signer()).write([Draft([b"d"])])
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
    writer.write([Draft([b"a"]), Draft([b"config"], b"kept", is_config=True), Draft([b"b"])])
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
    BlockWriter(store, Signer()).write([Draft([b"config"], is_config=True), Draft([b"a"])])
    BlockWriter(store, Signer()).write([Draft([b"b"])])
    assert last_config_index(Block.FromString(store.block(3))) == 1


def test_a_group_shares_a_sync_and_is_seen_when_it_is_durable() -> None:
    groups: list[list[Draft]] = []

    class Slow:
        def write(self, drafts: list[Draft]) -> None:
            groups.append(drafts)

    async def story() -> None:
        queue = WriteQueue("channel", Slow(), 1, pytest.fail)  # type: ignore[arg-type]
        queue.put(Draft([b"first"]))
        await asyncio.sleep(0)
        for name in (b"a", b"b", b"c"):
            queue.put(Draft([name]))
        assert queue.height == 1
        await queue.wait(5)
        assert (queue.height, queue.unwritten) == (5, 0)
        assert [len(group) for group in groups] == [1, 3]
        queue.close()

    asyncio.run(asyncio.wait_for(story(), DEADLINE_S))


def test_nothing_follows_what_could_not_be_written() -> None:
    class Full:
        def write(self, drafts: list[Draft]) -> None:
            raise LedgerIo("no space left")

    async def story() -> None:
        failures: list[Exception] = []
        queue = WriteQueue("channel", Full(), 1, failures.append)  # type: ignore[arg-type]
        queue.put(Draft([b"a"]))
        with pytest.raises(LedgerIo):
            await queue.drained(0)
        with pytest.raises(LedgerIo):
            queue.put(Draft([b"b"]))
        assert queue.height == 1
        assert len(failures) == 1
        queue.close()

    asyncio.run(asyncio.wait_for(story(), DEADLINE_S))


def test_a_full_disk_is_waited_for_and_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writequeue, "RETRY_S", 0.001)
    written: list[bytes] = []

    class Full:
        is_full = True

        def write(self, drafts: list[Draft]) -> None:
            if self.is_full:
                raise LedgerIo("no space left")
            written.extend(draft.envelopes[0] for draft in drafts)

    async def story() -> None:
        disk = Full()
        failures: list[Exception] = []
        told = asyncio.Event()
        room = asyncio.Event()

        def fail(error: Exception) -> None:
            failures.append(error)
            told.set()

        queue = WriteQueue("channel", disk, 1, fail, lambda: disk.is_full, room.set)  # type: ignore[arg-type]
        queue.put(Draft([b"a"]))
        await told.wait()
        queue.put(Draft([b"b"]))
        assert (queue.height, room.is_set(), len(failures)) == (1, False, 1)
        disk.is_full = False
        await queue.drained(0)
        assert room.is_set()
        assert (queue.height, written) == (3, [b"a", b"b"])
        queue.close()

    asyncio.run(asyncio.wait_for(story(), DEADLINE_S))


def test_who_stops_does_not_wait_for_room() -> None:
    class Full:
        def write(self, drafts: list[Draft]) -> None:
            raise LedgerIo("no space left")

    async def story() -> None:
        told = asyncio.Event()
        queue = WriteQueue("channel", Full(), 1, lambda _: told.set(), lambda: True)  # type: ignore[arg-type]
        queue.put(Draft([b"a"]))
        await told.wait()
        queue.give_up()
        with pytest.raises(LedgerIo):
            await queue.drained(0)
        queue.close()

    asyncio.run(asyncio.wait_for(story(), DEADLINE_S))


def test_a_group_that_could_not_be_written_is_made_again_as_it_was(store: BlockStore) -> None:
    class Once:
        height = 1

        def __init__(self) -> None:
            self.groups: list[list[bytes]] = []

        def block(self, number: int) -> bytes:
            return store.block(number)

        def append(self, blocks: list[bytes]) -> None:
            self.groups.append(blocks)
            if len(self.groups) == 1:
                raise LedgerIo("no space left")

    blocks = Once()
    writer = BlockWriter(blocks, Signer())
    drafts = [Draft([b"a"]), Draft([b"config"], is_config=True)]
    with pytest.raises(LedgerIo):
        writer.write(drafts)
    writer.write(drafts)
    headers = [[Block.FromString(block).header for block in group] for group in blocks.groups]
    assert headers[0] == headers[1]
    assert last_config_index(Block.FromString(blocks.groups[1][1])) == 2
