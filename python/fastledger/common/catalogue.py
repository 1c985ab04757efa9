# SPDX-License-Identifier: Apache-2.0
"""Every key that a configuration file may have: followed, or without effect and why, or unknown.

A setting that nobody follows must not pass for one that is followed. So whatever a file or the
environment sets is compared, when a node starts, with the settings that its dataclasses declare
and with Fabric's other keys, each of which has its reason here for having no effect.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastledger.common.config import Config, leaves, sample, sample_keys, viper_text
from fastledger.common.durations import parse_duration
from fastledger.common.errors import ConfigInvalid
from fastledger.common.settings import keys

_ALIKE = 0.75
"""How alike two keys are, from 0 to 1, for one to be taken for a misspelling of the other."""


@dataclass(frozen=True, slots=True)
class Unheeded:
    """A key of Fabric's that has no effect here, or one that ends in ``.*`` for all below it.

    Attributes:
        why: The reason, as the end of a sentence.
        idle: Values that ask for nothing, beside those of the sample file and none at all.
        refused: Whether other values must not be ignored, since safety hangs on them.
    """

    why: str
    idle: tuple[object, ...] = ()
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What one kind of file may have.

    Attributes:
        name: ``core`` or ``orderer``.
        settings: The dataclasses whose settings are followed.
        unheeded: Fabric's other keys.
        guarded: Sections in which an unknown key is an error; ``""`` for the whole file.
        variables: Environment variables with the file's prefix that are for somebody else.
    """

    name: str
    settings: Sequence[type]
    unheeded: Mapping[str, Unheeded]
    guarded: Sequence[str] = ()
    variables: Sequence[str] = ()

    def followed(self) -> list[str]:
        """Return the keys that have an effect, as Fabric spells them."""
        return [key for kind in self.settings for key, _ in keys(kind)]

    def check(self, config: Config, dormant: Mapping[str, Unheeded] | None = None) -> list[str]:
        """Return a warning for each key that is set in vain, by name, never with its value.

        Args:
            config: The file and the environment.
            dormant: Keys that have an effect in general, but not with this configuration.

        Raises:
            ConfigInvalid: What is set must not be ignored.
        """
        unheeded = {**self.unheeded, **(dormant or {})}
        found = _Inspection(
            config,
            {key.lower(): each for key, each in unheeded.items()},
            {key.lower(): key for key in (*self.unheeded, *self.followed())},
            dict(leaves(sample(self.name))),
            {key.lower(): key for key in sample_keys(self.name)},
        )
        return [*found.of_file(self.guarded), *found.of_environment(self.variables)]


@dataclass(frozen=True, slots=True)
class _Inspection:
    """What one file and its environment are compared with; all keys are in lower case.

    Attributes:
        config: The file and the environment.
        unheeded: Keys without effect.
        known: All keys, and how they are spelled.
        idle: What the sample's keys are set to: who leaves it so asks for nothing.
        sample: How they are spelled.
    """

    config: Config
    unheeded: Mapping[str, Unheeded]
    known: Mapping[str, str]
    idle: Mapping[str, Any]
    sample: Mapping[str, str]

    def of_file(self, guarded: Sequence[str]) -> Iterator[str]:
        told = set()
        for key, value in self.config.leaves():
            if _entry(key, self.known) is not None:
                if not self._is_overridden(key):
                    yield from self._in_vain(key, value)
                continue
            part = _unknown_part(key, self.known)
            if value is None or part in told:
                continue
            told.add(part)
            if any(part.startswith(guard) for guard in guarded):
                meant = _meant(part, self.known)
                raise ConfigInvalid(f"{self.config.file}: unknown key {part}{meant}")
            yield f"unknown setting {part} is ignored{_meant(part, self.known)}"

    def of_environment(self, foreign: Sequence[str]) -> Iterator[str]:
        config, known = self.config, self.known
        keys_of = {config.variable(key): key for key in known if not key.endswith(".*")}
        keys_of |= {config.variable(key): key for key, _ in config.leaves() if _entry(key, known)}
        prefix = f"{config.name.upper()}_"
        for variable in sorted(config.environ):
            if not variable.startswith(prefix) or variable in foreign:
                continue
            key = keys_of.get(variable) or _below_open(variable, config, known)
            if key is not None:
                if self._is_overridden(key):
                    yield from self._in_vain(key, config.get(key))
            elif not any(each.startswith(f"{variable}_") for each in keys_of):
                close = difflib.get_close_matches(variable, keys_of, 1, _ALIKE)
                meant = f"; did you mean {close[0]}?" if close else ""
                yield f"unknown setting {variable} is ignored{meant}"

    def _is_overridden(self, key: str) -> bool:
        return self.config.place(key) != f"{self.config.file}"

    def _in_vain(self, key: str, value: Any) -> Iterator[str]:
        entry = _entry(key, self.known)
        if entry is None or entry not in self.unheeded:
            return
        unheeded = self.unheeded[entry]
        if _asks_nothing(value, (self.idle.get(key), *unheeded.idle)):
            return
        section = self.known[entry].removesuffix("*")
        name = self.sample.get(key) or section + key[len(section) :]
        if unheeded.refused:
            place = self.config.place(key)
            raise ConfigInvalid(f"{place}: {name} is not supported: {unheeded.why}")
        where = f" ({self.config.variable(key)})" if self._is_overridden(key) else ""
        yield f"{name}{where} has no effect: {unheeded.why}"


def _entry(key: str, known: Mapping[str, Any]) -> str | None:
    """Find a key, or the open section that it is in."""
    if key in known:
        return key
    parts = key.split(".")
    sections = (".".join([*parts[:end], "*"]) for end in range(len(parts), 0, -1))
    return next((each for each in sections if each in known), None)


def _below_open(variable: str, config: Config, known: Mapping[str, str]) -> str | None:
    """Return the open section that a variable reaches into."""
    opened = (key.removesuffix("*") for key in known if key.endswith(".*"))
    for section in opened:
        prefix = config.variable(section)
        if variable.startswith(prefix) and len(variable) > len(prefix):
            return section + variable[len(prefix) :].lower()
    return None


def _unknown_part(key: str, known: Mapping[str, str]) -> str:
    """Return the key up to the first part that no known key has."""
    parts = key.split(".")
    for end in range(1, len(parts)):
        part = ".".join(parts[:end])
        if not any(each.startswith(f"{part}.") for each in known):
            return part
    return key


def _meant(part: str, known: Mapping[str, str]) -> str:
    depth = part.count(".") + 1
    names = {".".join(key.split(".")[:depth]): key for key in known if not key.endswith(".*")}
    close = difflib.get_close_matches(part, names, 1, _ALIKE)
    if not close:
        return ""
    return f"; did you mean {'.'.join(known[names[close[0]]].split('.')[:depth])}?"


def _asks_nothing(value: Any, idle: Sequence[object]) -> bool:
    return value in (None, "", [], {}) or any(_same(value, one) for one in idle)


def _same(value: Any, other: object) -> bool:
    if isinstance(value, Mapping | list) or isinstance(other, Mapping | list):
        return bool(value == other)
    one, two = (viper_text(each) or "" for each in (value, other))
    if one.lower() == two.lower():
        return True
    try:
        return parse_duration(one) == parse_duration(two)
    except ValueError:
        return False
