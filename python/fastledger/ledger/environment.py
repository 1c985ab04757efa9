# SPDX-License-Identifier: Apache-2.0
"""The one way in which an LMDB environment is opened: looked at before it is mapped.

LMDB believes its file. One that was cut short kills the process, one with a changed byte gives
other records. So the core reads every page of it first, like any other file. What a record says,
the file alone cannot tell: databases can seal theirs, with the CRC-32 of key and value behind the
value; private values have their hashes on the ledger.
"""

from collections.abc import Sequence
from os import fspath
from pathlib import Path
from zlib import crc32

import lmdb

from fastledger import _core
from fastledger.common.errors import LedgerCorrupted, LedgerIo

MAX_READERS = 126
"""LMDB's own default."""

_FILES = "data.mdb", "lock.mdb"
_SEAL_BYTES = 4


def open_environment(
    folder: Path,
    *,
    map_bytes: int,
    databases: int,
    readers: int = MAX_READERS,
    sealed: Sequence[str] = (),
) -> lmdb.Environment:
    """Open the environment in a folder, or begin one; nobody but its owner can read it.

    Args:
        folder: Where it is; made if need be.
        map_bytes: Address space; it takes neither memory nor disk.
        databases: How many named databases it has at most.
        readers: Read transactions that may be open at once.
        sealed: Names of the databases whose records are sealed.

    Raises:
        LedgerCorrupted: The file is damaged; the text names it.
        LedgerIo: The folder cannot be used.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        damage = _core.environment_damage(fspath(folder), list(sealed))
        if damage is not None:
            raise LedgerCorrupted(f"{folder / _FILES[0]} is damaged: {damage}")
        env = lmdb.open(
            fspath(folder),
            map_size=map_bytes,
            max_dbs=databases,
            max_readers=readers,
            mode=0o600,
        )
        for name in _FILES:
            (folder / name).chmod(0o600)
    except (OSError, lmdb.Error) as error:
        raise LedgerIo(f"{folder}: the store cannot be opened: {error}") from error
    return env


def seal(key: bytes, value: bytes) -> bytes:
    """Put a record's checksum behind its value."""
    return value + crc32(value, crc32(key)).to_bytes(_SEAL_BYTES, "little")


def unseal(key: bytes, record: bytes) -> bytes:
    """Take a record's checksum off its value.

    Raises:
        LedgerCorrupted: It is not the record's.
    """
    value = record[:-_SEAL_BYTES]
    if seal(key, value) != record:
        raise LedgerCorrupted(f"the record of key {key[:64]!r} does not have its checksum")
    return value
