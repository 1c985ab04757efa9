# SPDX-License-Identifier: Apache-2.0
"""The committed private values, each with the transaction that wrote it.

LMDB's keys are short, so a value's key is its collection's, as much of the private key as fits, and
a hash where it does not; the whole private key stands in the row.
"""

import struct
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from fastledger.common.errors import LedgerCorrupted
from fastledger.ledger.pvtrules import Holds
from fastledger.ledger.pvtwritesets import Version, collection_prefix

DATABASES = 1
"""Named databases that this table needs of its environment."""

KEY_BYTES = 400
"""Bytes of a private key that its row's key holds."""

_ROW = struct.Struct(">QQI")


class Values:
    """The table; every call takes the LMDB transaction to work in."""

    def __init__(self, env: Any) -> None:
        """Open or make the table."""
        self._values = env.open_db(b"values")

    def put(
        self, txn: Any, ns: str, coll: str, key: str, value: bytes | None, version: Version
    ) -> None:
        """Write a value, or with None delete it."""
        encoded = key.encode()
        row = _row_key(collection_prefix(ns, coll), encoded)
        if value is None:
            txn.delete(row, db=self._values)
        else:
            packed = _ROW.pack(*version, len(encoded)) + encoded + value
            txn.put(row, packed, db=self._values)

    def row(self, txn: Any, ns: str, coll: str, key: str) -> tuple[bytes, Version] | None:
        """Read a value and the transaction that wrote it."""
        place = _row_key(collection_prefix(ns, coll), key.encode())
        row = txn.get(place, db=self._values)
        if row is None:
            return None
        found, value, version = _split(row)
        if found != key.encode():
            raise _damaged(ns, coll, key)
        return value, version

    def rows(
        self, txn: Any, ns: str, coll: str, start: bytes = b""
    ) -> Iterator[tuple[bytes, bytes, bytes, Version]]:
        """Yield a collection's rows: their keys, private keys, values and versions."""
        prefix = collection_prefix(ns, coll)
        with txn.cursor(db=self._values) as cursor:
            rows = cursor.iternext() if cursor.set_range(start or prefix) else ()
            for row_key, row in rows:
                if not bytes(row_key).startswith(prefix):
                    return
                yield bytes(row_key), *_split(row)

    def range(
        self, txn: Any, ns: str, coll: str, start: str, end: str, holds: Holds
    ) -> list[tuple[str, bytes]]:
        """Read the keys from ``start`` up to ``end``; `holds` judges each."""
        prefix, last = collection_prefix(ns, coll), end.encode()
        found: list[tuple[bytes, bytes]] = []
        rows_from = prefix + start.encode()[:KEY_BYTES]
        for row_key, key, value, version in self.rows(txn, ns, coll, rows_from):
            if last and key[:KEY_BYTES] > last[:KEY_BYTES]:
                break
            if key >= start.encode() and (not last or key < last):
                if _row_key(prefix, key) != row_key:
                    raise _damaged(ns, coll, key.decode("utf-8", "replace"))
                holds(key, value, version)
                found.append((key, value))
        # Long keys of one beginning stand in the order of their hashes.
        return [(key.decode(), value) for key, value in sorted(found)]


def _row_key(prefix: bytes, key: bytes) -> bytes:
    if len(key) <= KEY_BYTES:
        return prefix + key
    return prefix + key[:KEY_BYTES] + sha256(key).digest()


def _damaged(ns: str, coll: str, key: str) -> LedgerCorrupted:
    return LedgerCorrupted(
        f"the private value of key {key!r} in collection {coll} of {ns} is damaged on this peer: "
        "what is stored is not what the channel agreed on"
    )


def _split(row: bytes) -> tuple[bytes, bytes, Version]:
    block, tx, length = _ROW.unpack_from(row)
    body = bytes(row[_ROW.size :])
    return body[:length], body[length:], (block, tx)
