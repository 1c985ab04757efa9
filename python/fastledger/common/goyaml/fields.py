# SPDX-License-Identifier: Apache-2.0
"""How dataclasses say what the fields of a Go program's structure are."""

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, overload

from fastledger.common.errors import InputError
from fastledger.common.gonumbers import Width

T = TypeVar("T")


Int = Annotated[int, Width(64, signed=True)]
"""Go's ``int``."""

Int32 = Annotated[int, Width(32, signed=True)]
Uint32 = Annotated[int, Width(32)]
Uint64 = Annotated[int, Width(64)]


class Pointer:
    """Marks what null in a list or a mapping leaves as None; see :func:`refuse_nulls`.

    Fabric's tools take such a file as long as they do not come to the entry.
    """


@overload
def key(name: str, default: type[T]) -> T: ...
@overload
def key(name: str, default: T) -> T: ...
def key(name: str, default: Any) -> Any:
    """Declare a field by its key in the file.

    Args:
        name: The key.
        default: The value where the file has none, or a type that makes it.
    """
    if isinstance(default, type):
        return dataclasses.field(default_factory=default, metadata={"key": name})
    return dataclasses.field(default=default, metadata={"key": name})


@dataclass(frozen=True, slots=True)
class Kind:
    """An annotation taken apart.

    Attributes:
        type: ``str``, ``bool``, ``int``, ``float``, ``bytes``, ``tuple``, ``dict``, or a dataclass.
        width: Of an ``int``.
        of: What a ``tuple`` or a ``dict`` holds.
        optional: Whether it may be None, as a pointer may be nil.
    """

    type: Any
    width: Width | None = None
    of: "Kind | None" = None
    optional: bool = False

    @property
    def entry(self) -> "Kind":
        """What it holds."""
        if self.of is None:
            raise AssertionError(f"a {self.type} does not say what it holds")
        return self.of

    @property
    def is_struct(self) -> bool:
        """Whether it has fields."""
        return dataclasses.is_dataclass(self.type)


def refuse_nulls(value: Any, path: str) -> None:
    """Refuse a structure that has null in a list or a mapping somewhere.

    Raises:
        InputError: It has.
    """
    if value is None:
        raise InputError(f"{path}: the entry is null")
    if isinstance(value, dict):
        for name, entry in value.items():
            refuse_nulls(entry, f"{path}.{name}")
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            refuse_nulls(entry, f"{path}[{index}]")
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for name, (field, _) in fields_of(type(value)).items():
            if (entry := getattr(value, field)) is not None:
                refuse_nulls(entry, f"{path}.{name}")


@functools.cache
def fields_of(kind: type) -> Mapping[str, tuple[str, Kind]]:
    """Return a dataclass's fields by their keys: each one's name and kind."""
    hints = typing.get_type_hints(kind, include_extras=True)
    return {
        field.metadata["key"]: (field.name, kind_of(hints[field.name]))
        for field in dataclasses.fields(kind)
        if "key" in field.metadata
    }


def kind_of(hint: Any) -> Kind:
    """Take an annotation apart."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        width = next((one for one in arguments[1:] if isinstance(one, Width)), None)
        inner = kind_of(arguments[0])
        return dataclasses.replace(inner, width=width, optional=Pointer in arguments)
    if origin in (typing.Union, types.UnionType):
        (other,) = (one for one in arguments if one is not type(None))
        return dataclasses.replace(kind_of(other), optional=True)
    if origin in (tuple, list):
        return Kind(origin, of=kind_of(arguments[0]))
    if origin is dict:
        return Kind(dict, of=kind_of(arguments[1]))
    return Kind(hint)
