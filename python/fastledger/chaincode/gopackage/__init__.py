# SPDX-License-Identifier: Apache-2.0
"""Archives to the byte as Fabric's own tools write them.

A chaincode is known by the hash of its package: organizations that package the same sources, some
with Fabric's command line and some with ours, have to get the same bytes. Go's ``archive/tar`` and
``compress/gzip`` write others than Python's do, but have written the same since Go 1.7.
"""

import struct
import zlib
from collections.abc import Mapping

from fastledger import _core
from fastledger.chaincode.gopackage.header import BLOCK, header

# Deflate, no flags, no time, no hint at the level, unknown system.
_GZIP_HEADER = bytes((0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255))
_COPY_BYTES = 32 * 1024
"""What Go's ``io.Copy`` writes at once; the compressor's window moves between writes."""

__all__ = ["gzip", "tar_gz"]


def tar_gz(files: Mapping[str, bytes], *, owner: int = 500) -> bytes:
    """Return a gzipped tar of contents by path; a path with a slash at its end is a folder."""
    writes: list[bytes] = []
    padding = b""
    for name, content in files.items():
        writes += [padding, header(name, len(content), owner)]
        writes += [content[at : at + _COPY_BYTES] for at in range(0, len(content), _COPY_BYTES)]
        padding = bytes(-len(content) % BLOCK)
    return gzip([*writes, padding, bytes(2 * BLOCK)])


def gzip(writes: list[bytes]) -> bytes:
    """Compress what is written in these portions."""
    data = b"".join(writes)
    trailer = struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)
    return _GZIP_HEADER + _core.deflate(data, [len(portion) for portion in writes]) + trailer
