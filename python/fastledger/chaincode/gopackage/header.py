# SPDX-License-Identifier: Apache-2.0
"""The header of an entry in a tar, in the format USTAR, or PAX where its name is too long."""

import tarfile

BLOCK = 512
_FILE = 0o100644, b"0"
_FOLDER = 0o40755, b"5"

_NAME_BYTES = 100
_PREFIX_BYTES = 155


def header(name: str, size: int, owner: int) -> bytes:
    """Return the header of a file, or of a folder if the name ends with a slash.

    Nothing in it depends on who makes it and when; ``owner`` is user and group.
    """
    mode, kind = _FOLDER if name.endswith("/") else _FILE
    split = _split(name)
    if split is None:
        return _pax(name, size, mode, kind, owner)
    prefix, rest = split
    fields = b"".join(
        (
            rest.encode().ljust(_NAME_BYTES, b"\0"),
            b"%07o\0%07o\0%07o\0" % (mode, owner, owner),
            b"%011o\0%011o\0" % (size, 0),
            b" " * 8,
            kind.ljust(101, b"\0"),
            b"ustar\x0000",
            bytes(64),
            b"%07o\0%07o\0" % (0, 0),
            prefix.encode().ljust(_PREFIX_BYTES, b"\0"),
        )
    ).ljust(BLOCK, b"\0")
    checksum = b"%06o\0 " % sum(fields)
    return fields[:148] + checksum + fields[156:]


def _split(name: str) -> tuple[str, str] | None:
    """Split a name into prefix and rest, the prefix as long as possible."""
    if not name.isascii():
        return None
    if len(name) <= _NAME_BYTES:
        return "", name
    at = name[: _PREFIX_BYTES + 1].rfind("/")
    if at <= 0 or not 0 < len(name) - at - 1 <= _NAME_BYTES:
        return None
    return name[:at], name[at + 1 :]


def _pax(name: str, size: int, mode: int, kind: bytes, owner: int) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.type, entry.uid, entry.gid = size, mode, kind, owner, owner
    return entry.tobuf(tarfile.PAX_FORMAT)
