# SPDX-License-Identifier: Apache-2.0
"""Configuration files into typed fields, with the environment on top (Fabric: ``viperutil``)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from fastledger.common import goyaml, mapstructure
from fastledger.common.errors import InputError
from fastledger.common.goyaml import GoMap, scalars
from fastledger.common.goyaml.fields import Kind, fields_of

T = TypeVar("T")


def load(path: Path, kind: type[T], prefix: str, environ: Mapping[str, str]) -> T:
    """Read a file exactly (Fabric: ``EnhancedExactUnmarshal``).

    Args:
        path: The file.
        kind: A dataclass whose fields were declared with :func:`~fastledger.common.goyaml.key`.
        prefix: Of the environment's variables, in upper case: ``CONFIGTX``.
        environ: Variables override the keys that the file has, and the fields of ``kind`` itself
            and of the structures right in it; empty ones do not. Nothing in a list is overridden.

    Raises:
        InputError: It is no YAML, a value does not fit its field, or a key has no field.
        OSError: It cannot be read.
    """
    name = str(path)
    node = goyaml.compose(path.read_bytes(), name)
    if node is None:
        raise InputError(f"{name}: EOF: there is no YAML document in it")
    values = GoMap() if node.meant_tag == scalars.NULL else goyaml.value_of(node, name)
    if not isinstance(values, GoMap):
        raise InputError(f"{name}: line {node.line}: the document must be a mapping")
    return mapstructure.decode(overridden(values, prefix, environ, Kind(kind), name), kind, name)


def overridden(
    values: GoMap, prefix: str, environ: Mapping[str, str], kind: Kind | None, name: str
) -> GoMap:
    """Put the environment's values in place of the file's, and leave out what is null."""
    result = GoMap()
    for key, (value, inner) in _with_fields(values, kind, name).items():
        variable = f"{prefix}_{key}".upper().replace(".", "_")
        result.places[key] = values.places.get(key, "")
        if override := environ.get(variable):
            value, result.places[key] = override, f"variable {variable}"
        elif value is None and (override := environ.get(f"{variable}_FILE")):
            value = GoMap()
            value["File"], result.places[key] = override, f"variable {variable}_FILE"
            result[key] = value
            continue
        if isinstance(value, GoMap):
            result[key] = overridden(value, variable, environ, inner, name)
        elif value is not None:
            result[key] = value
    return result


def _with_fields(values: GoMap, kind: Kind | None, name: str) -> dict[str, tuple[Any, Kind | None]]:
    """Pair values with the kinds of their fields, where they are known."""
    found: dict[str, tuple[Any, Kind | None]] = {}
    for key, value in values.items():
        if not isinstance(key, str):
            raise InputError(f"{name}: {values.places[key]}: the key {key!r} is no text")
        found[key] = (value, None)
    # Go finds the fields of a structure, but not those of one that a pointer leads to.
    if kind is None or not kind.is_struct or kind.optional:
        return found
    folded = {key.casefold(): key for key in found}
    for field, (_, inner) in fields_of(kind.type).items():
        spelled = folded.get(field.casefold(), field)
        found[spelled] = (found[spelled][0] if spelled in found else None, inner)
    return found
