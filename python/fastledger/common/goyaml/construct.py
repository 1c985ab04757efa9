# SPDX-License-Identifier: Apache-2.0
"""Puts nodes into typed fields, by the rules of go-yaml's ``constructor.go``."""

import dataclasses
from typing import Any, NoReturn, TypeVar

from fastledger.common.durations import Duration, parse_duration
from fastledger.common.errors import InputError
from fastledger.common.gonumbers import Width
from fastledger.common.goyaml import scalars
from fastledger.common.goyaml.expand import Expansion
from fastledger.common.goyaml.fields import Kind, fields_of
from fastledger.common.goyaml.nodes import Node
from fastledger.common.goyaml.values import value_of

T = TypeVar("T")

_NOTHING: Any = object()
"""A null for what cannot be nil: it leaves a field as it is, and a list without the entry."""

_TRUE = {"y", "Y", "yes", "Yes", "YES", "on", "On", "ON"}
_FALSE = {"n", "N", "no", "No", "NO", "off", "Off", "OFF"}
"""Words of YAML 1.1, which are truth values where one is asked for, quoted or not."""


def construct(node: Node | None, kind: type[T], name: str, *, null: bool) -> T:
    """Make a dataclass of a document.

    Args:
        node: The document; None leaves all fields as they are by default.
        kind: The dataclass.
        name: What errors call the document.
        null: Whether null may stand for the document.

    Raises:
        InputError: A value does not fit its field.
    """
    made = _NOTHING if node is None else _Construction(name).make(node, Kind(kind), "")
    if made is _NOTHING and node is not None and not null:
        raise InputError(f"{name}: line {node.line}: the document is null, it must be a mapping")
    return kind() if made is _NOTHING else made


class _Construction:
    def __init__(self, name: str) -> None:
        self._name = name
        self._expansion = Expansion(name)

    def make(self, node: Node, kind: Kind, path: str) -> Any:
        """Make a value; :data:`_NOTHING` where null stands and the kind knows none."""
        with self._expansion.entered(node) as meant:
            if kind.type is Any:
                return value_of(meant, self._name)
            if meant.kind == "mapping" and kind.is_struct:
                return self._struct(meant, kind, path)
            if meant.kind == "mapping" and kind.type is dict:
                return self._dict(meant, kind, path)
            if meant.kind == "sequence" and kind.type is tuple:
                return self._sequence(meant, kind, path)
            if meant.kind != "scalar":
                self._misfit(meant, kind, path)
            return self._scalar(meant, kind, path)

    def _struct(self, node: Node, kind: Kind, path: str) -> Any:
        fields = fields_of(kind.type)
        given: dict[str, Any] = {}
        seen = set()
        for key, value in self._expansion.pairs(node):
            name = self.make(key, _TEXT, path or "its keys")
            if name is _NOTHING or name in seen:
                continue
            seen.add(name)
            if name in fields:
                field, inner = fields[name]
                made = self.make(value, inner, f"{path}.{name}" if path else name)
                if made is not _NOTHING:
                    given[field] = made
        return dataclasses.replace(kind.type(), **given)

    def _dict(self, node: Node, kind: Kind, path: str) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, value in self._expansion.pairs(node):
            name = self.make(key, _TEXT, f"{path}, its keys")
            if name is not _NOTHING and name not in made:
                entry = self.make(value, kind.entry, f"{path}.{name}")
                made[name] = _zero(kind.entry) if entry is _NOTHING else entry
        return made

    def _sequence(self, node: Node, kind: Kind, path: str) -> tuple[Any, ...]:
        made = (self.make(one, kind.entry, f"{path}[{i}]") for i, one in enumerate(node.content))
        return tuple(one for one in made if one is not _NOTHING)

    def _scalar(self, node: Node, kind: Kind, path: str) -> Any:
        try:
            tag, value = scalars.resolve(node.value, node.tag)
        except scalars.Misfit as error:
            self._expansion.refuse(node, f"{path}: {error}")
        if value is None:
            if kind.optional:
                return None
            return kind.type() if kind.type in (tuple, dict) else _NOTHING
        made: Any = None
        if kind.type is str:
            made = value if tag == scalars.BINARY else node.value
        elif kind.type is bool:
            made = _truth(value)
        elif kind.type is Duration:
            made = _duration(value)
        elif kind.width is not None:
            made = _number(value, kind.width)
        if made is None:
            self._misfit(node, kind, path)
        return made

    def _misfit(self, node: Node, kind: Kind, path: str) -> NoReturn:
        found = {"mapping": "a mapping", "sequence": "a list"}.get(node.kind, repr(node.value))
        raise InputError(
            f"{self._name}: line {node.line}: {path or 'the document'}: "
            f"expected {_wanted(kind)}, found {found}"
        )


_TEXT = Kind(str)


def _truth(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    if value in _TRUE:
        return True
    return False if value in _FALSE else None


def _duration(value: Any) -> Duration | None:
    """Read a duration; of numbers only the whole 0 is one."""
    if not isinstance(value, str):
        return Duration(0) if type(value) is int and value == 0 else None
    try:
        return parse_duration(value)
    except ValueError:
        return None


def _zero(kind: Kind) -> Any:
    return {str: "", bool: False}.get(kind.type) if not kind.is_struct else kind.type()


def _number(value: Any, width: Width) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and not value.is_integer():
        return None
    return int(value) if width.holds(value) else None


def _wanted(kind: Kind) -> str:
    if kind.width is not None:
        return f"a whole number of {width_text(kind.width)}"
    if kind.is_struct:
        return "a mapping"
    names = {
        str: "text",
        bool: "true or false (or yes, no, on, off)",
        dict: "a mapping",
        Duration: "a duration such as 300ms, 30s or 1m30s",
    }
    return names.get(kind.type, "a list")


def width_text(width: Width) -> str:
    """Say what a number may be."""
    if width.signed:
        return f"{width.bits} bits"
    return f"{width.bits} bits that is not negative"
