# SPDX-License-Identifier: Apache-2.0
"""Fabric's messages as readable JSON, decoded down to the innermost.

Bytes that are text stand under the field's own name; others stand in hexadecimal under
``<field>_hex``, hashes and signatures always under their own name. What cannot be decoded is
shown in hexadecimal, and ``<field>_error`` says why.
"""

from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from fastledger.common.codes import code_name
from fastledger.common.errors import InputError
from fastledger.protos.common import common_pb2, policies_pb2
from fastledger.protoutil import certificate
from fastledger.protoutil.hashes import header_hash
from fastledger.protoutil.opaque import Scope, inner_type

MAX_NESTING = 64
"""Messages inside messages that are taken apart; real ones need less than 20.

A configuration envelope can hold another one as its last update, so the nesting is the sender's
choice.
"""

_HEX = frozenset(
    {
        "block_hash",
        "data_hash",
        "hash",
        "id",
        "key_hash",
        "max_level_hashes",
        "metadatahash",
        "nonce",
        "previous_hash",
        "proposal_hash",
        "pvt_rwset_hash",
        "signature",
        "tls_cert_hash",
        "value_hash",
    }
)
"""Byte fields that are no text, whatever their bytes look like."""

_COMPLETE = frozenset(
    {"common.BlockHeader", "common.ImplicitMetaPolicy", "common.MSPRole", "kvrwset.Version"}
)
"""Messages whose zeros mean something."""

_ENUM_NUMBERS = {
    ("common.ChannelHeader", "type"): common_pb2.HeaderType,
    ("common.Policy", "type"): policies_pb2.Policy.PolicyType,
}
"""Fields that are plain integers on the wire, but have names."""

_METADATA = common_pb2.BlockMetadataIndex
_SLOT_NAMES: dict[int, str] = {number: name for name, number in _METADATA.items()}


def block_to_dict(encoded: bytes) -> dict[str, Any]:
    """Take an encoded ``common.Block`` apart, ready for JSON.

    Raises:
        InputError: The bytes are no block.
    """
    try:
        block = common_pb2.Block.FromString(encoded)
    except DecodeError as error:
        raise InputError(f"not an encoded common.Block: {error}") from error
    slots = list(block.metadata.metadata)
    transactions_filter = slots[_METADATA.TRANSACTIONS_FILTER] if len(slots) > 2 else b""
    return {
        "header": message_to_dict(block.header) | {"header_hash": header_hash(block.header).hex()},
        "data": [
            _transaction(index, entry, transactions_filter)
            for index, entry in enumerate(block.data.data)
        ],
        "metadata": dict(_slots(slots)),
    }


def _transaction(index: int, entry: bytes, transactions_filter: bytes) -> dict[str, Any]:
    out: dict[str, Any] = {"index": index}
    if index < len(transactions_filter):
        out["code"] = code_name(transactions_filter[index])
    return out | _opened("envelope", entry, common_pb2.Envelope, Scope(), 0)


def _slots(slots: list[bytes]) -> Iterator[tuple[str, Any]]:
    for index, slot in enumerate(slots):
        name = _SLOT_NAMES.get(index, str(index))
        if index == _METADATA.TRANSACTIONS_FILTER:
            yield name, [code_name(code) for code in slot]
        else:
            opened = _opened("slot", slot, common_pb2.Metadata, Scope(slot=index), 0)
            yield name, opened.get("slot", opened)


def message_to_dict(message: Message, scope: Scope | None = None, depth: int = 0) -> dict[str, Any]:
    """Turn a message into what ``json`` can write, the messages in its byte fields included.

    Example:
        >>> envelope = common_pb2.Envelope(signature=bytes([0x30, 0x44]))
        >>> message_to_dict(envelope)
        {'signature': '3044'}
    """
    scope = (scope or Scope()).within(message)
    out: dict[str, Any] = {}
    for field, value in _fields(message):
        if field.message_type and field.message_type.GetOptions().map_entry:
            out[field.name] = _map(field, value, depth)
        elif field.is_repeated:
            out |= _repeated(message, field, value, scope, depth)
        else:
            out |= _field(message, field, value, scope, depth)
    if unknown := _unknown_fields(message):
        out["unknown_fields"] = unknown
    if message.DESCRIPTOR.full_name == "msp.SerializedIdentity":
        summary = certificate.summary(getattr(message, "id_bytes"))  # noqa: B009 (a Message to mypy)
        out |= {"certificate": summary} if summary else {}
    return out


def _unknown_fields(message: Message) -> list[int]:
    unknown: Any = UnknownFieldSet(message)  # a sequence, which its stub does not say
    return sorted({entry.field_number for entry in unknown})


def _fields(message: Message) -> Iterator[tuple[Any, Any]]:
    if message.DESCRIPTOR.full_name in _COMPLETE:
        for field in message.DESCRIPTOR.fields:
            yield field, getattr(message, field.name)
    else:
        yield from message.ListFields()


def _map(field: Any, values: Any, depth: int) -> dict[str, Any]:
    entry = field.message_type.fields_by_name["value"]
    out: dict[str, Any] = {}
    for key in sorted(values):
        if entry.message_type:
            out[str(key)] = _message(values[key], Scope(key=str(key)), depth)
        else:
            out[str(key)] = _text_or_hex(values[key])
    return out


def _repeated(
    message: Message, field: Any, values: Any, scope: Scope, depth: int
) -> dict[str, Any]:
    items = [
        _field(message, field, value, scope, depth, index) for index, value in enumerate(values)
    ]
    if all(item.keys() == {field.name} for item in items):
        return {field.name: [item[field.name] for item in items]}
    return {field.name: items}


def _field(
    message: Message, field: Any, value: Any, scope: Scope, depth: int, index: int = 0
) -> dict[str, Any]:
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return {field.name: _message(value, scope, depth)}
    if field.type == FieldDescriptor.TYPE_BYTES:
        inner = inner_type(message, field.name, scope, index)
        return _opened(field.name, value, inner, scope, depth)
    if field.type == FieldDescriptor.TYPE_ENUM:
        return {field.name: _enum_name(field.enum_type.values_by_number, value)}
    names = _ENUM_NUMBERS.get((message.DESCRIPTOR.full_name, field.name))
    if names is not None and value in names.values():
        return {field.name: names.Name(value)}
    return {field.name: value}


def _message(message: Message, scope: Scope, depth: int) -> Any:
    if message.DESCRIPTOR.full_name == "google.protobuf.Timestamp":
        return message.ToJsonString()  # type: ignore[attr-defined]  # a well-known type's method
    return message_to_dict(message, scope, depth)


def _opened(
    name: str, value: bytes, inner: type[Message] | None, scope: Scope, depth: int
) -> dict[str, Any]:
    """Show a byte field, as the message that it holds if it holds one."""
    if inner is None:
        if name in _HEX or scope.slot == _METADATA.COMMIT_HASH:
            return {name: value.hex()}
        shown = _text_or_hex(value)
        return {name: shown} if isinstance(shown, str) else {f"{name}_hex": shown["hex"]}
    if depth >= MAX_NESTING:
        return {f"{name}_hex": value.hex(), f"{name}_error": "nested too deep to be shown"}
    try:
        return {name: message_to_dict(inner.FromString(value), scope, depth + 1)}
    except DecodeError:
        error = f"not a {inner.DESCRIPTOR.full_name}"
        return {f"{name}_hex": value.hex(), f"{name}_error": error}


def _text_or_hex(value: Any) -> Any:
    if not isinstance(value, bytes):
        return value
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return {"hex": value.hex()}
    if all(character.isprintable() or character in "\n\r\t" for character in text):
        return text
    return {"hex": value.hex()}


def _enum_name(names: Any, value: int) -> Any:
    return names[value].name if value in names else value
