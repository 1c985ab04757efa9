# SPDX-License-Identifier: Apache-2.0
r"""The state as lines of JSON, one key each.

Public keys come first, then the hashes of private keys, both sorted by namespace, collection and
key. A line has, in this order:

=================  ================================================================
``namespace``      the chaincode, empty for the channel's configuration
``collection``     only for private keys
``key``            the key; ``key_hex`` when it is a hash or no UTF-8
``value``          the value; ``value_b64`` when it is no UTF-8; left out when large
``value_sha256``   in hexadecimal
``value_len``      in bytes
``version``        ``block:tx``
``metadata_hex``   only when the key has metadata
=================  ================================================================
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from fastledger.ledger.kvledger import Ledger
from fastledger.ledger.records import StateEntry

MAX_SHOWN_VALUE_BYTES = 4096
"""Longer values, such as the configuration, are told by length and hash alone."""


def write_state(ledger: Ledger, out: TextIO) -> int:
    """Write the whole state; return the number of keys.

    Example:
        >>> import io
        >>> out = io.StringIO()
        >>> with fastledger.open(ledger_path) as ledger:
        ...     write_state(ledger, out)
        370
    """
    count = 0
    for entry in _public_first(ledger.state):
        json.dump(to_dict(entry), out, separators=(",", ":"), ensure_ascii=False)
        out.write("\n")
        count += 1
    return count


def to_dict(entry: StateEntry) -> dict[str, Any]:
    """Return the object of one line.

    Example:
        >>> from fastledger.ledger.records import Height, StateValue
        >>> state = StateValue(b"1", Height(66, 6))
        >>> to_dict(StateEntry("basic", "", b"a", state))["version"]
        '66:6'
    """
    out: dict[str, Any] = {"namespace": entry.namespace}
    if entry.collection:
        out |= {"collection": entry.collection, "key_hex": entry.key.hex()}
    elif (key := _text(entry.key)) is not None:
        out["key"] = key
    else:
        out["key_hex"] = entry.key.hex()
    value = entry.state.value
    if len(value) <= MAX_SHOWN_VALUE_BYTES:
        text = _text(value)
        out |= {"value_b64": base64.b64encode(value).decode()} if text is None else {"value": text}
    out["value_sha256"] = hashlib.sha256(value).hexdigest()
    out["value_len"] = len(value)
    out["version"] = str(entry.state.version)
    if entry.state.metadata:
        out["metadata_hex"] = entry.state.metadata.hex()
    return out


def _public_first(state: Any) -> Iterable[StateEntry]:
    yield from _part(state(), private=False)
    yield from _part(state(), private=True)


def _part(entries: Iterable[StateEntry], *, private: bool) -> Iterator[StateEntry]:
    return (entry for entry in entries if bool(entry.collection) is private)


def _text(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None
