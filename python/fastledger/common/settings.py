# SPDX-License-Identifier: Apache-2.0
"""The keys of a configuration file as fields of frozen dataclasses, read once when a node starts.

::

    @dataclass(frozen=True, slots=True)
    class Keepalive:
        interval_s: float = seconds("interval", 7200, "A silent client is pinged that often.")


    @dataclass(frozen=True, slots=True)
    class PeerConfig:
        keepalive: Keepalive = section("peer.keepalive", Keepalive)


    read(config.load("core"), PeerConfig).keepalive.interval_s

A field says its key, its default, what it does, and what is allowed. The documentation's table and
the warnings of what has no effect are made of the same declarations, see
:mod:`fastledger.common.catalogue`.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from fastledger.common.config import Config
from fastledger.common.durations import format_duration
from fastledger.common.errors import ConfigInvalid

T = TypeVar("T")

_ON = ("enable", "enabled", "true", "t", "1", "yes")
_OFF = ("disable", "disabled", "false", "f", "0", "no")
_SETTING, _SECTION = "setting", "section"


@dataclass(frozen=True, slots=True)
class Setting:
    """One key.

    Attributes:
        key: Within its section, as Fabric spells it.
        default: What it is when nobody says anything, as one would write it in the file.
        about: What it does, in a sentence.
        read: Takes the file and the whole key, gives the value.
    """

    key: str
    default: str
    about: str
    read: Callable[[Config, str], Any]


@dataclass(frozen=True, slots=True)
class _Section:
    key: str
    kind: type


def read(config: Config, kind: type[T], section: str = "") -> T:
    """Read what a dataclass declares.

    Args:
        config: The file and the environment.
        kind: A dataclass whose fields were declared with the functions below. Its
            ``__post_init__`` may raise ValueError, with a text that names the keys.
        section: Where its keys begin, such as ``General.TLS``.

    Raises:
        ConfigInvalid: A value is not what its key may have: says the file or variable, the key, the
            value, and what is allowed.
    """
    values: dict[str, Any] = {}
    for name, declared in _declared(kind):
        key = _joined(section, declared.key)
        if isinstance(declared, _Section):
            values[name] = read(config, declared.kind, key)
        else:
            values[name] = declared.read(config, key)
    try:
        return kind(**values)
    except ValueError as error:
        where = f"{config.file}: {section}" if section else f"{config.file}"
        raise ConfigInvalid(f"{where}: {error}") from error


def keys(kind: type, section: str = "") -> Iterator[tuple[str, Setting]]:
    """Yield the whole keys that a dataclass declares, and their settings."""
    for _, declared in _declared(kind):
        key = _joined(section, declared.key)
        if isinstance(declared, _Section):
            yield from keys(declared.kind, key)
        else:
            yield key, declared


def section(key: str, kind: type[T]) -> T:
    """Declare a field that is a dataclass of further settings."""
    return _field(_SECTION, _Section(key, kind), kind)


def text(key: str, default: str, about: str, *, one_of: Sequence[str] = ()) -> str:
    """Declare a text; ``one_of`` are all that it may be."""

    def take(config: Config, whole: str) -> str:
        value = config.string(whole) or default
        if one_of and value not in one_of:
            raise config.invalid(whole, value, _either(one_of))
        return value

    return _setting(key, default, about, take, default)


def flag(key: str, default: bool, about: str) -> bool:
    """Declare a truth value."""
    shown = "true" if default else "false"
    return _setting(
        key, shown, about, lambda config, whole: config.boolean(whole, default), default
    )


def switch(key: str, about: str) -> bool:
    """Declare what is ``enable`` by default and may be ``disable``."""

    def take(config: Config, whole: str) -> bool:
        value = (config.string(whole) or _ON[0]).strip().lower()
        if value not in _ON and value not in _OFF:
            raise config.invalid(whole, config.get(whole), f"{_ON[0]} or {_OFF[0]}")
        return value in _ON

    return _setting(key, _ON[0], about, take, True)


def whole(
    key: str,
    default: int,
    about: str,
    *,
    least: int | None = None,
    most: int | None = None,
    zero: bool = True,
) -> int:
    """Declare a whole number from ``least`` to ``most``; where ``zero`` is none, 0 says nothing."""

    def take(config: Config, whole_key: str) -> int:
        value = config.integer(whole_key, default)
        if not value and not zero:
            return default
        if least is not None and value < least:
            raise config.invalid(whole_key, config.get(whole_key), f"at least {least}")
        if most is not None and value > most:
            raise config.invalid(whole_key, config.get(whole_key), f"at most {most}")
        return value

    return _setting(key, str(default), about, take, default)


def fraction(key: str, default: float, about: str) -> float:
    """Declare a number from 0 to 1."""

    def take(config: Config, whole: str) -> float:
        given = config.string(whole)
        try:
            value = float(given) if given else default
        except ValueError:
            value = -1.0
        if not 0 <= value <= 1:
            raise config.invalid(whole, given, "a number from 0 to 1")
        return value

    return _setting(key, f"{default:g}", about, take, default)


def seconds(
    key: str, default_s: float, about: str, *, above: float | None = None, zero: bool = True
) -> float:
    """Declare a duration longer than ``above``; where ``zero`` is none, 0 says nothing."""

    def take(config: Config, whole: str) -> float:
        value_s = config.duration(whole, default_s)
        if not value_s and not zero:
            return default_s
        if above is not None and value_s <= above:
            raise config.invalid(whole, config.get(whole), f"more than {format_duration(above)}")
        return value_s

    return _setting(key, format_duration(default_s), about, take, default_s)


def size(key: str, default_bytes: int, about: str, *, zero: bool = True) -> int:
    """Declare a number of bytes, which may be ``10 MB``; where ``zero`` is none, 0 says nothing."""

    def take(config: Config, whole: str) -> int:
        value = config.size(whole, default_bytes)
        return value if value or zero else default_bytes

    return _setting(key, str(default_bytes), about, take, default_bytes)


def texts(key: str, about: str) -> tuple[str, ...]:
    """Declare a list of texts."""
    nothing: tuple[str, ...] = ()
    return _setting(key, "", about, lambda config, whole: tuple(config.strings(whole)), nothing)


def file(key: str, default: str, about: str) -> Path:
    """Declare a path that has a default; a relative one begins at the file's folder."""

    def take(config: Config, whole: str) -> Path:
        return config.path(whole) or config.folder / default

    return _setting(key, default, about, take, Path(default))


def optional_file(key: str, about: str) -> Path | None:
    """Declare a path that may be left out, then None."""
    nothing: Path | None = None
    return _setting(key, "", about, lambda config, whole: config.path(whole), nothing)


def files(key: str, about: str) -> tuple[Path, ...]:
    """Declare a list of paths."""
    nothing: tuple[Path, ...] = ()
    return _setting(key, "", about, lambda config, whole: tuple(config.paths(whole)), nothing)


def entries(key: str, kind: type[T], about: str) -> tuple[T, ...]:
    """Declare a list of mappings, each of which has the settings of a dataclass."""

    def take(config: Config, whole: str) -> tuple[T, ...]:
        found = enumerate(config.entries(whole))
        return tuple(_entry(config, entry, kind, f"{whole}[{number}]") for number, entry in found)

    nothing: tuple[T, ...] = ()
    return _setting(key, "", about, take, nothing)


def mapping(key: str, about: str) -> Mapping[str, str]:
    """Declare a mapping of texts, whose keys are the file's own."""

    def take(config: Config, whole: str) -> Mapping[str, str]:
        value = config.get(whole) or {}
        if not isinstance(value, Mapping):
            raise config.invalid(whole, value, "a mapping")
        return {name: config.string(f"{whole}.{name}") for name in value}

    return _setting(f"{key}.*", "", about, lambda config, whole: take(config, whole[:-2]), {})


def _entry(config: Config, entry: Mapping[str, Any], kind: type[T], place: str) -> T:
    """Read an entry as if it were the only one of its file; no variable overrides it."""
    known = {key.lower() for key, _ in keys(kind)}
    if unknown := [key for key in entry if key not in known]:
        raise ConfigInvalid(f"{config.file}: {place}: unknown key {unknown[0]}")
    values = entry
    for part in reversed(place.lower().split(".")):
        values = {part: values}
    return read(dataclasses.replace(config, values=values, environ={}), kind, place)


def _setting(key: str, shown: str, about: str, take: Callable[[Config, str], T], default: T) -> T:
    return _field(_SETTING, Setting(key, shown, about, take), lambda: default)


def _field(role: str, declared: object, make: Callable[[], T]) -> T:
    made: T = dataclasses.field(default_factory=make, metadata={role: declared})
    return made


def _declared(kind: type) -> Iterator[tuple[str, Setting | _Section]]:
    for each in dataclasses.fields(kind):
        for role in (_SETTING, _SECTION):
            if role in each.metadata:
                yield each.name, each.metadata[role]


def _joined(section: str, key: str) -> str:
    return ".".join(part for part in (section, key) if part)


def _either(allowed: Sequence[str]) -> str:
    return " or ".join(allowed) if len(allowed) < 3 else f"one of {', '.join(allowed)}"
