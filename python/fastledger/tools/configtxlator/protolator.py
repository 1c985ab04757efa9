# SPDX-License-Identifier: Apache-2.0
"""Messages as JSON, decoded as deep as Fabric's protolator does, and back.

The JSON is that of ``configtxlator``, byte for byte: keys sorted, tabs, 64-bit numbers as text,
absent messages as null, and messages in place of the byte fields that hold them. Encoding is the
inverse; bytes come out with map entries sorted by key.
"""

import base64
import json
from collections.abc import Iterator
from typing import Any, TypeVar

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from fastledger.common.errors import InputError
from fastledger.tools.configtxlator.opening import inside, opened_type, opens
from fastledger.tools.configtxlator.places import Place

M = TypeVar("M", bound=Message)
_T = TypeVar("_T")

MAX_NESTING = 100
"""Messages inside messages; a configuration block needs less than 25.

A configuration can hold another one as its last update, so the nesting is the sender's choice.
"""

_QUOTED = frozenset(
    {
        FieldDescriptor.CPPTYPE_INT64,
        FieldDescriptor.CPPTYPE_UINT64,
    }
)

# Go's encoder writes what could end a script in a page as escapes.
_ESCAPES = str.maketrans(
    {char: f"\\u{ord(char):04x}" for char in ("<", ">", "&", "\u2028", "\u2029")}
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
    text = json.dumps(to_tree(message, place), indent="\t", sort_keys=True, ensure_ascii=False)
    return text.translate(_ESCAPES) + "\n"


def from_json(text: str | bytes, kind: type[M]) -> M:
    """Read a message from JSON.

    Raises:
        InputError: It is no JSON, or not such a message's.
    """
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"error unmarshaling intermediate JSON: {error}") from error
    return from_tree(tree, kind)


def to_tree(message: Message, place: Place | None = None) -> dict[str, Any]:
    """Turn a message into what ``json`` writes; see :func:`to_json`."""
    return _Writer().tree(message, place, "", 0)


def from_tree(tree: Any, kind: type[M]) -> M:
    """Build a message from what ``json`` read; see :func:`from_json`."""
    message = kind()
    _populate(message, tree, None, "", 0)
    return message


def _check_depth(depth: int) -> None:
    if depth > MAX_NESTING:
        raise InputError(f"messages are nested deeper than {MAX_NESTING}")


class _Writer:
    """Turns messages into trees."""

    def tree(self, message: Message, place: Place | None, name: str, depth: int) -> dict[str, Any]:
        _check_depth(depth)
        out: dict[str, Any] = {}
        for field in _shown_fields(message):
            if field.containing_oneof is not None:
                # Protolator looks into no oneof: there it shows bytes as bytes.
                if message.HasField(field.name):
                    out[field.name] = self._plain(field, getattr(message, field.name), depth)
            else:
                out[field.name] = self._field(message, field, place, name, depth)
        return out

    def _field(
        self, message: Message, field: Any, place: Place | None, name: str, depth: int
    ) -> Any:
        value = getattr(message, field.name)
        if opens(message, field.name, place):
            return self._opened(message, field, value, place, name, depth)
        if _is_map(field):
            return self._map(message, field, value, place, depth)
        if field.is_repeated:
            return [self._nested(message, field, item, place, "", depth) for item in value]
        if field.message_type and not message.HasField(field.name):
            return None
        return self._nested(message, field, value, place, "", depth)

    def _map(
        self, message: Message, field: Any, value: Any, place: Place | None, depth: int
    ) -> dict[str, Any]:
        entry = field.message_type.fields_by_name["value"]
        return {
            _map_key(key): self._nested(message, field, value[key], place, key, depth, entry)
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

        if _is_map(field):
            return {key: tree(value[key], key) for key in value}
        if field.is_repeated:
            return [tree(item, "") for item in value]
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
        _check_depth(depth)
        if message.DESCRIPTOR.full_name == _TIMESTAMP:
            return _timestamp(message)
        out: dict[str, Any] = {}
        for field in _shown_fields(message):
            value = getattr(message, field.name)
            if _is_map(field):
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


def _is_map(field: Any) -> bool:
    return bool(field.message_type and field.message_type.GetOptions().map_entry)


def _populate(message: Any, tree: Any, place: Place | None, name: str, depth: int) -> None:
    _check_depth(depth)
    if not isinstance(tree, dict):
        kind = message.DESCRIPTOR.full_name
        raise InputError(f"{kind}: expected a JSON object, found {_shown(tree)}")
    nested, opened, plain = [], [], dict(tree)
    for field in message.DESCRIPTOR.fields:
        if field.name not in tree or field.containing_oneof is not None:
            continue
        if opens(message, field.name, place):
            opened.append((field, plain.pop(field.name)))
        elif _is_nested(field):
            nested.append((field, plain.pop(field.name)))
    try:
        json_format.ParseDict(plain, message)
    except (json_format.ParseError, ValueError, RecursionError) as error:
        raise InputError(f"{message.DESCRIPTOR.full_name}: {error}") from error
    for field, value in nested:
        _populate_nested(message, field, value, place, depth)
    # What a byte field holds can depend on all the others.
    for field, value in opened:
        _populate_opened(message, field, value, place, name, depth)


def _is_nested(field: Any) -> bool:
    kind = field.message_type.fields_by_name["value"] if _is_map(field) else field
    return kind.message_type is not None and kind.message_type.full_name != _TIMESTAMP


def _populate_nested(message: Any, field: Any, value: Any, place: Place | None, depth: int) -> None:
    target = getattr(message, field.name)

    def fill(one: Any, entry: Any, name: str) -> None:
        one.SetInParent()
        _populate(one, entry, inside(message, field.name, name, place), name, depth + 1)

    if _is_map(field):
        for key, entry in _expect(message, field, value, dict).items():
            fill(target[key], entry, key)
    elif field.is_repeated:
        for entry in _expect(message, field, value, list):
            fill(target.add(), entry, "")
    elif value is not None:
        fill(target, value, "")


def _populate_opened(
    message: Any, field: Any, value: Any, place: Place | None, name: str, depth: int
) -> None:
    def encode(tree: Any, entry: str) -> bytes:
        inner = opened_type(message, field.name, place, entry)()
        _populate(inner, tree, None, "", depth + 1)
        return inner.SerializeToString(deterministic=True)

    target = getattr(message, field.name)
    if _is_map(field):
        for key, tree in _expect(message, field, value, dict).items():
            target[key] = encode(tree, key)
    elif field.is_repeated:
        target.extend(encode(tree, "") for tree in _expect(message, field, value, list))
    elif value is not None:
        setattr(message, field.name, encode(value, name))


def _expect(message: Any, field: Any, value: Any, kind: type[_T]) -> _T:
    if not isinstance(value, kind):
        where = f"{message.DESCRIPTOR.full_name}.{field.name}"
        wanted = "a JSON object" if kind is dict else "a JSON array"
        raise InputError(f"{where}: expected {wanted}, found {_shown(value)}")
    return value


def _shown(value: Any) -> str:
    return json.dumps(value)[:80]
