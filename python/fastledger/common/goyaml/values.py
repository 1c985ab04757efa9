# SPDX-License-Identifier: Apache-2.0
"""Nodes as values whose fields are not known yet (Go: ``any``)."""

from collections.abc import Collection
from typing import Any

from fastledger.common.goyaml import scalars
from fastledger.common.goyaml.expand import Expansion
from fastledger.common.goyaml.nodes import Node


class GoMap(dict[Any, Any]):
    """A mapping.

    Attributes:
        places: Where each key's value stands: ``line 7``.
        any_keys: Whether a key is not text, so that Go has a ``map[any]any`` of it.
    """

    def __init__(self, *, any_keys: bool = False) -> None:
        """Begin without keys."""
        super().__init__()
        self.places: dict[Any, str] = {}
        self.any_keys = any_keys


class GoList(list[Any]):
    """A list.

    Attributes:
        places: Where each entry stands.
    """

    def __init__(self) -> None:
        """Begin without entries."""
        super().__init__()
        self.places: list[str] = []


def value_of(node: Node, name: str) -> Any:
    """Return a document as a value; of its own keys all are text, however they are spelled.

    Raises:
        InputError: A key is no scalar or stands twice, or a tag does not fit.
    """
    return _Valuation(name).document(node)


class _Valuation:
    def __init__(self, name: str) -> None:
        self._expansion = Expansion(name)

    def document(self, node: Node) -> Any:
        return self._mapping(node, {}) if node.kind == "mapping" else self._value(node)

    def _value(self, node: Node) -> Any:
        if node.kind == "scalar":
            self._expansion.count(node)
            return self._scalar(node)
        with self._expansion.entered(node) as meant:
            if meant.kind == "mapping":
                tags = {key.meant_tag for key in meant.content[::2]}
                return self._mapping(meant, tags - {scalars.STR, scalars.MERGE})
            if meant.kind == "sequence":
                return self._sequence(meant)
            return self._scalar(meant)

    def _mapping(self, node: Node, other_tags: Collection[str]) -> GoMap:
        result = GoMap(any_keys=bool(other_tags))
        for key_node, value_node in self._expansion.pairs(node):
            key = self._key(key_node, result.any_keys)
            if key not in result and (result.any_keys or key is not None):
                result[key] = self._value(value_node)
                result.places[key] = f"line {value_node.line}"
        return result

    def _key(self, node: Node, is_any: bool) -> Any:
        with self._expansion.entered(node) as meant:
            if meant.kind != "scalar":
                self._expansion.refuse(node, f"a {meant.kind} cannot be a key")
            value = self._scalar(meant)
            return value if is_any or value is None else meant.value

    def _sequence(self, node: Node) -> GoList:
        result = GoList()
        for entry in node.content:
            result.append(self._value(entry))
            result.places.append(f"line {entry.line}")
        return result

    def _scalar(self, node: Node) -> Any:
        try:
            return scalars.resolve(node.value, node.tag)[1]
        except scalars.Misfit as error:
            self._expansion.refuse(node, str(error))
