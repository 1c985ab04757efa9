# SPDX-License-Identifier: Apache-2.0
"""Puts values into typed fields as leniently as viper does.

Go's programs use the library mapstructure with "weakly typed input" for it: keys match whatever
their case, ``"12"`` does for a number and ``12`` for text, a lone value does for a list of one, and
numbers are cut to the width of their field. Fabric's ``viperutil`` adds durations, sizes such as
``10 MB``, lists within a text, ``[a, b]``, and files that hold a text. A key that no field has is
an error, unless it is null.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from fastledger.common.durations import Duration, parse_duration
from fastledger.common.errors import InputError
from fastledger.common.gonumbers import Width, format_float, parse_number
from fastledger.common.goyaml import GoList, GoMap
from fastledger.common.goyaml.fields import Kind, fields_of
from fastledger.common.goyaml.scalars import Time

T = TypeVar("T")

_TRUE = {"1", "t", "T", "TRUE", "true", "True"}
_FALSE = {"0", "f", "F", "FALSE", "false", "False", ""}
_SIZE = re.compile(r"([0-9]+)[\t\n\f\r ]*([kmg])b?", re.IGNORECASE)
_SHIFT = {"k": 10, "m": 20, "g": 30}
_CERTIFICATE = re.compile(
    rb"^-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\s]*-----END CERTIFICATE-----\n?", re.MULTILINE
)
_UINT64 = 1 << 64
_BYTE = Kind(int, Width(8))


def decode(values: Mapping[str, Any], kind: type[T], name: str) -> T:
    """Make a dataclass whose fields were declared with :func:`~fastledger.common.goyaml.key`.

    Args:
        values: What was read; see :func:`fastledger.common.viperutil.overridden`.
        kind: The dataclass.
        name: What errors call the file.

    Raises:
        InputError: A value does not fit its field, or there is no field for it.
    """
    made: T = _Decoding(name).struct(values, Kind(kind), "", name)
    return made


def convert(value: Any, kind: Kind, name: str) -> Any:
    """Return one value as a field of a kind would hold it; None for null.

    Raises:
        InputError: It does not fit.
    """
    return _Decoding(name).value(value, kind, name, name)


class _Decoding:
    def __init__(self, name: str) -> None:
        self._name = name

    def value(self, value: Any, kind: Kind, path: str, place: str) -> Any:
        """Return a value for a field; None leaves it as it is."""
        if value is None:
            return None
        value = self._hooked(value, kind, path, place)
        if kind.is_struct:
            return self.struct(value, kind, path, place)
        if kind.type is list:
            return self._list(value, kind, path, place)
        if kind.type is dict:
            return self._dict(value, kind, path, place)
        if kind.type is bytes:
            return self._bytes(value, path, place)
        made = _scalar(value, kind)
        if made is None:
            self._misfit(value, kind, path, place)
        return made

    def struct(self, value: Any, kind: Kind, path: str, place: str) -> Any:
        if not isinstance(value, Mapping):
            self._misfit(value, kind, path, place)
        made = kind.type()
        unused = dict(value)
        for key, (field, inner) in fields_of(kind.type).items():
            spelled = _find(unused, key)
            if spelled is None:
                continue
            given = self.value(
                unused.pop(spelled), inner, f"{path}.{key}" if path else key, _place(value, spelled)
            )
            if given is not None:
                setattr(made, field, given)
        if unused:
            places = ", ".join(f"{key} ({_place(value, key)})" for key in unused)
            self._refuse(place, f"'{path}' has invalid keys: {places}")
        return made

    def _list(self, value: Any, kind: Kind, path: str, place: str) -> Any:
        if isinstance(value, Mapping) and not value:
            value = []
        values = value if isinstance(value, list) else [value]
        places = value.places if isinstance(value, GoList) else [place] * len(values)
        made = (
            self.value(one, kind.entry, f"{path}[{i}]", places[i]) for i, one in enumerate(values)
        )
        return [_zero(kind.entry) if one is None else one for one in made]

    def _dict(self, value: Any, kind: Kind, path: str, place: str) -> dict[str, Any]:
        made: dict[str, Any] = {}
        if isinstance(value, list):
            for one in value:
                made |= self.value(one, kind, path, place) or {}
            return made
        if not isinstance(value, Mapping):
            self._misfit(value, kind, path, place)
        for key, entry in value.items():
            name = "" if key is None else as_text(key)
            where = _place(value, key)
            if name is None:
                self._refuse(where, f"{path}: the key {key} is no text")
            given = self.value(entry, kind.entry, f"{path}.{name}", where)
            made[name] = _zero(kind.entry) if given is None else given
        return made

    def _bytes(self, value: Any, path: str, place: str) -> bytes:
        if isinstance(value, str):
            return value.encode()
        values = value if isinstance(value, list) else [value]
        return bytes(self.value(one, _BYTE, path, place) or 0 for one in values)

    def _hooked(self, value: Any, kind: Kind, path: str, place: str) -> Any:
        """Apply Fabric's own rules."""
        if isinstance(value, Mapping) and kind.type in (str, list, bytes):
            return self._from_file(value, kind, path, place)
        if isinstance(value, Time) and (kind.is_struct or kind.type is dict):
            # To Go a time is a structure, though one without a field that can be seen.
            return GoMap()
        if not isinstance(value, str):
            return value
        if kind.type is Duration:
            try:
                return parse_duration(value).nanoseconds
            except ValueError as error:
                self._refuse(place, f"{path}: {error}")
        if len(value) > 1 and value[0] == "[" and value[-1] == "]":
            return [one.strip() for one in value[1:-1].split(",")]
        if kind.width == Width(32) and (match := _SIZE.fullmatch(value)):
            number = parse_number(match[1], Width(64))
            if number is not None:
                size = (number << _SHIFT[match[2].lower()]) % _UINT64
                if size >> 32:
                    self._refuse(place, f"{path}: value '{value}' overflows uint32")
                return size
        return value

    def _from_file(self, value: Mapping[Any, Any], kind: Kind, path: str, place: str) -> Any:
        """Read the file that ``{File: PATH}`` names: a text, or a list of certificates."""
        spelled = next((key for key in ("File", "file") if key in value), None)
        file = None if spelled is None else value[spelled]
        if spelled is None or (kind.type is not str and not isinstance(file, str)):
            return value
        if not isinstance(file, str) or not (file or kind.type is str):
            self._refuse(place, f"{path}: Value of File: was nil")
        try:
            content = Path(file).read_bytes()
        except (OSError, ValueError) as error:
            self._refuse(place, f"{path}: open {file}: {error}")
        if kind.type is str:
            return content.decode("utf-8", "replace")
        return [block.decode() for block in _CERTIFICATE.findall(content)]

    def _misfit(self, value: Any, kind: Kind, path: str, place: str) -> NoReturn:
        shown = "a mapping" if isinstance(value, Mapping) else repr(value)
        shown = "a list" if isinstance(value, list) else shown
        self._refuse(place, f"{path}: expected {_wanted(kind)}, found {shown}")

    def _refuse(self, place: str, problem: str) -> NoReturn:
        where = place if place.startswith(("variable", self._name)) else f"{self._name}: {place}"
        raise InputError(f"{where}: {problem}")


def _find(values: Mapping[Any, Any], key: str) -> str | None:
    """Find a key however its case."""
    if key in values:
        return key
    folded = key.casefold()
    texts = (one for one in values if isinstance(one, str))
    return next((one for one in texts if one.casefold() == folded), None)


def _place(value: Mapping[Any, Any], key: Any) -> str:
    return value.places.get(key, "") if isinstance(value, GoMap) else ""


def _zero(kind: Kind) -> Any:
    """Return what stands for nothing in a list or a mapping."""
    if kind.optional:
        return None
    return kind.type() if kind.is_struct else {str: "", bool: False}.get(kind.type, 0)


def _scalar(value: Any, kind: Kind) -> Any:
    """Convert to text, a truth value, a number or a duration; None if that cannot be."""
    if kind.type is str:
        return as_text(value)
    if kind.type is bool:
        return as_bool(value)
    if kind.type is Duration:
        number = _as_number(value, Width(64, signed=True))
        return None if number is None else Duration(number)
    return None if kind.width is None else _as_number(value, kind.width)


def as_text(value: Any) -> str | None:
    """Return a scalar as text, None if it cannot be."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        return format_float(value)
    return str(value) if isinstance(value, str | int) else None


def as_bool(value: Any) -> bool | None:
    """Return a scalar as a truth value, None if it cannot be."""
    if isinstance(value, int | float):
        return bool(value)
    if isinstance(value, str):
        return True if value in _TRUE else False if value in _FALSE else None
    return None


def _as_number(value: Any, width: Width) -> int | None:
    if isinstance(value, str):
        return parse_number(value or "0", width)
    if isinstance(value, float):
        return width.cut(_truncated(value, width))
    return width.cut(int(value)) if isinstance(value, int) else None


def _truncated(value: float, width: Width) -> int:
    """Convert as x86 processors do, whose answer to what does not fit is the least number."""
    least = 1 << 63
    above = least if width.signed else _UINT64
    return int(value) if -least <= value < above else least


def _wanted(kind: Kind) -> str:
    if kind.is_struct or kind.type is dict:
        return "a mapping"
    if kind.width is not None:
        return f"a whole number of {kind.width.bits} bits"
    names: dict[Any, str] = {
        str: "text",
        bool: "true or false",
        Duration: "a duration such as 300ms, 30s or 1m30s",
        list: "a list",
        bytes: "text",
    }
    return names[kind.type]
