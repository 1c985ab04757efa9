# SPDX-License-Identifier: Apache-2.0
"""When an identity's certificate ends (Fabric: ``common/crypto/expiration.go``)."""

from functools import lru_cache

from google.protobuf.message import DecodeError

from fastledger.protos.msp.identities_pb2 import SerializedIdentity
from fastledger.protoutil.certificate import load

CACHED_IDENTITIES = 4096
"""Identities whose end is remembered; clients come back with the same few."""

MAX_CACHED_BYTES = 16 * 1024
"""Larger ones are not remembered: certificates have some 1 KB, and anybody may send anything."""


def expires_at(serialized: bytes) -> float | None:
    """Return the Unix time at which an identity ends; None for what is no X.509 identity."""
    return _remembered(serialized) if len(serialized) <= MAX_CACHED_BYTES else _read(serialized)


def _read(serialized: bytes) -> float | None:
    try:
        pem = SerializedIdentity.FromString(serialized).id_bytes
        return load(pem).not_valid_after_utc.timestamp()
    except (DecodeError, ValueError):
        return None


_remembered = lru_cache(CACHED_IDENTITIES)(_read)
