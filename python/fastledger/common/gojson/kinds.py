# SPDX-License-Identifier: Apache-2.0
"""Go's types and how each takes a value of JSON.

A value is decoded into what was there before: null leaves text and numbers as they were, an object
changes the fields that it names, and so a key that comes twice counts both times.
"""

import types
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, is_dataclass, replace
from functools import cache
from typing import Annotated, Any, Never, Union, get_args, get_origin, get_type_hints

from fastledger.common.gojson.base64 import Base64Invalid, decode_base64
from fastledger.common.gojson.scanner import JsonInvalid, Number, Object
from fastledger.common.gojson.trees import plain


@dataclass(frozen=True, slots=True)
class Key:
    """The key of a field in JSON, where it is not called as the attribute is."""

    name: str


@dataclass(frozen=True, slots=True)
class Custom:
    """A field whose type reads itself, null too: Go's ``UnmarshalJSON``."""

    read: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Size:
    name: str
    least: int
    greatest: int


Int32 = Annotated[int, _Size("int32", -(2**31), 2**31 - 1)]
Int64 = Annotated[int, _Size("int64", -(2**63), 2**63 - 1)]
UInt64 = Annotated[int, _Size("uint64", 0, 2**64 - 1)]
_BYTE = _Size("uint8", 0, 2**8 - 1)


@dataclass(frozen=True, slots=True)
class _Place:
    """Which field of which struct is read, for what is said of it."""

    struct: str = ""
    fields: tuple[str, ...] = ()

    def refuse(self, found: str, wanted: str) -> Never:
        where = "value"
        if self.fields:
            where = f"struct field {self.struct}.{'.'.join(self.fields)}"
        raise JsonInvalid(f"json: cannot unmarshal {found} into Go {where} of type {wanted}")


class Kind(ABC):
    """A type; each kind says its name in Go, its zero value, and what it makes of a tree."""

    name: str

    def zero(self) -> Any:
        """What a field is that nobody has named."""
        return None

    def decode(self, tree: Any) -> Any:
        """Read a tree.

        Raises:
            JsonInvalid: It is of another type.
        """
        return self.into(self.zero(), tree, _Place())

    @abstractmethod
    def into(self, before: Any, tree: Any, place: _Place) -> Any:
        """Read a tree over what was there before."""


class _Text(Kind):
    name = "string"

    def zero(self) -> str:
        return ""

    def into(self, before: Any, tree: Any, place: _Place) -> Any:
        if tree is None:
            return before
        if isinstance(tree, str) and not isinstance(tree, Number):
            return tree
        return place.refuse(_said(tree), self.name)


class _Bool(Kind):
    name = "bool"

    def zero(self) -> bool:
        return False

    def into(self, before: Any, tree: Any, place: _Place) -> Any:
        if tree is None:
            return before
        return tree if isinstance(tree, bool) else place.refuse(_said(tree), self.name)


class _Int(Kind):
    def __init__(self, size: _Size) -> None:
        self.name = size.name
        self._size = size

    def zero(self) -> int:
        return 0

    def into(self, before: Any, tree: Any, place: _Place) -> Any:
        if tree is None:
            return before
        if not isinstance(tree, Number):
            return place.refuse(_said(tree), self.name)
        # Longer ones are out of every range, and Python takes long over them.
        if not tree.removeprefix("-").isdigit() or len(tree) > _LONGEST_INT:
            return place.refuse(_number(tree), self.name)
        value = int(tree)
        unsigned_minus = self._size.least == 0 and tree.startswith("-")
        if unsigned_minus or not self._size.least <= value <= self._size.greatest:
            return place.refuse(_number(tree), self.name)
        return value


_LONGEST_INT = 20
_SHOWN_DIGITS = 64
"""Of a wrong number, in errors."""


class _Bytes(Kind):
    name = "[]uint8"

    def zero(self) -> bytes:
        return b""

    def into(self, before: Any, tree: Any, place: _Place) -> Any:
        if tree is None:
            return b""
        if isinstance(tree, list) and not isinstance(tree, Object):
            return bytes(_List(_Int(_BYTE)).into(list(before), tree, place))
        if not isinstance(tree, str) or isinstance(tree, Number):
            return place.refuse(_said(tree), self.name)
        try:
            return decode_base64(tree)
        except Base64Invalid as error:
            raise JsonInvalid(str(error)) from error


class _List(Kind):
    def __init__(self, item: Kind) -> None:
        self.name = f"[]{item.name}"
        self._item = item

    def zero(self) -> list[Any]:
        return []

    def into(self, before: Any, tree: Any, place: _Place) -> Any:
        if tree is None:
            return []
        if not isinstance(tree, list) or isinstance(tree, Object):
            return place.refuse(_said(tree), self.name)
        return [
            self._item.into(before[at] if at < len(before) else self._item.zero(), item, place)
            for at, item in enumerate(tree)
        ]


class _Map(Kind):
    def __init__(self, item: Kind) -> None:
        self.name = f"map[string]{item.name}"
        self._item = item

    def zero(self) -> dict[str, Any]:
        return {}

    def into(self, before: Any, tree: Any, place: _Place) -> Any:
        if tree is None:
            return {}
        if not isinstance(tree, Object):
            return place.refuse(_said(tree), self.name)
        return before | {key: self._item.into(self._item.zero(), item, place) for key, item in tree}


class _Pointer(Kind):
    def __init__(self, target: Kind) -> None:
        self.name = f"*{target.name}"
        self._target = target

    def into(self, before: Any, tree: Any, place: _Place) -> Any:
        if tree is None:
            return None
        return self._target.into(self._target.zero() if before is None else before, tree, place)


class _Any(Kind):
    name = "interface {}"

    def into(self, before: Any, tree: Any, place: _Place) -> Any:  # noqa: ARG002
        return plain(tree, lambda number: _float(number, place))


class _Custom(Kind):
    def __init__(self, custom: Custom) -> None:
        self.name = "custom"
        self._custom = custom

    def into(self, before: Any, tree: Any, place: _Place) -> Any:  # noqa: ARG002
        return self._custom.read(plain(tree, lambda number: _float(number, place)))


class _Struct(Kind):
    def __init__(self, kind: type[Any]) -> None:
        self._type = kind
        hints = get_type_hints(kind, include_extras=True)
        self._fields: dict[str, tuple[str, str, Kind]] = {}
        for attribute, hint in hints.items():
            key = next((k.name for k in _extras(hint) if isinstance(k, Key)), attribute)
            self._fields[_folded(key)] = (key, attribute, kind_of(hint))
        # A struct without a name is called by its fields.
        inner = "; ".join(f"{key} {field.name}" for key, _, field in self._fields.values())
        self.name = getattr(kind, "GO", "") or f"struct {{ {inner} }}"
        self._short = getattr(kind, "GO", "").rpartition(".")[2]

    def zero(self) -> Any:
        return self._type()

    def into(self, before: Any, tree: Any, place: _Place) -> Any:
        if tree is None:
            return before
        if not isinstance(tree, Object):
            return place.refuse(_said(tree), self.name)
        changed: dict[str, Any] = {}
        for key, item in tree:
            found = self._fields.get(_folded(key))
            if found is not None:
                name, attribute, kind = found
                old = changed[attribute] if attribute in changed else getattr(before, attribute)
                inside = _Place(self._short, (*place.fields, name))
                changed[attribute] = kind.into(old, item, inside)
        return replace(before, **changed)


def _folded(key: str) -> str:
    """A key by which letter cases are alike, for keys that are ASCII: two others fold to it."""
    return key.replace("\u017f", "s").replace("\u212a", "k").lower()


def _float(number: Number, place: _Place) -> float:
    value = float(number)
    if value in (float("inf"), float("-inf")):
        place.refuse(_number(number), "float64")
    return value


def _number(number: Number) -> str:
    cut = len(number) > _SHOWN_DIGITS
    return f"number {number[:_SHOWN_DIGITS]}{'…' if cut else ''}"


def _said(tree: Any) -> str:
    if isinstance(tree, Object):
        return "object"
    if isinstance(tree, list):
        return "array"
    if isinstance(tree, Number):
        return "number"
    return "bool" if isinstance(tree, bool) else "string"


def _extras(hint: Any) -> tuple[Any, ...]:
    return get_args(hint)[1:] if get_origin(hint) is Annotated else ()


def _kind_of(hint: Any) -> Kind:
    """The kind of an annotation."""
    for extra in _extras(hint):
        if isinstance(extra, Custom):
            return _Custom(extra)
        if isinstance(extra, _Size):
            return _Int(extra)
    bare = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    return _SIMPLE[bare]() if bare in _SIMPLE else _composed(bare)


_SIMPLE: dict[Any, type[Kind]] = {str: _Text, bool: _Bool, bytes: _Bytes, Any: _Any}


def _composed(hint: Any) -> Kind:
    origin, inner = get_origin(hint), get_args(hint)
    if origin is list:
        return _List(kind_of(inner[0]))
    if origin is dict:
        return _Map(kind_of(inner[1]))
    if origin in (Union, types.UnionType):
        (target,) = (one for one in inner if one is not type(None))
        return _Pointer(kind_of(target))
    if isinstance(hint, type) and is_dataclass(hint):
        return _Struct(hint)
    raise TypeError(f"{hint} is no type that JSON is read into")


kind_of: Callable[[Any], Kind] = cache(_kind_of)
