# SPDX-License-Identifier: Apache-2.0
"""Indexes that a chaincode's package brings along, under META-INF/statedb/couchdb.

``indexes/*.json`` are for public state, ``collections/<name>/indexes/*.json`` for a collection.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastledger.common import gojson
from fastledger.common.errors import InputError
from fastledger.ledger.richquery.collation import sort_key
from fastledger.ledger.richquery.conditions import BEHIND, Conditions, Path
from fastledger.ledger.richquery.query import Query, QueryInvalid, SortField, number_of, parse_sort
from fastledger.ledger.richquery.selector import (
    Match,
    SelectorInvalid,
    compile_selector,
    is_missing,
    lookup,
)

_PATH = re.compile(
    r"META-INF/statedb/couchdb/(?:collections/(?P<collection>[A-Za-z0-9_-]+)/)?indexes/[^/]+\.json"
)
_KEYS = frozenset({"index", "ddoc", "name", "type"})
_INDEX_KEYS = frozenset({"fields", "partial_filter_selector"})


@dataclass(frozen=True, slots=True)
class Index:
    """One index definition."""

    fields: tuple[SortField, ...]
    collection: str = ""
    """Empty for public state."""

    name: str = ""
    ddoc: str = ""
    partial: Match | None = None
    """Documents that the index has; None for all."""

    def key(self, document: Any) -> bytes | None:
        """Where the index has a document; None for one that lacks a field, or is filtered out."""
        if self.partial is not None and not self.partial(document):
            return None
        values = [lookup(document, path) for path in self.paths]
        if any(is_missing(value) for value in values):
            return None
        return b"".join(map(sort_key, values))

    @property
    def paths(self) -> Sequence[Path]:
        """Its fields' ways through a document."""
        return [field.path for field in self.fields]

    def is_named(self, names: Sequence[str]) -> bool:
        """Whether ``use_index`` names it."""
        ddoc = bool(names) and names[0].removeprefix("_design/")
        return (
            bool(ddoc)
            and ddoc == self.ddoc.removeprefix("_design/")
            and (len(names) == 1 or names[1] == self.name)
        )

    def is_usable(self, query: Query) -> bool:
        """Whether it has all matches, in the query's order (``mango_idx_view:is_usable``)."""
        present = query.conditions.required | {field.path for field in query.sort}
        return present.issuperset(self.paths) and (not query.is_sorted or self._sorts(query))

    def _sorts(self, query: Query) -> bool:
        """Whether it has the query's order: what stands before must be fixed by the selector."""
        paths, wanted = list(self.paths), [field.path for field in query.sort]
        while paths and paths[0] != wanted[0]:
            if not query.conditions.is_fixed(paths.pop(0)):
                return False
        return paths[: len(wanted)] == wanted

    def covered(self, conditions: Conditions) -> int:
        """How many of its fields, from the first on, a selector bounds."""
        bounded = [path in conditions.bounds for path in self.paths]
        return bounded.index(False) if False in bounded else len(bounded)

    def range(self, conditions: Conditions) -> "Range":
        """Where the documents are that a selector can match."""
        prefix = b""
        for path in self.paths:
            bounds = conditions.bounds.get(path)
            if bounds is None:
                return Range(prefix, prefix + BEHIND)
            if bounds.fixed is None:
                return Range(prefix + bounds.lower, prefix + bounds.upper)
            prefix += bounds.fixed
        return Range(prefix, prefix + BEHIND, prefix)


@dataclass(frozen=True, slots=True)
class Range:
    """Part of an index: from ``lower`` up to and without ``upper``."""

    lower: bytes
    upper: bytes
    fixed: bytes | None = None
    """The one key of all documents, which then are in the order of their ids."""


def parse_index(path: str, content: bytes) -> Index:
    """Read an index definition out of a package.

    Args:
        path: Its path in the code package.
        content: JSON.

    Raises:
        QueryInvalid: The path or the definition is not as CouchDB and Fabric have them.
    """
    place = _PATH.fullmatch(path)
    if place is None:
        raise QueryInvalid(
            f"{path}: indexes belong into META-INF/statedb/couchdb/indexes/<name>.json, or "
            "META-INF/statedb/couchdb/collections/<collection>/indexes/<name>.json"
        )
    try:
        given = gojson.plain(gojson.read(content), number_of)
    except InputError as error:
        raise QueryInvalid(f"{path}: no JSON: {error}") from error
    index = given.get("index") if isinstance(given, dict) else None
    if not isinstance(index, dict):
        raise QueryInvalid(f'{path}: has no object "index"')
    _check_keys(path, given, _KEYS)
    _check_keys(path, index, _INDEX_KEYS)
    if given.get("type", "json") != "json":
        raise QueryInvalid(f'{path}: the type must be "json"')
    fields = parse_sort(index.get("fields"), f"{path}: fields")
    if not fields:
        raise QueryInvalid(f"{path}: fields must name at least one field")
    return Index(
        fields=fields,
        collection=place.group("collection") or "",
        name=_text(path, given, "name"),
        ddoc=_text(path, given, "ddoc"),
        partial=_partial(path, index.get("partial_filter_selector")),
    )


def choose(query: Query, indexes: Sequence[Index]) -> Index | None:
    """Choose an index as CouchDB does; None where the order of ids does.

    The one that ``use_index`` names, if it can serve; else one without a filter: that of which the
    selector bounds the most fields, then that with the fewest, then the first by its names.

    Raises:
        QueryInvalid: None has the order that is asked for, with CouchDB's text.
    """
    usable = [index for index in indexes if index.is_usable(query)]
    named = [index for index in usable if index.is_named(query.use_index)]
    plain = [index for index in usable if index.partial is None]
    if not query.is_sorted:
        plain = [index for index in plain if index.covered(query.conditions)]
    found = named or plain
    if found:
        return min(
            found,
            key=lambda i: (-i.covered(query.conditions), len(i.fields), i.ddoc, i.name),
        )
    if query.is_sorted:
        raise QueryInvalid("No index exists for this sort, try indexing by the sort fields.")
    return None


def _partial(path: str, selector: Any) -> Match | None:
    if selector is None:
        return None
    try:
        return compile_selector(selector)
    except SelectorInvalid as error:
        raise QueryInvalid(f"{path}: partial_filter_selector: {error}") from error


def _check_keys(path: str, given: dict[str, Any], known: frozenset[str]) -> None:
    unknown = sorted(given.keys() - known)
    if unknown:
        raise QueryInvalid(f"{path}: unknown keys: {', '.join(unknown)}")


def _text(path: str, given: dict[str, Any], name: str) -> str:
    value = given.get(name, "")
    if not isinstance(value, str):
        raise QueryInvalid(f"{path}: {name} must be text")
    return value
