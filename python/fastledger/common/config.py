# SPDX-License-Identifier: Apache-2.0
"""``core.yaml`` and ``orderer.yaml``, read as Fabric's nodes and tools read them.

The file is ``$FABRIC_CFG_PATH/core.yaml`` (else that of the working folder, else that of
``/etc/hyperledger/fabric``, else fastledger's own sample). Keys are case-insensitive. The
environment overrides: ``peer.tls.enabled`` is ``CORE_PEER_TLS_ENABLED``, ``General.ListenPort`` is
``ORDERER_GENERAL_LISTENPORT``; an empty variable counts as unset for an orderer, and as empty for a
peer, as in Fabric 3.1. Values are converted for the type that is asked for as viper does it in
``core.yaml``, and as Fabric's ``viperutil`` does it in ``orderer.yaml``; but what cannot be
converted is an error, not zero. A relative path is relative to the file's folder.

What the keys are, :mod:`fastledger.common.settings` declares.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from fastledger.common import goyaml, mapstructure
from fastledger.common.durations import Duration, parse_duration
from fastledger.common.errors import ConfigInvalid, InputError
from fastledger.common.gonumbers import Width, format_float, parse_number
from fastledger.common.goyaml.fields import Kind

FOLDER = "FABRIC_CFG_PATH"
SYSTEM_FOLDER = Path("/etc/hyperledger/fabric")

_MISSING = object()

_READ_BY_VIPER = {"core"}
"""Files of which an empty variable overrides (``AllowEmptyEnv``), and ``'5'`` are nanoseconds.

``orderer.yaml`` is read by Fabric's own ``viperutil``, which does neither, nor takes a text apart.
"""

_POINTLESS = re.compile(r"\.0*$")
"""A part that adds nothing to a whole number."""

_INT = Width(64, signed=True)
_INT_LIMIT = 1 << 63

_TEXT, _FLAG, _WHOLE, _SECONDS = Kind(str), Kind(bool), Kind(int, _INT), Kind(Duration)
_SIZE, _TEXTS = Kind(int, Width(32)), Kind(list, of=Kind(str))


@dataclass(frozen=True, slots=True)
class Config:
    """A configuration file with the environment on top.

    Attributes:
        name: ``core`` or ``orderer``; in upper case the prefix of environment variables.
        file: The file it came from.
        values: Its content, keys in lower case.
        environ: The environment that overrides it.
    """

    name: str
    file: Path
    values: Mapping[str, Any]
    environ: Mapping[str, str]

    @property
    def folder(self) -> Path:
        """Where relative paths begin."""
        return self.file.parent

    def get(self, key: str) -> Any:
        """Return a value as it stands, None when it is not set; a section as a mapping."""
        override = self._override(key)
        if override is not None:
            return override
        value: Any = self.values
        for part in key.lower().split("."):
            value = value.get(part, _MISSING) if isinstance(value, Mapping) else _MISSING
        return None if value is _MISSING else value

    def is_set(self, key: str) -> bool:
        """Tell whether file or environment say something of a key."""
        return self.get(key) not in (None, "")

    def variable(self, key: str) -> str:
        """Return the environment variable that overrides a key."""
        return f"{self.name}_{key}".upper().replace(".", "_")

    def string(self, key: str, default: str = "") -> str:
        """Return a text; numbers and truth values as YAML would write them."""
        value = self.get(key)
        if value is None:
            return default
        made = viper_text(value) if self._by_viper else self._decoded(key, value, _TEXT)
        if made is None:
            raise self.invalid(key, value, "a text")
        return str(made)

    def boolean(self, key: str, default: bool = False) -> bool:
        """Return a truth value."""
        value = self.get(key)
        if value is None:
            return default
        made = self._decoded(key, value, _FLAG)
        if made is None:
            raise self.invalid(key, value, "true or false")
        return bool(made)

    def integer(self, key: str, default: int = 0) -> int:
        """Return a whole number."""
        value = self.get(key)
        if value is None or value == "":
            return default
        made = _viper_whole(value) if self._by_viper else self._decoded(key, value, _WHOLE)
        if made is None:
            raise self.invalid(key, value, "a whole number")
        return int(made)

    def duration(self, key: str, default_s: float = 0.0) -> float:
        """Return seconds; a bare number counts nanoseconds, as in Go."""
        value = self.get(key)
        if value is None or (value == "" and self._by_viper):
            return default_s
        made = _viper_duration(value) if self._by_viper else self._decoded(key, value, _SECONDS)
        if made is None or made < 0:
            raise self.invalid(key, value, "a duration such as 300ms, 30s or 1m30s")
        return float(made)

    def size(self, key: str, default_bytes: int = 0) -> int:
        """Return bytes of a size such as ``10 MB``; less than 4 GB."""
        value = self.get(key)
        if value is None or value == "":
            return default_bytes
        made = self._decoded(key, value, _SIZE)
        if made is None:
            raise self.invalid(key, value, "a size such as 512 KB or 99 MB")
        return int(made)

    def strings(self, key: str) -> list[str]:
        """Return a list of texts.

        The text ``[a, b]`` counts as a list, too; ``a b`` does in ``core.yaml``, but in
        ``orderer.yaml`` it is one path with a space in it.
        """
        value = self.get(key)
        if value is None or value == "":
            return []
        made = _viper_texts(value) if self._by_viper else self._decoded(key, value, _TEXTS)
        if made is None:
            raise self.invalid(key, value, "a list")
        return [str(entry) for entry in made if entry != ""]

    def path(self, key: str) -> Path | None:
        """Return a path, None when it is not set; a relative one begins at the file's folder."""
        text = self.string(key)
        return self.folder / text if text else None

    def paths(self, key: str) -> list[Path]:
        """Return a list of paths."""
        return [self.folder / text for text in self.strings(key)]

    def entries(self, key: str) -> list[Mapping[str, Any]]:
        """Return a list of mappings, as ``chaincode.externalBuilders`` is one; keys in lower case.

        The environment may hold it as YAML or JSON.
        """
        value = self.get(key)
        if isinstance(value, str):
            value = _parsed(value.encode(), f"the variable {self.variable(key)}")
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(e, Mapping) for e in value):
            raise self.invalid(key, value, "a list of mappings")
        return list(value)

    def invalid(self, key: str, value: object, wanted: str) -> ConfigInvalid:
        """Return the error that names a wrong value, and where it came from."""
        shown = "a mapping" if isinstance(value, Mapping) else repr(value)
        return ConfigInvalid(f"{self.place(key)}: {key} is {shown}, it must be {wanted}")

    def place(self, key: str) -> str:
        """Say where a key's value comes from: the file, or a variable."""
        return f"{self.file}" if self._override(key) is None else f"variable {self.variable(key)}"

    def leaves(self) -> Iterator[tuple[str, Any]]:
        """Yield the file's keys that hold no section, in lower case, and their values."""
        return leaves(self.values)

    @property
    def _by_viper(self) -> bool:
        return self.name in _READ_BY_VIPER

    def _override(self, key: str) -> str | None:
        override = self.environ.get(self.variable(key))
        return override if override or self._by_viper else None

    def _decoded(self, key: str, value: Any, kind: Kind) -> Any:
        """Convert as ``viperutil`` does; None if it cannot be."""
        try:
            return mapstructure.convert(value, kind, key)
        except InputError:
            return None


def load(name: str, folder: Path | None = None, environ: Mapping[str, str] | None = None) -> Config:
    """Read ``core`` or ``orderer`` configuration.

    Args:
        name: The file's name without ``.yaml``.
        folder: Look only there; without it where Fabric looks.
        environ: Overrides; without it the process's environment.

    Raises:
        ConfigInvalid: The file cannot be read, or is no YAML mapping.
    """
    environ = os.environ if environ is None else environ
    own = environ.get(FOLDER)
    if own and not folder and not Path(own).is_dir():
        raise ConfigInvalid(f"variable {FOLDER}: there is no folder {own}")
    file = _find(name, [folder] if folder else _folders(environ))
    if file is None:
        if folder:
            raise ConfigInvalid(f"{folder}: no {name}.yaml there")
        return Config(name, Path.cwd() / f"{name}.yaml", sample(name), environ)
    try:
        text = file.read_bytes()
    except OSError as error:
        raise ConfigInvalid(f"cannot read {file}: {error}") from error
    values = _parsed(text, str(file))
    if values is None:
        values = {}
    if not isinstance(values, Mapping):
        raise ConfigInvalid(f"{file}: no YAML mapping of keys to values")
    return Config(name, file.absolute(), values, environ)


def sample(name: str) -> dict[str, Any]:
    """Return the content of fastledger's own ``core.yaml`` or ``orderer.yaml``."""
    values: dict[str, Any] = _parsed(_sample_text(name), name)
    return values


def sample_keys(name: str) -> list[str]:
    """Return the keys of fastledger's own file as they are spelled there."""
    return [key for key, _ in leaves(goyaml.parse_value(_sample_text(name), name))]


def _sample_text(name: str) -> bytes:
    file = resources.files("fastledger.common") / "sampleconfig" / f"{name}.yaml"
    return file.read_bytes()


def _folders(environ: Mapping[str, str]) -> list[Path]:
    own = environ.get(FOLDER)
    return [*([Path(own)] if own else []), Path.cwd(), SYSTEM_FOLDER]


def _find(name: str, folders: list[Path]) -> Path | None:
    for folder in folders:
        for suffix in ("yaml", "yml"):
            file = folder / f"{name}.{suffix}"
            if file.is_file():
                return file
    return None


def _parsed(text: bytes, where: str) -> Any:
    try:
        return _lower(goyaml.parse_value(text, where))
    except InputError as error:
        raise ConfigInvalid(str(error)) from error


def leaves(values: Mapping[str, Any], base: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the keys of nested mappings, joined by dots, that hold no mapping of their own."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{base}{key}.")
        else:
            yield f"{base}{key}", value


def viper_text(value: Any) -> str | None:
    """Write a scalar as viper does, None if it is none."""
    if isinstance(value, Mapping | list):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return format_float(value)
    return "" if value is None else str(value)


def _viper_whole(value: Any) -> int | None:
    if isinstance(value, str):
        return parse_number(_POINTLESS.sub("", value), _INT)
    fits = isinstance(value, int | float) and value == value and abs(value) < _INT_LIMIT
    return int(value) if fits else None


def _viper_duration(value: Any) -> float | None:
    """Convert to seconds; bare numbers are nanoseconds, in a text, too."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Duration(int(value)) if abs(value) < _INT_LIMIT else None
    if not isinstance(value, str):
        return None
    has_unit = any(letter in value for letter in "nsuµmh")
    try:
        return parse_duration(value if has_unit else f"{value}ns")
    except ValueError:
        return None


def _viper_texts(value: Any) -> list[str] | None:
    if isinstance(value, list):
        return [viper_text(entry) or "" for entry in value]
    text = viper_text(value)
    if text is None:
        return None
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        return [entry.strip() for entry in text[1:-1].split(",")]
    return text.replace(",", " ").split()


def _lower(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key).lower(): _lower(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_lower(entry) for entry in value]
    return value
