# SPDX-License-Identifier: Apache-2.0
"""Messages as JSON, decoded as deep as Fabric's protolator does, and back.

The JSON is that of ``configtxlator``, byte for byte: keys sorted, tabs, 64-bit numbers as text,
absent messages as null, and messages in place of the byte fields that hold them. Encoding is the
inverse; bytes come out with map entries sorted by key.
"""

import base64
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from fastledger.common import gojson
from fastledger.common.errors import InputError
from fastledger.tools.configtxlator.faults import at, check_depth
from fastledger.tools.configtxlator.opening import inside, is_map, opened_type, opens
from fastledger.tools.configtxlator.places import Place
from fastledger.tools.configtxlator.reader import from_json, from_tree

__all__ = ["from_json", "from_tree", "to_json", "to_tree"]

_QUOTED = frozenset(
    {
        FieldDescriptor.CPPTYPE_INT64,
        FieldDescriptor.CPPTYPE_UINT64,
    }
)

_TIMESTAMP = "google.protobuf.Timestamp"

_DROPPED = frozenset(
    {
        ("protos.ChaincodeDeploymentSpec", "exec_env"),
        ("protos.ChaincodeHeaderExtension", "payload_visibility"),
    }
)
"""Fields that Fabric has dropped since 1.4: shown where they are set, not shown as empty."""


def to_json(message: Message, place: Place | None = None) -> str:
    """Write a message as JSON, with a newline at the end.

    Args:
        message: The message.
        place: Where it stands, for a configuration group that is shown alone.

    Raises:
        InputError: A byte field does not hold what it should.
    """
    return gojson.marshal(to_tree(message, place), indent="\t") + "\n"


def to_tree(message: Message, place: Place | None = None) -> dict[str, Any]:
    """Turn a message into what ``json`` writes; see :func:`to_json`."""
    try:
        return _Writer().tree(message, place, "", 0)
    except InputError as error:
        raise InputError(f"{message.DESCRIPTOR.full_name}: {error}") from error


class _Writer:
    """Turns messages into trees."""

    def tree(self, message: Message, place: Place | None, name: str, depth: int) -> dict[str, Any]:
        check_depth(depth)
        out: dict[str, Any] = {}
        for field in _shown_fields(message):
            if field.containing_oneof is not None:
                # Protolator looks into no oneof: there it shows bytes as bytes.
                if message.HasField(field.name):
                    value = getattr(message, field.name)
                    out[field.name] = at(field.name, self._plain, field, value, depth)
            else:
                out[field.name] = at(field.name, self._field, message, field, place, name, depth)
        return out

    def _field(
        self, message: Message, field: Any, place: Place | None, name: str, depth: int
    ) -> Any:
        value = getattr(message, field.name)
        if opens(message, field.name, place):
            return self._opened(message, field, value, place, name, depth)
        if is_map(field):
            return self._map(message, field, value, place, depth)
        if field.is_repeated:
            return [
                at(number, self._nested, message, field, item, place, "", depth)
                for number, item in enumerate(value)
            ]
        if field.message_type and not message.HasField(field.name):
            return None
        return self._nested(message, field, value, place, "", depth)

    def _map(
        self, message: Message, field: Any, value: Any, place: Place | None, depth: int
    ) -> dict[str, Any]:
        entry = field.message_type.fields_by_name["value"]
        return {
            _map_key(key): at(
                [key], self._nested, message, field, value[key], place, key, depth, entry
            )
            for key in value
        }

    def _nested(
        self,
        message: Message,
        field: Any,
        value: Any,
        place: Place | None,
        name: str,
        depth: int,
        entry: Any = None,
    ) -> Any:
        kind = entry or field
        if kind.message_type is None or kind.message_type.full_name == _TIMESTAMP:
            return self._plain(kind, value, depth)
        return self.tree(value, inside(message, field.name, name, place), name, depth + 1)

    def _opened(
        self, message: Message, field: Any, value: Any, place: Place | None, name: str, depth: int
    ) -> Any:
        def tree(encoded: bytes, entry: str) -> Any:
            kind = opened_type(message, field.name, place, entry)
            return self.tree(_decode(kind, encoded), None, "", depth + 1)

        if is_map(field):
            return {key: at([key], tree, value[key], key) for key in value}
        if field.is_repeated:
            return [at(number, tree, item, "") for number, item in enumerate(value)]
        return tree(value, name) if value else None

    def _plain(self, field: Any, value: Any, depth: int) -> Any:
        if field.message_type is not None:
            return self._plain_message(value, depth)
        if field.type == FieldDescriptor.TYPE_BYTES:
            return base64.b64encode(value).decode()
        if field.type == FieldDescriptor.TYPE_ENUM:
            known = field.enum_type.values_by_number.get(value)
            return known.name if known else value
        return str(value) if field.cpp_type in _QUOTED else value

    def _plain_message(self, message: Any, depth: int) -> Any:
        """Show a message as protobuf's own JSON does, its bytes unopened."""
        check_depth(depth)
        if message.DESCRIPTOR.full_name == _TIMESTAMP:
            return _timestamp(message)
        out: dict[str, Any] = {}
        for field in _shown_fields(message):
            value = getattr(message, field.name)
            if is_map(field):
                entry = field.message_type.fields_by_name["value"]
                out[field.name] = {
                    _map_key(key): self._plain(entry, value[key], depth + 1) for key in value
                }
            elif field.is_repeated:
                out[field.name] = [self._plain(field, item, depth + 1) for item in value]
            elif not field.has_presence or message.HasField(field.name):
                out[field.name] = self._plain(field, value, depth + 1)
            elif field.containing_oneof is None:
                out[field.name] = None
        return out


def _timestamp(message: Any) -> str:
    try:
        text: str = message.ToJsonString()
    except (ValueError, OverflowError) as error:
        raise InputError(f"{_TIMESTAMP}: {error}") from error
    return text


def _shown_fields(message: Message) -> Iterator[Any]:
    name = message.DESCRIPTOR.full_name
    for field in message.DESCRIPTOR.fields:
        if (name, field.name) not in _DROPPED or getattr(message, field.name):
            yield field


def _decode(kind: type[Message], encoded: bytes) -> Message:
    try:
        return kind.FromString(encoded)
    except DecodeError as error:
        raise InputError(f"not an encoded {kind.DESCRIPTOR.full_name}: {error}") from error


def _map_key(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)
