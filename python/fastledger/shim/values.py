# SPDX-License-Identifier: Apache-2.0
"""Arguments and results of typed contracts, by type hint.

Text and bytes travel as they are; everything else is JSON. JSON goes out with sorted keys and no
blanks, so that every endorser answers the same bytes.
"""

import dataclasses
import json
import types
import typing
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from fastledger.shim.interface import unicode

_MAX_DEPTH = 32
"""How deep a value may be nested."""


class WrongValue(ValueError):
    """A value is not of the type that the method asks for."""


def decode(argument: bytes, hint: Any) -> Any:
    """Read an argument.

    Raises:
        WrongValue: It is not of the type.

    Example:
        >>> decode(b"300", int), decode(b"blue", str), decode(b'["a"]', list[str])
        (300, 'blue', ['a'])
    """
    if hint is bytes:
        return argument
    try:
        text = argument.decode()
    except UnicodeDecodeError as error:
        raise WrongValue("is no UTF-8 text") from error
    if hint is str or hint is Any:
        return text
    if not isinstance(hint, type) and _is_optional_text(hint):
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WrongValue(f"{_short(text)} is no {name_of(hint)}") from error
    return check(value, hint)


def encode(result: Any) -> bytes:
    """Write a result.

    Example:
        >>> encode({"b": 1, "a": True}), encode("text"), encode(None)
        (b'{"a":true,"b":1}', b'text', b'')
    """
    if result is None:
        return b""
    if isinstance(result, bytes):
        return result
    if isinstance(result, str):
        return unicode(result).encode()
    return unicode(to_json(result)).encode()


def to_json(value: Any) -> str:
    """Write a value as JSON, the same for every endorser; dataclasses become objects."""
    return _JSON.encode(value)


def check(value: Any, hint: Any, depth: int = 0) -> Any:
    """See that a JSON value is of a type; objects become dataclasses where the type says so.

    Raises:
        WrongValue: It is not.
    """
    if depth > _MAX_DEPTH:
        raise WrongValue(f"is nested more than {_MAX_DEPTH} deep")
    if hint is Any or hint is object:
        return value
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return _union(value, hint, depth)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _dataclass(value, hint, depth)
    container = _CONTAINERS.get(origin or hint)
    if container is not None:
        return container(value, hint, depth)
    return _scalar(value, hint)


def name_of(hint: Any) -> str:
    """A type as people write it."""
    return hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint)


def _default(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: getattr(value, name) for name in _field_names(type(value))}
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


_JSON = json.JSONEncoder(
    default=_default,
    sort_keys=True,
    separators=(",", ":"),
    ensure_ascii=False,
    allow_nan=False,
)


@lru_cache(maxsize=256)
def _field_names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


def _is_optional_text(hint: Any) -> bool:
    return set(typing.get_args(hint)) == {str, type(None)}


def _scalar(value: Any, hint: Any) -> Any:
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    right = isinstance(hint, type) and isinstance(value, hint)
    if not right or (isinstance(value, bool) and hint is not bool):
        raise WrongValue(f"{_short(json.dumps(value))} is no {name_of(hint)}")
    return value


def _union(value: Any, hint: Any, depth: int) -> Any:
    if value is None and type(None) in typing.get_args(hint):
        return None
    for option in typing.get_args(hint):
        try:
            return check(value, option, depth + 1)
        except WrongValue:
            continue
    raise WrongValue(f"{_short(json.dumps(value))} is no {name_of(hint)}")


def _list(value: Any, hint: Any, depth: int) -> list[Any]:
    if not isinstance(value, list):
        raise WrongValue(f"{_short(json.dumps(value))} is no {name_of(hint)}")
    (of,) = typing.get_args(hint) or (Any,)
    return [check(item, of, depth + 1) for item in value]


def _dict(value: Any, hint: Any, depth: int) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise WrongValue(f"{_short(json.dumps(value))} is no {name_of(hint)}")
    _, of = typing.get_args(hint) or (str, Any)
    return {key: check(item, of, depth + 1) for key, item in value.items()}


def _dataclass(value: Any, hint: type, depth: int) -> Any:
    if not isinstance(value, dict):
        raise WrongValue(f"{_short(json.dumps(value))} is no {hint.__name__}")
    hints = typing.get_type_hints(hint)
    fields = {field.name: field for field in dataclasses.fields(hint)}
    unknown = sorted(value.keys() - fields.keys())
    if unknown:
        raise WrongValue(f"{hint.__name__} has no {', '.join(unknown)}")
    parts = {}
    for name, item in value.items():
        try:
            parts[name] = check(item, hints[name], depth + 1)
        except WrongValue as error:
            raise WrongValue(f"{name}: {error}") from error
    try:
        return hint(**parts)
    except TypeError as error:
        raise WrongValue(f"{hint.__name__}: {error}") from error


_CONTAINERS: dict[Any, Callable[[Any, Any, int], Any]] = {list: _list, dict: _dict}


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
