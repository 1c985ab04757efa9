# SPDX-License-Identifier: Apache-2.0
"""Structures as keys of the state (``lifecycle/serializer.go``).

A structure is a key of metadata, which names its type and its fields, and a key for each field.
Equal values are not written again, so that a transaction says what it changes and no more. Reads
are recorded like any others: which keys are read, and in which case, is part of the format.
"""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Protocol

from google.protobuf.message import DecodeError

from fastledger.common.errors import DefinitionRefused
from fastledger.protos.peer.lifecycle import db_pb2

Value = int | str | bytes
"""Protobuf messages are encoded by the caller."""

Structure = Mapping[str, Value]
"""Fields in their order."""


class ReadableState(Protocol):
    """Something with keys."""

    def get(self, key: str) -> bytes | None:
        """Read a key."""


class WritableState(ReadableState, Protocol):
    """Something with keys that may be changed."""

    def put(self, key: str, value: bytes) -> None:
        """Write a key."""

    def delete(self, key: str) -> None:
        """Delete a key."""


class RangeableState(Protocol):
    """Something whose keys may be listed."""

    def range(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        """Read the keys that begin with a prefix."""


class OpaqueState(Protocol):
    """Something of which only hashes are known."""

    def hash(self, key: str) -> bytes | None:
        """Read the hash of a key's value."""


def metadata_key(namespace: str, name: str) -> str:
    """Where a structure's metadata stands."""
    return f"{namespace}/metadata/{name}"


def field_key(namespace: str, name: str, field: str) -> str:
    """Where a structure's field stands."""
    return f"{namespace}/fields/{name}/{field}"


def encode(value: Value) -> bytes:
    """Encode a field."""
    if isinstance(value, bytes):
        data = db_pb2.StateData(Bytes=value)
    elif isinstance(value, str):
        data = db_pb2.StateData(String=value)
    else:
        data = db_pb2.StateData(Int64=value)
    return data.SerializeToString(deterministic=True)


def serialize(
    namespace: str, name: str, datatype: str, structure: Structure, state: WritableState
) -> None:
    """Write what of a structure is not there yet, and delete fields that it does not have."""
    metadata = read_metadata(namespace, name, state) or db_pb2.StateMetadata()
    existing = {
        key: state.get(key) or b""
        for key in (field_key(namespace, name, field) for field in metadata.fields)
    }
    for field, value in structure.items():
        key = field_key(namespace, name, field)
        encoded = encode(value)
        if existing.pop(key, None) != encoded:
            state.put(key, encoded)
    if existing or metadata.datatype != datatype or len(metadata.fields) != len(structure):
        state.put(metadata_key(namespace, name), _metadata(datatype, structure))
    for key in existing:
        state.delete(key)


def mismatches(
    namespace: str, name: str, datatype: str, structure: Structure, state: OpaqueState
) -> list[str]:
    """Name the fields of a structure that are not what was written; its type if it was not."""
    hashes = {key: state.hash(key) for key in (metadata_key(namespace, name),)}
    for field in structure:
        key = field_key(namespace, name, field)
        hashes[key] = state.hash(key)
    expected = sha256(_metadata(datatype, structure)).digest()
    if hashes[metadata_key(namespace, name)] != expected:
        return [datatype]
    return [
        field
        for field, value in structure.items()
        if hashes[field_key(namespace, name, field)] != sha256(encode(value)).digest()
    ]


def is_metadata_written(
    namespace: str, name: str, datatype: str, fields: Structure, state: OpaqueState
) -> bool:
    """Whether a structure of this type stands there."""
    found = state.hash(metadata_key(namespace, name))
    return found == sha256(_metadata(datatype, fields)).digest()


def read_metadata(namespace: str, name: str, state: ReadableState) -> db_pb2.StateMetadata | None:
    """Read a structure's metadata."""
    found = state.get(metadata_key(namespace, name))
    if found is None:
        return None
    try:
        return db_pb2.StateMetadata.FromString(found)
    except DecodeError as error:
        raise DefinitionRefused(
            f"could not unmarshal metadata for namespace {namespace}/{name}: {error}"
        ) from error


def read_all_metadata(namespace: str, state: RangeableState) -> dict[str, db_pb2.StateMetadata]:
    """Read the metadata of every structure of a namespace."""
    prefix = f"{namespace}/metadata/"
    return {
        key[len(prefix) :]: db_pb2.StateMetadata.FromString(value)
        for key, value in state.range(prefix)
    }


def read_int(namespace: str, name: str, field: str, state: ReadableState) -> int:
    """Read a number, 0 when there is none."""
    return _read(namespace, name, field, state, "Int64").Int64


def read_bytes(namespace: str, name: str, field: str, state: ReadableState) -> bytes:
    """Read bytes, none when there are none."""
    return _read(namespace, name, field, state, "Bytes").Bytes


def read_string(namespace: str, name: str, field: str, state: ReadableState) -> str:
    """Read a text, empty when there is none."""
    return _read(namespace, name, field, state, "String").String


def _read(
    namespace: str, name: str, field: str, state: ReadableState, kind: str
) -> db_pb2.StateData:
    key = field_key(namespace, name, field)
    try:
        data = db_pb2.StateData.FromString(state.get(key) or b"")
    except DecodeError as error:
        raise DefinitionRefused(f"could not unmarshal state for key {key}: {error}") from error
    found = data.WhichOneof("Type")
    if found not in (None, kind):
        raise DefinitionRefused(f"expected key {key} to encode a value of type {kind}, was {found}")
    return data


def _metadata(datatype: str, structure: Structure) -> bytes:
    metadata = db_pb2.StateMetadata(datatype=datatype, fields=list(structure))
    return metadata.SerializeToString(deterministic=True)
