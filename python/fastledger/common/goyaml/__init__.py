# SPDX-License-Identifier: Apache-2.0
"""YAML as Go programs read it (``go.yaml.in/yaml``).

A document is composed into nodes, whose scalars keep their spelling until it is known what they are
for: ``PostalCode: 01234`` is text and ``Count: 010`` is eight. :func:`parse` puts a document into
typed fields; :func:`parse_value` reads one whose fields are not known yet, as viper does.
"""

from pathlib import Path
from typing import Any, TypeVar

from fastledger.common.goyaml.construct import construct
from fastledger.common.goyaml.fields import (
    Int,
    Int32,
    Pointer,
    Uint32,
    Uint64,
    key,
    refuse_nulls,
)
from fastledger.common.goyaml.nodes import Node, compose
from fastledger.common.goyaml.values import GoList, GoMap, value_of

__all__ = [
    "GoList",
    "GoMap",
    "Int",
    "Int32",
    "Node",
    "Pointer",
    "Uint32",
    "Uint64",
    "compose",
    "key",
    "load",
    "load_value",
    "parse",
    "parse_value",
    "refuse_nulls",
    "value_of",
]

T = TypeVar("T")


def parse(text: bytes, kind: type[T], name: str, *, null: bool = True) -> T:
    """Put the first document of a text into the fields of a dataclass (Go: ``yaml.Unmarshal``).

    Fields are declared with :func:`key`. Keys that no field has are passed over. A text without a
    document leaves every field as it is by default.

    Args:
        text: UTF-8, or UTF-16 with a byte order mark.
        kind: The dataclass.
        name: What errors call the text.
        null: Whether null may be the document, which then says nothing.

    Raises:
        InputError: It is no YAML, or a value does not fit its field.
    """
    return construct(compose(text, name), kind, name, null=null)


def parse_value(text: bytes, name: str) -> Any:
    """Read the first document of a text as it stands, None if there is none.

    Mappings come as :class:`GoMap`, lists as :class:`GoList`, times as
    :class:`~fastledger.common.goyaml.scalars.Time`; the rest as Python's own.

    Raises:
        InputError: It is no YAML.
    """
    node = compose(text, name)
    return None if node is None else value_of(node, name)


def load(path: Path, kind: type[T], *, null: bool = True) -> T:
    """Read a file with :func:`parse`.

    Raises:
        InputError: It is no YAML, or a value does not fit its field.
        OSError: It cannot be read.
    """
    return parse(path.read_bytes(), kind, str(path), null=null)


def load_value(path: Path) -> Any:
    """Read a file with :func:`parse_value`.

    Raises:
        InputError: It is no YAML.
        OSError: It cannot be read.
    """
    return parse_value(path.read_bytes(), str(path))
