# SPDX-License-Identifier: Apache-2.0
"""JSON into messages, as Fabric's protolator encodes it.

Each message is read by protobuf's own JSON rules, but for the fields that protolator looks into:
nested messages, and byte fields that the JSON shows as the messages that they hold.
"""

from typing import Any, TypeVar

from google.protobuf.message import Message

from fastledger.common import gojson
from fastledger.common.errors import InputError
from fastledger.common.gojson import JsonInvalid, Object
from fastledger.tools.configtxlator import protojson
from fastledger.tools.configtxlator.faults import Fault, at, check_depth
from fastledger.tools.configtxlator.opening import inside, is_map, opened_type, opens
from fastledger.tools.configtxlator.places import Place
from fastledger.tools.configtxlator.protojson import shown

M = TypeVar("M", bound=Message)
_T = TypeVar("_T")
_TIMESTAMP = "google.protobuf.Timestamp"


def from_json(text: str | bytes, kind: type[M]) -> M:
    """Read a message from JSON; what stands behind the JSON does not count.

    Raises:
        InputError: It is no JSON, or not such a message's; the text says in which field.
    """
    try:
        tree = gojson.read(text, first=True)
        if tree is not None and not isinstance(tree, Object):
            found = "array" if isinstance(tree, list) else "value"
            raise JsonInvalid(f"json: cannot unmarshal {found} into a JSON object")
    except JsonInvalid as error:
        raise InputError(f"error unmarshaling intermediate JSON: {error}") from error
    return from_tree(gojson.plain(tree, lambda number: number), kind)


def from_tree(tree: Any, kind: type[M]) -> M:
    """Build a message from JSON's dicts and lists, with numbers as written; see from_json."""
    message = kind()
    try:
        _populate(message, tree, None, "", 0)
    except InputError as error:
        raise InputError(f"{kind.DESCRIPTOR.full_name}: {error}") from error
    return message


def _populate(message: Any, tree: Any, place: Place | None, name: str, depth: int) -> None:
    check_depth(depth)
    if not isinstance(tree, dict):
        raise Fault(f"expected a JSON object, found {shown(tree)}")
    nested, opened, plain = [], [], dict(tree)
    for field in message.DESCRIPTOR.fields:
        if field.name not in tree or field.containing_oneof is not None:
            continue
        if opens(message, field.name, place):
            opened.append((field, plain.pop(field.name)))
        elif _is_nested(field):
            nested.append((field, plain.pop(field.name)))
    protojson.populate(message, plain, depth)
    for field, value in nested:
        at(field.name, _populate_nested, message, field, value, place, depth)
    # What a byte field holds can depend on all the others.
    for field, value in opened:
        at(field.name, _populate_opened, message, field, value, place, name, depth)


def _is_nested(field: Any) -> bool:
    kind = field.message_type.fields_by_name["value"] if is_map(field) else field
    return kind.message_type is not None and kind.message_type.full_name != _TIMESTAMP


def _populate_nested(message: Any, field: Any, value: Any, place: Place | None, depth: int) -> None:
    def fill(one: Any, entry: Any, name: str) -> None:
        one.SetInParent()
        _populate(one, entry, inside(message, field.name, name, place), name, depth + 1)

    if value is not None:
        # The same field may have come under its other name.
        message.ClearField(field.name)
    target = getattr(message, field.name)
    if is_map(field):
        for key, entry in _expect(message, field, value, dict).items():
            at([key], fill, target[key], entry, key)
    elif field.is_repeated:
        for number, entry in enumerate(_expect(message, field, value, list)):
            at(number, fill, target.add(), entry, "")
    elif value is not None:
        fill(target, value, "")


def _populate_opened(
    message: Any, field: Any, value: Any, place: Place | None, name: str, depth: int
) -> None:
    def encode(tree: Any, entry: str) -> bytes:
        inner = opened_type(message, field.name, place, entry)()
        _populate(inner, tree, None, "", depth + 1)
        return inner.SerializeToString(deterministic=True)

    if is_map(field):
        message.ClearField(field.name)
        target = getattr(message, field.name)
        for key, tree in _expect(message, field, value, dict).items():
            target[key] = at([key], encode, tree, key)
    elif field.is_repeated:
        entries = _expect(message, field, value, list)
        encoded = [at(number, encode, tree, "") for number, tree in enumerate(entries)]
        message.ClearField(field.name)
        getattr(message, field.name).extend(encoded)
    elif value is not None:
        setattr(message, field.name, encode(value, name))


def _expect(message: Any, field: Any, value: Any, kind: type[_T]) -> _T:
    if not isinstance(value, kind):
        wanted = "a JSON object" if kind is dict else "a JSON array"
        raise Fault(
            f"{message.DESCRIPTOR.full_name}.{field.name}: expected {wanted}, found {shown(value)}"
        )
    return value
