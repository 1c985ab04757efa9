# SPDX-License-Identifier: Apache-2.0
"""Varints, against protobuf's own library."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastledger.protos.common.common_pb2 import LastConfig
from fastledger.protoutil import varint


@given(st.integers(1, 2**64 - 1), st.binary(max_size=3))
def test_a_number_is_written_as_protobuf_writes_it_and_read_again(number: int, rest: bytes) -> None:
    # One byte of tag, then the number.
    encoded = LastConfig(index=number).SerializeToString()[1:]
    assert varint.encode(number) == encoded
    assert varint.read(encoded + rest) == (number, len(encoded))
    with pytest.raises(EOFError):
        varint.read(encoded[:-1])


def test_zero_has_one_byte_and_no_number_more_than_ten() -> None:
    assert varint.encode(0) == b"\0"
    assert varint.read(b"\0") == (0, 1)
    with pytest.raises(ValueError, match="too long"):
        varint.read(b"\x80" * varint.MAX_VARINT_BYTES + b"\x01")
