# SPDX-License-Identifier: Apache-2.0
"""Messages out of plain JSON, as protobuf-go's protojson reads them.

Fields are called by their names in the proto file or in JSON; numbers may be text; bytes are base64
of either alphabet, padded or not; null leaves a field unset.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from fastledger.common import gojson
from fastledger.common.gojson import Base64Invalid, Number
from fastledger.tools.configtxlator.faults import Fault, at, check_depth
from fastledger.tools.configtxlator.opening import is_map

_INTS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1, "int32"),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1, "int64"),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1, "uint32"),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1, "uint64"),
    FieldDescriptor.CPPTYPE_ENUM: (-(2**31), 2**31 - 1, "enum"),
}
_FLOATS = {FieldDescriptor.CPPTYPE_FLOAT: 3.4028235677973366e38, FieldDescriptor.CPPTYPE_DOUBLE: 0}
"""What is too great for each; no number that is read is too great for a double."""

_NUMBER = re.compile(
    r"(?P<minus>-?)(?P<whole>0|[1-9][0-9]*)(?:\.(?P<part>[0-9]+))?(?:[eE](?P<power>[+-]?[0-9]+))?"
    r"(?![-+._a-zA-Z0-9])"
)
_MAX_DIGITS = 20
"""Of the greatest number of 64 bits."""

_NOT_FINITE = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_WELL_KNOWN = "google.protobuf."
_TIMESTAMP = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d?):(\d\d):(\d\d)(?:[.,](\d{1,9})\d*)?(?:Z|([+-])(\d\d):(\d\d))",
    re.ASCII,
)
_LONGEST_FRACTION = len(".999999999")


def populate(message: Any, tree: Any, depth: int = 0) -> None:
    """Set a message's fields.

    Args:
        message: An empty message.
        tree: A JSON object as :func:`fastledger.common.gojson.plain` has it, numbers as written.
        depth: How deep the message is nested already.

    Raises:
        InputError: The tree is not such a message's.
    """
    check_depth(depth)
    descriptor = message.DESCRIPTOR
    if descriptor.full_name.startswith(_WELL_KNOWN):
        _well_known(message, tree)
        return
    if not isinstance(tree, dict):
        raise Fault(f"expected a JSON object, found {shown(tree)}")
    fields, seen, chosen = _fields(descriptor), set(), set()
    for name, value in tree.items():
        field = fields.get(name)
        if field is None:
            raise Fault(f'{descriptor.full_name} has no field named "{name[:80]}"')
        if field.number in seen:
            raise Fault(f'duplicate field "{name}"')
        seen.add(field.number)
        if value is None:
            continue
        oneof = field.containing_oneof
        if oneof is not None:
            if oneof.name in chosen:
                raise Fault(f'"{name}": the oneof {oneof.full_name} is already set')
            chosen.add(oneof.name)
        at(name, _set, message, field, value, depth)


def shown(value: Any) -> str:
    """A value as errors quote it."""
    text = str(value) if isinstance(value, Number) else gojson.marshal(value)
    return text[:80]


@cache
def _fields(descriptor: Descriptor) -> dict[str, Any]:
    by_name: dict[str, Any] = {field.name: field for field in descriptor.fields}
    return by_name | {field.json_name: field for field in descriptor.fields}


def _set(message: Any, field: Any, value: Any, depth: int) -> None:
    if is_map(field):
        _fill_map(getattr(message, field.name), field, value, depth)
    elif field.is_repeated:
        _fill_list(getattr(message, field.name), field, value, depth)
    elif field.message_type is not None:
        target = getattr(message, field.name)
        target.SetInParent()
        populate(target, value, depth + 1)
    else:
        setattr(message, field.name, _scalar(field, value))


def _fill_list(target: Any, field: Any, value: Any, depth: int) -> None:
    if not isinstance(value, list):
        raise Fault(f"expected a JSON array, found {shown(value)}")
    for place, item in enumerate(value):
        if field.message_type is not None:
            at(place, populate, target.add(), item, depth + 1)
        else:
            target.append(at(place, _scalar, field, item))


def _fill_map(target: Any, field: Any, value: Any, depth: int) -> None:
    if not isinstance(value, dict):
        raise Fault(f"expected a JSON object, found {shown(value)}")
    kinds = field.message_type.fields_by_name
    for name, item in value.items():
        key = _map_key(kinds["key"], name)
        if kinds["value"].message_type is not None:
            target[key].SetInParent()
            at([name], populate, target[key], item, depth + 1)
        else:
            target[key] = at([name], _scalar, kinds["value"], item)


def _map_key(field: Any, name: str) -> Any:
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return name
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL and name in ("true", "false"):
        return name == "true"
    least, greatest, kind = _INTS.get(field.cpp_type, (0, 0, "bool"))
    if re.fullmatch(r"[+-]?[0-9]{1,20}", name) and least <= int(name) <= greatest:
        return int(name)
    raise Fault(f"{shown(name)} is no key of type {kind}")


def _scalar(field: Any, value: Any) -> Any:
    kind, found = _KINDS[field.cpp_type]
    read = found(field, value)
    if read is None:
        name = "bytes" if field.type == FieldDescriptor.TYPE_BYTES else kind
        raise Fault(f"invalid value for a field of type {name}: {shown(value)}")
    return read


def _bool(_: Any, value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _text(field: Any, value: Any) -> str | bytes | None:
    if not isinstance(value, str) or isinstance(value, Number):
        return None
    if field.type != FieldDescriptor.TYPE_BYTES:
        return value
    url = "-" in value or "_" in value
    try:
        return gojson.decode_base64(value, url=url, padded=len(value.encode()) % 4 == 0)
    except Base64Invalid:
        return None


def _int(field: Any, value: Any) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    digits = _whole(value) if isinstance(value, str) else None
    least, greatest, _ = _INTS[field.cpp_type]
    if digits is None or (least == 0 and digits.startswith("-")):
        return None
    number = int(digits)
    return number if least <= number <= greatest else None


def _enum(field: Any, value: Any) -> int | None:
    if isinstance(value, str) and not isinstance(value, Number):
        named = field.enum_type.values_by_name.get(value)
        return None if named is None else int(named.number)
    return _int(field, value)


def _float(field: Any, value: Any) -> float | None:
    if not isinstance(value, str):
        return None
    if value in _NOT_FINITE and not isinstance(value, Number):
        return _NOT_FINITE[value]
    if _NUMBER.match(value) is None:
        return None
    number = float(_NUMBER.match(value).group())  # type: ignore[union-attr]
    limit = _FLOATS[field.cpp_type] or float("inf")
    return number if abs(number) < limit else None


def _whole(text: str) -> str | None:
    """The digits of a whole number, which may be written with a fraction or an exponent."""
    found = _NUMBER.match(text)
    if found is None:
        return None
    whole, part = found["whole"].lstrip("0"), (found["part"] or "").rstrip("0")
    if not whole and not part:
        return "0"
    if len(found["power"] or "") > _MAX_DIGITS:
        return None
    power = int(found["power"] or 0)
    if power < 0:
        cut = len(whole) + power
        if part or cut < 0 or whole[cut:].strip("0"):
            return None
        digits = whole[:cut]
    else:
        if len(part) > power or len(whole) + power > _MAX_DIGITS:
            return None
        digits = whole + part + "0" * (power - len(part))
    return found["minus"] + digits if digits else None


_KINDS: dict[int, tuple[str, Callable[[Any, Any], Any]]] = {
    **{cpp_type: (name, _int) for cpp_type, (_, _, name) in _INTS.items()},
    FieldDescriptor.CPPTYPE_ENUM: ("enum", _enum),
    FieldDescriptor.CPPTYPE_BOOL: ("bool", _bool),
    FieldDescriptor.CPPTYPE_STRING: ("string", _text),
    FieldDescriptor.CPPTYPE_FLOAT: ("float", _float),
    FieldDescriptor.CPPTYPE_DOUBLE: ("double", _float),
}


def _well_known(message: Any, tree: Any) -> None:
    name = message.DESCRIPTOR.full_name
    if name == "google.protobuf.Timestamp":
        message.seconds, message.nanos = _timestamp(tree)
        return
    try:
        json_format.ParseDict(gojson.plain(tree), message)
    except (json_format.ParseError, ValueError, RecursionError) as error:
        raise Fault(f"invalid value for {name}: {error}") from error


def _timestamp(value: Any) -> tuple[int, int]:
    found = _TIMESTAMP.fullmatch(value) if isinstance(value, str) else None
    fraction = (found[7] or "") if found else ""
    if found is None or _too_precise(value):
        raise Fault(f"invalid value for google.protobuf.Timestamp: {shown(value)}")
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    ahead = timedelta(hours=int(found[9] or 0), minutes=int(found[10] or 0))
    try:
        local = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        moment = local + ahead if found[8] == "-" else local - ahead
    except (ValueError, OverflowError) as error:
        raise Fault(f"google.protobuf.Timestamp out of range: {shown(value)}") from error
    return int((moment - _EPOCH).total_seconds()), int(fraction.ljust(9, "0") or 0)


def _too_precise(value: str) -> bool:
    dot = value.rfind(".")
    zone = max(value.rfind(mark) for mark in "Z-+")
    return 0 <= dot <= zone and zone - dot > _LONGEST_FRACTION


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
