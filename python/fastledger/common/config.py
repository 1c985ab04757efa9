# SPDX-License-Identifier: Apache-2.0
"""``core.yaml`` and ``orderer.yaml``, read as Fabric's nodes and tools read them.

The file is ``$FABRIC_CFG_PATH/core.yaml`` (else that of the working folder, else that of
``/etc/hyperledger/fabric``, else fastledger's own sample). Keys are case-insensitive. The
environment overrides: ``peer.tls.enabled`` is ``CORE_PEER_TLS_ENABLED``, ``General.ListenPort`` is
``ORDERER_GENERAL_LISTENPORT``; an empty variable counts as unset. A relative path is relative to
the file's folder.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from fastledger.common.durations import parse_duration, parse_size
from fastledger.common.errors import ConfigInvalid

FOLDER = "FABRIC_CFG_PATH"
SYSTEM_FOLDER = Path("/etc/hyperledger/fabric")

_TRUE = {"1", "t", "T", "TRUE", "true", "True"}
_FALSE = {"0", "f", "F", "FALSE", "false", "False"}
_MISSING = object()


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
        override = self.environ.get(self.variable(key))
        if override:
            return override
        value: Any = self.values
        for part in key.lower().split("."):
            value = value.get(part, _MISSING) if isinstance(value, Mapping) else _MISSING
        return None if value is _MISSING else value

    def variable(self, key: str) -> str:
        """Return the environment variable that overrides a key."""
        return f"{self.name}_{key}".upper().replace(".", "_")

    def string(self, key: str, default: str = "") -> str:
        """Return a text; numbers and truth values as YAML would write them."""
        value = self.get(key)
        if value is None:
            return default
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, Mapping | list):
            raise self.invalid(key, value, "a text")
        return str(value)

    def boolean(self, key: str, default: bool = False) -> bool:
        """Return a truth value."""
        value = self.get(key)
        if value is None or value == "":
            return default
        if isinstance(value, bool):
            return value
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
        try:
            return int(value)
        except (TypeError, ValueError):
            raise self.invalid(key, value, "a whole number") from None

    def duration(self, key: str, default_s: float = 0.0) -> float:
        """Return seconds; a bare number counts nanoseconds, as in Go."""
        value = self.get(key)
        if value is None or value == "":
            return default_s
        try:
            number = isinstance(value, int | float) and not isinstance(value, bool)
            duration_s = value / 1e9 if number else parse_duration(str(value))
        except ValueError:
            duration_s = -1.0
        if duration_s < 0:
            raise self.invalid(key, value, "a duration such as 300ms, 30s or 1m30s")
        return float(duration_s)

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
        """Return a list of texts; ``[a, b]`` and ``a b`` in a variable count as lists, too."""
        value = self.get(key)
        if value is None or value == "":
            return []
        if isinstance(value, list):
            return [str(entry) for entry in value]
        if isinstance(value, Mapping):
            raise self.invalid(key, value, "a list")
        text = str(value).strip()
        if text.startswith("[") and text.endswith("]"):
            return [entry.strip() for entry in text[1:-1].split(",") if entry.strip()]
        return text.replace(",", " ").split()

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
            value = _lower(_parse_yaml(value, f"the variable {self.variable(key)}"))
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(e, Mapping) for e in value):
            raise self.invalid(key, value, "a list of mappings")
        return list(value)

    def invalid(self, key: str, value: object, wanted: str) -> ConfigInvalid:
        """Return the error that names a wrong value, and where it came from."""
        variable = self.variable(key)
        where = f"variable {variable}" if self.environ.get(variable) else f"{self.file}"
        return ConfigInvalid(f"{where}: {key} is {value!r}, it must be {wanted}")

    def unknown(self) -> list[str]:
        """Return the keys, of file and environment, that Fabric's own file does not know.

        Of a section that is unknown as a whole only its name.
        """
        known = _lower(_parse_yaml(_sample(self.name), self.name))
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
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigInvalid(f"cannot read {file}: {error}") from error
    values = _lower(_parse_yaml(text, str(file)))
    if not isinstance(values, Mapping):
        raise ConfigInvalid(f"{file}: no YAML mapping of keys to values")
    return Config(name, file.absolute(), values, environ)


def sample(name: str) -> dict[str, Any]:
    """Return the content of fastledger's own ``core.yaml`` or ``orderer.yaml``."""
    values: dict[str, Any] = _lower(_parse_yaml(_sample(name), name))
    return values


def _sample(name: str) -> str:
    return (resources.files("fastledger.common") / "sampleconfig" / f"{name}.yaml").read_text()


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


def _parse_yaml(text: str, where: str) -> Any:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.load(text, Loader=loader)  # noqa: S506 - both loaders are the safe one
    except yaml.YAMLError as error:
        raise ConfigInvalid(f"{where}: no YAML: {' '.join(str(error).split())}") from error


def _lower(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key).lower(): _lower(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_lower(entry) for entry in value]
    return value


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
