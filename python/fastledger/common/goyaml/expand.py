# SPDX-License-Identifier: Apache-2.0
"""Mappings with what they merge in, and the bounds on aliases (go-yaml's ``constructor.go``)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from fastledger.common.errors import InputError
from fastledger.common.goyaml import scalars
from fastledger.common.goyaml.nodes import MAX_DEPTH, Node

FEW_ALIASED = 100
FEW_NODES = 1000
"""Until that many nodes are read, and so many of them through aliases, there is no bound."""

SMALL, LARGE = 400_000, 4_000_000
"""Of so many nodes 99 and 10 percent may come from aliases; between them the share falls evenly."""


class Expansion:
    """Follows aliases and merges, and counts."""

    def __init__(self, name: str) -> None:
        """Begin with nothing read; errors call the document by the name."""
        self._name = name
        self._nodes = 0
        self._aliased = 0
        self._depth = 0
        self._open: list[Node] = []

    def count(self, node: Node) -> None:
        """Count a node that is read."""
        self._nodes += 1
        self._aliased += bool(self._open)
        share = self._aliased / self._nodes
        if self._aliased > FEW_ALIASED and self._nodes > FEW_NODES and share > self._allowed():
            self.refuse(node, "document contains excessive aliasing")

    @contextmanager
    def entered(self, node: Node) -> Iterator[Node]:
        """Count a node that is read, and stand for it where it is an alias."""
        self.count(node)
        if any(one is node for one in self._open):
            self.refuse(node, f"anchor '{node.value}' value contains itself")
        if self._depth > MAX_DEPTH:
            self.refuse(node, f"it nests deeper than {MAX_DEPTH} collections")
        self._depth += 1
        if node.kind == "alias":
            self._open.append(node)
            yield node.content[0]
            self._open.pop()
        else:
            yield node
        self._depth -= 1

    def _allowed(self) -> float:
        part = min(max(self._nodes - SMALL, 0) / (LARGE - SMALL), 1.0)
        return 0.99 - 0.89 * part

    def pairs(self, node: Node) -> Iterator[tuple[Node, Node]]:
        """Yield a mapping's keys and values: its own, then those that it merges in."""
        self._check_unique(node)
        merged = None
        for key, value in _own(node):
            if key.kind == "scalar" and key.tag == scalars.MERGE:
                merged = value
            else:
                yield key, value
        if merged is not None:
            for one in self._mappings(merged):
                yield from self.pairs(one)

    def _mappings(self, merged: Node) -> Iterator[Node]:
        for entry in merged.content if merged.kind == "sequence" else [merged]:
            with self.entered(entry) as meant:
                if meant.kind != "mapping":
                    self.refuse(entry, "map merge requires map or sequence of maps as the value")
                yield meant

    def _check_unique(self, node: Node) -> None:
        seen: dict[tuple[str, str], int] = {}
        for key, _ in _own(node):
            first = seen.get((key.kind, key.value))
            if first is not None:
                self.refuse(key, f'mapping key "{key.value}" already defined at line {first}')
            seen[key.kind, key.value] = key.line

    def refuse(self, node: Node, problem: str) -> NoReturn:
        """Refuse a node."""
        raise InputError(f"{self._name}: line {node.line}: {problem}")


def _own(node: Node) -> Iterator[tuple[Node, Node]]:
    return zip(node.content[::2], node.content[1::2], strict=True)
