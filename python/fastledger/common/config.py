# SPDX-License-Identifier: Apache-2.0
"""``core.yaml`` and ``orderer.yaml``, read as Fabric's nodes and tools read them.

The file is ``$FABRIC_CFG_PATH/core.yaml`` (else that of the working folder, else that of
``/etc/hyperledger/fabric``, else fastledger's own sample). Keys are case-insensitive. The
environment overrides: ``peer.tls.enabled`` is ``CORE_PEER_TLS_ENABLED``, ``General.ListenPort`` is
``ORDERER_GENERAL_LISTENPORT``; an empty variable counts as unset for an orderer, and as empty for a
peer, as in Fabric 3.1. Values are converted as viper does it for the type that is asked for, but
what cannot be converted is an error, not zero. A relative path is relative to the file's folder.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from fastledger.common import goyaml
from fastledger.common.durations import Duration, parse_duration, parse_size
from fastledger.common.errors import ConfigInvalid, InputError
from fastledger.common.gonumbers import Width, format_float, parse_number
from fastledger.common.goyaml.scalars import Time

FOLDER = "FABRIC_CFG_PATH"
SYSTEM_FOLDER = Path("/etc/hyperledger/fabric")

_TRUE = {"1", "t", "T", "TRUE", "true", "True"}
_FALSE = {"0", "f", "F", "FALSE", "false", "False"}
_MISSING = object()

_READ_BY_VIPER = {"core"}
"""Files of which an empty variable overrides (``AllowEmptyEnv``), and ``'5'`` are nanoseconds.

``orderer.yaml`` is read by Fabric's own ``viperutil``, which does neither, nor takes a text apart.
"""

_POINTLESS = re.compile(r"\.0*$")
"""A part that adds nothing to a whole number."""

_INT = Width(64, signed=True)
_INT_LIMIT = 1 << 63


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

    def _override(self, key: str) -> str | None:
        override = self.environ.get(self.variable(key))
        return override if override or self.name in _READ_BY_VIPER else None

    def variable(self, key: str) -> str:
        """Return the environment variable that overrides a key."""
        return f"{self.name}_{key}".upper().replace(".", "_")

    def string(self, key: str, default: str = "") -> str:
        """Return a text; numbers and truth values as YAML would write them."""
        value = self.get(key)
        if value is None:
            return default
        if isinstance(value, Mapping | list):
            raise self.invalid(key, value, "a text")
        return _text(value)

    def boolean(self, key: str, default: bool = False) -> bool:
        """Return a truth value."""
        value = self.get(key)
        if value is None:
            return default
        if isinstance(value, int | float):
            return bool(value)
        if value == "":
            return False
        if str(value) in _TRUE:
            return True
        if str(value) in _FALSE:
            return False
        raise self.invalid(key, value, "true or false")

    def integer(self, key: str, default: int = 0) -> int:
        """Return a whole number."""
        value = self.get(key)
        if value is None or value == "":
            return default
        number = None
        if isinstance(value, str):
            number = parse_number(_POINTLESS.sub("", value), _INT)
        elif isinstance(value, int | float) and value == value and abs(value) < _INT_LIMIT:
            number = int(value)
        if number is None:
            raise self.invalid(key, value, "a whole number")
        return number

    def duration(self, key: str, default_s: float = 0.0) -> float:
        """Return seconds; a bare number counts nanoseconds, as in Go."""
        value = self.get(key)
        if value is None or value == "":
            return default_s
        duration_s = _duration(value, "ns" if self.name in _READ_BY_VIPER else "")
        if duration_s is None or duration_s < 0:
            raise self.invalid(key, value, "a duration such as 300ms, 30s or 1m30s")
        return duration_s

    def size(self, key: str, default_bytes: int = 0) -> int:
        """Return bytes of a size such as ``10 MB``."""
        value = self.get(key)
        if value is None or value == "":
            return default_bytes
        try:
            return parse_size(str(value))
        except ValueError:
            raise self.invalid(key, value, "a size such as 512 KB or 99 MB") from None

    def strings(self, key: str) -> list[str]:
        """Return a list of texts.

        The text ``[a, b]`` counts as a list, too; ``a b`` does in ``core.yaml``, but in
        ``orderer.yaml`` it is one path with a space in it.
        """
        value = self.get(key)
        if value is None or value == "":
            return []
        if isinstance(value, list):
            return [_text(entry) for entry in value]
        if isinstance(value, Mapping):
            raise self.invalid(key, value, "a list")
        text = _text(value).strip()
        if text.startswith("[") and text.endswith("]"):
            return [entry.strip() for entry in text[1:-1].split(",") if entry.strip()]
        return text.replace(",", " ").split() if self.name in _READ_BY_VIPER else [text]

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
        variable = self.variable(key)
        where = f"{self.file}" if self._override(key) is None else f"variable {variable}"
        return ConfigInvalid(f"{where}: {key} is {value!r}, it must be {wanted}")

    def unknown(self) -> list[str]:
        """Return the keys, of file and environment, that Fabric's own file does not know.

        Of a section that is unknown as a whole only its name.
        """
        known = sample(self.name)
        names = {self.variable(key) for key, _ in _walk(known)}
        unknown = (_unknown_part(key, known) for key, _ in _walk(self.values))
        in_file = list(dict.fromkeys(key for key in unknown if key))
        prefix = f"{self.name.upper()}_"
        in_environment = [
            variable
            for variable in sorted(self.environ)
            if variable.startswith(prefix)
            and variable not in names
            and not any(name.startswith(f"{variable}_") for name in names)
            and not _under_open_section(variable, known, self.name)
        ]
        return in_file + in_environment


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
    file = resources.files("fastledger.common") / "sampleconfig" / f"{name}.yaml"
    values: dict[str, Any] = _parsed(file.read_bytes(), name)
    return values


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


def _text(value: Any) -> str:
    """Write a scalar as viper does."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return format_float(value)
    return "" if value is None else str(value)


def _duration(value: Any, unit: str) -> float | None:
    """Convert to seconds, None if it cannot be: bare numbers are nanoseconds.

    In a text they have the unit given, which may be none.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Duration(int(value)) if abs(value) < _INT_LIMIT else None
    if not isinstance(value, str):
        return None
    has_unit = any(letter in value for letter in "nsuµmh")
    try:
        return parse_duration(value if has_unit else value + unit)
    except ValueError:
        return None


def _lower(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key).lower(): _lower(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_lower(entry) for entry in value]
    return str(value) if isinstance(value, Time) else value


def _walk(values: Mapping[str, Any], base: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _walk(value, f"{base}{key}.")
        else:
            yield f"{base}{key}", value


def _unknown_part(key: str, known: Any) -> str:
    """Return the key up to the part that the sample does not have; empty when it has it all.

    A section that the sample leaves open (no value, or a list) has everything.
    """
    parts = key.split(".")
    for place, part in enumerate(parts, 1):
        if not isinstance(known, Mapping) or not known:
            return ""
        if part not in known:
            return ".".join(parts[:place])
        known = known[part]
    return ""


def _under_open_section(variable: str, known: Mapping[str, Any], name: str) -> bool:
    return any(
        not value and variable.startswith(f"{name}_{key}_".upper().replace(".", "_"))
        for key, value in _walk(known)
    )
