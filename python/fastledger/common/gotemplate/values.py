# SPDX-License-Identifier: Apache-2.0
"""What a template computes with.

Texts are Go's, sequences of bytes; here they are Python's, with bytes that are no UTF-8 as lone
surrogates. None is a value that is not there, as nil is.
"""

from dataclasses import dataclass


class TemplateError(Exception):
    """A template is wrong, or cannot be carried out."""


class Byte(int):
    """One byte of a text (Go: ``uint8``)."""


@dataclass(frozen=True)
class Struct:
    """The data.

    Attributes:
        name: Its type's in Go, without the package.
        fields: Its fields by name, in their order.
    """

    name: str
    fields: dict[str, str | int]


Value = str | int | float | bool | Struct | None


def encoded(text: str) -> bytes:
    """Return a text's bytes."""
    return text.encode("utf-8", "surrogateescape")


def decoded(content: bytes) -> str:
    """Return the text of bytes."""
    return content.decode("utf-8", "surrogateescape")


def type_name(value: Value) -> str:
    """Say what Go calls the type of a value."""
    if isinstance(value, Struct):
        return f"main.{value.name}"
    names = {bool: "bool", int: "int", Byte: "uint8", float: "float64", str: "string"}
    return "<nil>" if value is None else names[type(value)]


def is_true(value: Value) -> bool:
    """Tell whether a value is not the zero of its type."""
    return isinstance(value, Struct) or bool(value)
