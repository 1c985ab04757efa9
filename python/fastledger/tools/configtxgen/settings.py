# SPDX-License-Identifier: Apache-2.0
"""Reads mappings into dataclasses, as leniently as Fabric's viper does.

Keys match whatever their case, ``12`` does for text and ``"12"`` for a number, a lone value does
for a list of one. A key that no field has is an error: the setting would be ignored.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar

from fastledger.common.durations import parse_duration, parse_size
from fastledger.common.errors import InputError

T = TypeVar("T")
Reader = Callable[[Any, str], T]
"""Reads a value; the text says where it stands."""


def setting(key: str, read: Reader[T], default: Callable[[], T]) -> Any:
    """Declare a dataclass field that is read from a key."""
    return dataclasses.field(default_factory=default, metadata={"key": key, "read": read})


def text(value: Any, where: str) -> str:
    """Read text."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, str | int | float):
        return str(value)
    raise _wrong(where, "text", value)


def number(value: Any, where: str) -> int:
    """Read a whole number that is not negative; ``0x10`` and ``0o17`` are known."""
    try:
        read = int(value, 0) if isinstance(value, str) else value
    except ValueError:
        read = None
    if not isinstance(read, int) or read < 0:
        raise _wrong(where, "a whole number", value)
    return int(read)


def size(value: Any, where: str) -> int:
    """Read a number of bytes, such as ``512 KB``."""
    if isinstance(value, str):
        try:
            value = parse_size(value)
        except ValueError as error:
            raise InputError(f"{where}: {error}") from error
    read = number(value, where)
    if read >= 1 << 32:
        raise InputError(f"{where}: value '{value}' overflows uint32")
    return read


def flag(value: Any, where: str) -> bool:
    """Read a truth value."""
    if isinstance(value, bool | int):
        return bool(value)
    known = {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False, "": False}
    if isinstance(value, str) and value.lower() in known:
        return known[value.lower()]
    raise _wrong(where, "true or false", value)


def duration(value: Any, where: str) -> float:
    """Read seconds from a text such as ``2s``, or from a number of nanoseconds."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value / 1e9
    if not isinstance(value, str):
        raise _wrong(where, "a duration such as 2s", value)
    try:
        return parse_duration(value)
    except ValueError as error:
        raise InputError(f"{where}: {error}") from error


def listed(read: Reader[T]) -> Reader[list[T]]:
    """Make a reader of lists; ``"[a, b]"`` in the environment is one too."""

    def read_list(value: Any, where: str) -> list[T]:
        if isinstance(value, str):
            inner = value[1:-1].split(",") if value[:1] == "[" and value[-1:] == "]" else [value]
            value = [item.strip() for item in inner] if value else []
        values = value if isinstance(value, list) else [value]
        return [read(item, f"{where}[{index}]") for index, item in enumerate(values)]

    return read_list


def mapped(read: Reader[T]) -> Reader[dict[str, T]]:
    """Make a reader of mappings whose keys are free."""

    def read_mapping(value: Any, where: str) -> dict[str, T]:
        if not isinstance(value, dict):
            raise _wrong(where, "a mapping", value)
        return {str(key): read(item, f"{where}.{key}") for key, item in value.items()}

    return read_mapping


def section(kind: Callable[[], T]) -> Reader[T]:
    """Make a reader of a dataclass whose fields were declared with :func:`setting`."""

    def read_section(value: Any, where: str) -> T:
        result = kind()
        if value is None:
            return result
        if not isinstance(value, dict):
            raise _wrong(where, "a mapping", value)
        fields = {field.metadata["key"].lower(): field for field in dataclasses.fields(result)}  # type: ignore[arg-type]  # every kind is a dataclass
        unknown = [str(key) for key in value if str(key).lower() not in fields]
        if unknown:
            raise InputError(f"'{where}' has invalid keys: {', '.join(sorted(unknown))}")
        for key, item in value.items():
            if item is not None:
                field = fields[str(key).lower()]
                setattr(result, field.name, field.metadata["read"](item, f"{where}.{key}"))
        return result

    return read_section


def _wrong(where: str, wanted: str, value: Any) -> InputError:
    return InputError(f"{where}: expected {wanted}, found {value!r}")
