# SPDX-License-Identifier: Apache-2.0
"""A YAML text as a tree of nodes, each with its line."""

import codecs
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

from fastledger.common.errors import InputError
from fastledger.common.goyaml import scalars

MAX_DEPTH = 100
"""How deep collections may nest; Fabric's own files stay below ten, and Python recurses."""

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LONG_TAG = "tag:yaml.org,2002:"


@dataclass(slots=True, eq=False)
class Node:
    """A scalar, a mapping, a sequence, or an alias of another node."""

    kind: str
    """``scalar``, ``mapping``, ``sequence`` or ``alias``."""

    tag: str
    """Given or resolved, in its short form: ``!!str``; empty for an alias."""

    value: str
    """A scalar's text, unquoted; an alias's name."""

    line: int
    """Counts from 1."""

    content: list["Node"] = field(default_factory=list)
    """A sequence's entries; a mapping's keys and values by turns; what an alias stands for."""

    @property
    def meant_tag(self) -> str:
        """Its tag, or that of the node which it stands for."""
        return self.content[0].meant_tag if self.kind == "alias" else self.tag


def compose(text: bytes, name: str) -> Node | None:
    """Read a text's first document; None if it has none.

    Raises:
        InputError: It is no YAML.
    """
    # Go's reader would see an empty text as an empty line, too.
    loader = _Loader(text or b"\n")
    try:
        loader.get_event()
        begin = loader.get_event()
        if isinstance(begin, yaml.StreamEndEvent):
            return None
        if begin.version not in (None, (1, 1)):
            raise InputError(f"{name}: cannot be read as YAML: found incompatible YAML document")
        root = _Composer(loader, name, text).node(0)
        loader.get_event()
    except yaml.YAMLError as error:
        raise InputError(f"{name}: cannot be read as YAML: {_said(error)}") from error
    finally:
        loader.dispose()
    return root


def _said(error: yaml.YAMLError) -> str:
    """Say what is wrong, and where."""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        what = " ".join(part for part in (error.context, error.problem) if part)
        return f"line {mark.line + 1}, column {mark.column + 1}: {what}" if mark else what
    return " ".join(str(error).split())


class _Composer:
    """Builds nodes from a parser's events."""

    def __init__(self, loader: Any, name: str, text: bytes) -> None:
        self._loader = loader
        self._name = name
        # Where no such escape stands there is nothing to look for, and nothing to decode.
        self._source = _decoded(text) if b"\\/" in text.replace(b"\0", b"") else ""
        self._anchors: dict[str, Node] = {}

    def node(self, depth: int) -> Node:
        event = self._loader.get_event()
        line = event.start_mark.line + 1
        if depth > MAX_DEPTH:
            self._refuse(line, f"it nests deeper than {MAX_DEPTH} collections")
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                self._refuse(line, f"unknown anchor '{event.anchor}' referenced")
            return Node("alias", "", event.anchor, line, [self._anchors[event.anchor]])
        if isinstance(event, yaml.ScalarEvent):
            if event.style == '"' and self._source:
                self._check_escapes(event)
            node = Node("scalar", _scalar_tag(event), event.value, line)
            self._name_anchor(event, node)
            return node
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        kind, default = ("mapping", "!!map") if is_mapping else ("sequence", "!!seq")
        node = Node(kind, _given_tag(event) or default, "", line)
        # An anchor can be referred to from within what it stands on; readers refuse the circle.
        self._name_anchor(event, node)
        while not isinstance(self._loader.peek_event(), yaml.CollectionEndEvent):
            node.content.append(self.node(depth + 1))
        self._loader.get_event()
        return node

    def _check_escapes(self, event: Any) -> None:
        """Refuse an escaped slash, which only later versions of YAML know than Go's reader."""
        written = self._source[event.start_mark.index : event.end_mark.index]
        if "\\/" in written.replace("\\\\", ""):
            self._refuse(event.start_mark.line + 1, "found unknown escape character '/'")

    def _name_anchor(self, event: Any, node: Node) -> None:
        if event.anchor:
            self._anchors[event.anchor] = node

    def _refuse(self, line: int, problem: str) -> NoReturn:
        raise InputError(f"{self._name}: cannot be read as YAML: line {line}: {problem}")


def _decoded(text: bytes) -> str:
    is_wide = text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return text.decode("utf-16" if is_wide else "utf-8-sig", "replace")


def _given_tag(event: Any) -> str:
    tag = event.tag or ""
    if tag.startswith(_LONG_TAG):
        return f"!!{tag[len(_LONG_TAG) :]}"
    return "" if tag == "!" else tag


def _scalar_tag(event: Any) -> str:
    if given := _given_tag(event):
        return given
    return scalars.STR if event.style else scalars.resolve(event.value)[0]
