# SPDX-License-Identifier: Apache-2.0
"""Tells a torn end from damage.

A writer that died leaves the beginning of the next block, at the very end of the file. A damaged
length can look the same, when it leads out of the file; but then what follows it does not begin
with the next block, or that block ends before the file does.
"""

from collections.abc import Iterator

from google.protobuf.message import DecodeError

from fastledger.protos.common.common_pb2 import BlockHeader
from fastledger.protoutil import varint

_HEADER, _DATA, _METADATA = b"\x0a", b"\x12", b"\x1a"
"""Tags of the fields of ``common.Block``, each a message."""


def record_is_torn(partial: bytes, previous: bytes | None) -> bool:
    """Judge the rest of a block file after a length that leads out of it.

    Args:
        partial: What follows the length.
        previous: Hash of the header before, None when that is not known.
    """
    cursor = _Cursor(partial)
    try:
        cursor.number()
        cursor.bytes_field()
        if not _follows(cursor.bytes_field(), previous):
            return False
        for _ in range(2):  # transactions, then metadata
            for _ in range(cursor.number()):
                cursor.bytes_field()
    except EOFError:
        return True
    except ValueError:
        return False
    return False


def block_is_torn(partial: bytes, previous: bytes | None) -> bool:
    """Judge the rest of a file of ``common.Block`` messages after a length that leads out of it.

    Args:
        partial: What follows the length.
        previous: Hash of the header before, None when that is not known.
    """
    cursor = _Cursor(partial)
    try:
        for tag, body in _fields(cursor):
            if tag not in (_HEADER, _DATA, _METADATA):
                return False
            if tag == _HEADER and not _follows(_previous_hash(body), previous):
                return False
            if tag == _METADATA:
                return cursor.at_end()
    except EOFError:
        return True
    except ValueError:
        return False
    return True


def _follows(claimed: bytes | None, previous: bytes | None) -> bool:
    return previous is None or claimed == previous


def _previous_hash(header: bytes) -> bytes | None:
    try:
        return BlockHeader.FromString(header).previous_hash
    except DecodeError:
        return None


def _fields(cursor: "_Cursor") -> Iterator[tuple[bytes, bytes]]:
    while not cursor.at_end():
        yield cursor.take(1), cursor.bytes_field()


class _Cursor:
    """Reads protobuf's primitives.

    EOFError says that the bytes are out, ValueError that they are no such primitive.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def at_end(self) -> bool:
        return self._position == len(self._data)

    def take(self, count: int) -> bytes:
        end = self._position + count
        if end > len(self._data):
            raise EOFError
        taken = self._data[self._position : end]
        self._position = end
        return taken

    def number(self) -> int:
        value, size = varint.read(memoryview(self._data)[self._position :])
        self._position += size
        return value

    def bytes_field(self) -> bytes:
        return self.take(self.number())
