# SPDX-License-Identifier: Apache-2.0
"""Blocks in files: a length before each, or one block a file.

A file of blocks can end inside a block, because its writer died there: that is a *torn* end, and
what stands before it is sound. Anything else that does not read is damage.
"""

import struct
from collections.abc import Callable, Iterator
from itertools import chain
from typing import BinaryIO, NamedTuple

from fastledger._core import block_from_record, block_header
from fastledger.common.errors import InputError
from fastledger.ledger.torn import block_is_torn, record_is_torn
from fastledger.protoutil import varint

MAX_BLOCK_BYTES = 256 << 20
"""Largest block that is read; it is kept in memory whole, and Fabric's messages end at 100 MiB."""


class TornEnd(Exception):
    """A file ends inside a block."""

    def __init__(self, offset: int, missing: str) -> None:
        """Say where the block begins and what is missing of it."""
        super().__init__(f"ends inside the block at offset {offset}: {missing}")
        self.offset = offset


class Framed(NamedTuple):
    """A block that was read from a file."""

    block: bytes
    """Encoded ``common.Block``."""

    end: int
    """Offset of the byte after it."""


Reader = Callable[[BinaryIO, str], Iterator[Framed]]
"""Yields the blocks of a file, given its name for errors; raises TornEnd or InputError."""


class _Length(NamedTuple):
    prefix_bytes: int
    body_bytes: int


_ReadLength = Callable[[BinaryIO, str, int], _Length | None]


def whole_file(file: BinaryIO, name: str) -> Iterator[Framed]:
    """Read a file that is one encoded ``common.Block``."""
    block = file.read(MAX_BLOCK_BYTES + 1)
    if len(block) > MAX_BLOCK_BYTES:
        raise InputError(f"{name}: larger than a block can be, {MAX_BLOCK_BYTES} bytes")
    yield Framed(block, len(block))


def block_file(file: BinaryIO, name: str) -> Iterator[Framed]:
    """Read one of Fabric's block files: records, which are no ``common.Block``, after a varint.

    Fabric: ``blkstorage/block_serialization.go``.
    """
    return _blocks(file, name, _varint, block_from_record, record_is_torn)


def varint_prefixed(file: BinaryIO, name: str) -> Iterator[Framed]:
    """Read encoded ``common.Block`` messages, a varint length before each.

    Protobuf's own way to write several messages (``writeDelimitedTo``).
    """
    return _blocks(file, name, _varint, bytes, block_is_torn)


def _fixed(layout: str) -> Reader:
    width = struct.calcsize(layout)

    def length(file: BinaryIO, _name: str, offset: int) -> _Length | None:
        prefix = file.read(width)
        if not prefix:
            return None
        if len(prefix) < width:
            raise TornEnd(offset, "its length is incomplete")
        return _Length(width, struct.unpack(layout, prefix)[0])

    return lambda file, name: _blocks(file, name, length, bytes, block_is_torn)


def _blocks(
    file: BinaryIO,
    name: str,
    read_length: _ReadLength,
    decode: Callable[[bytes], bytes],
    is_torn: Callable[[bytes, bytes | None], bool],
) -> Iterator[Framed]:
    previous: bytes | None = None
    for offset, body, end in _frames(file, name, read_length):
        if end is None:
            if not is_torn(body, previous):
                raise InputError(f"{name}: damaged at offset {offset}: a block's length is wrong")
            raise TornEnd(offset, f"it has {len(body)} bytes")
        try:
            block = decode(body)
            previous = block_header(block)[3]
        except InputError as error:
            raise InputError(f"{name}: damaged at offset {offset}: {error}") from error
        yield Framed(block, end)


def _frames(
    file: BinaryIO, name: str, read_length: _ReadLength
) -> Iterator[tuple[int, bytes, int | None]]:
    """Yield offset, body and end of each frame; a frame that the file ends in has no end."""
    offset = 0
    while (length := read_length(file, name, offset)) is not None:
        if not 0 < length.body_bytes <= MAX_BLOCK_BYTES:
            raise InputError(
                f"{name}: damaged at offset {offset}: a block of {length.body_bytes} bytes; "
                f"blocks have 1 to {MAX_BLOCK_BYTES}"
            )
        body = file.read(length.body_bytes)
        if len(body) < length.body_bytes:
            yield offset, body, None
            return
        end = offset + length.prefix_bytes + length.body_bytes
        yield offset, body, end
        offset = end


def _varint(file: BinaryIO, name: str, offset: int) -> _Length | None:
    first = file.read(1)
    if not first:
        return None
    following = (octet[0] for octet in iter(lambda: file.read(1), b""))
    try:
        value, size = varint.read(chain(first, following))
    except EOFError as error:
        raise TornEnd(offset, "its length is incomplete") from error
    except ValueError as error:
        raise InputError(
            f"{name}: damaged at offset {offset}: no length of a block stands there"
        ) from error
    return _Length(size, value)


_FRAMINGS: tuple[Reader, ...] = (
    whole_file,
    varint_prefixed,
    _fixed(">I"),
    _fixed("<I"),
    _fixed(">Q"),
    block_file,
)


def recognise(open_file: Callable[[], BinaryIO], name: str) -> Reader:
    """Return the reader under which a file's first block is a block.

    Args:
        open_file: Opens the file anew.
        name: The file's name, for the error.

    Raises:
        InputError: There is no such reader.
    """
    for reader in _FRAMINGS:
        with open_file() as file:
            try:
                block_header(next(reader(file, name)).block)
            except (InputError, TornEnd, StopIteration):
                continue
            return reader
    raise InputError(
        f"{name}: neither a block, nor blocks with a length before each, nor a Fabric block file"
    )
