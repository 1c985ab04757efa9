# SPDX-License-Identifier: Apache-2.0
"""Blocks whose transactions stay in the core are the blocks that the decoder knows."""

import pytest
from google.protobuf.message import DecodeError

from fastledger._core import block_with_metadata
from fastledger.common.errors import InputError
from fastledger.protos.common.common_pb2 import Block
from fastledger.protoutil import coreblock
from fastledger.protoutil.blocks import METADATA_SLOTS, new_block
from fastledger.protoutil.coreblock import CoreBlock

BATCHES = [
    [b"alone"],
    [b"", b"short", b"l" * 200, b"longer" * 4000],
    [b"%d" % n for n in range(900)],
]


@pytest.mark.parametrize("batch", BATCHES, ids=len)
@pytest.mark.parametrize("number", [0, 7, 1 << 40])
def test_the_core_makes_the_block_that_the_encoder_makes(batch: list[bytes], number: int) -> None:
    expected = new_block(number, b"before", batch)
    made = coreblock.next_block(number, b"before", batch)
    assert made.SerializeToString() == expected.SerializeToString()
    assert (made.header, made.data, made.metadata) == (
        expected.header,
        expected.data,
        expected.metadata,
    )
    assert made.count == len(batch)


@pytest.mark.parametrize("batch", BATCHES, ids=len)
def test_an_opened_block_takes_metadata(batch: list[bytes]) -> None:
    expected = new_block(3, b"before", batch)
    block = coreblock.opened(expected.SerializeToString())
    assert isinstance(block, CoreBlock)
    assert (block.header, block.count, block.data) == (expected.header, len(batch), expected.data)
    for one in (expected, block):
        one.metadata.metadata[0] = b"signed" * 100
        one.metadata.metadata[METADATA_SLOTS - 1] = b"kept"
    assert bytes(coreblock.encoded(block)) == expected.SerializeToString()


def odd_blocks() -> list[bytes]:
    """Return blocks that the decoder reads, and would encode otherwise."""
    block = new_block(3, b"before", [b"a", b"b"])
    whole = block.SerializeToString()
    header, data, metadata = (
        Block(**{field: getattr(block, field)}).SerializeToString()
        for field in ("header", "data", "metadata")
    )
    long_length = data[:1] + bytes([data[1] | 0x80, 0]) + data[2:]
    strange_data = b"\x12\x03\x0a\x01a"[:1] + bytes([5]) + b"\x0a\x01a\x10\x01"
    backwards = b"\x0a\x05" + b"\x12\x01h\x08\x03"
    return [
        b"",
        header,
        header + data,
        data + header + metadata,
        header + data + metadata + data,
        header + long_length + metadata,
        header + strange_data + metadata,
        backwards + data + metadata,
        whole + b"\x20\x01",
    ]


@pytest.mark.parametrize("encoded", odd_blocks())
def test_what_is_encoded_otherwise_is_left_to_the_decoder(encoded: bytes) -> None:
    block = coreblock.opened(encoded)
    assert isinstance(block, Block)
    assert coreblock.encoded(block) == Block.FromString(encoded).SerializeToString()


def test_what_is_no_block_is_refused() -> None:
    whole = new_block(3, b"before", [b"a", b"b"]).SerializeToString()
    for cut in (1, 2, len(whole) - 1):
        with pytest.raises(DecodeError):
            coreblock.opened(whole[:cut])
    with pytest.raises(InputError, match="does not begin as a block"):
        block_with_metadata(b"\xff", b"")
