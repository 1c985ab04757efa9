# SPDX-License-Identifier: Apache-2.0
"""Indexes that a chaincode's package brings along, under META-INF/statedb/couchdb.

``indexes/*.json`` are for public state, ``collections/<name>/indexes/*.json`` for a collection.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fastledger.ledger.richquery.query import Query, QueryInvalid, SortField, parse_sort
from fastledger.ledger.richquery.selector import (
    Match,
    SelectorInvalid,
    compile_selector,
    equalities,
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

    def has(self, document: Any) -> bool:
        """Whether the index has a document: it needs every field of the index."""
        if self.partial is not None and not self.partial(document):
            return False
        return not any(is_missing(lookup(document, field.path)) for field in self.fields)

    def sorts(self, query: Query) -> bool:
        """Whether the index gives a query's order.

        Fields before those of the sort must be fixed by the selector; directions follow, as an
        index can be read backwards.
        """
        names = [field.name for field in self.fields]
        wanted = [field.name for field in query.sort]
        fixed = equalities(query.selector)
        for start in range(len(names) - len(wanted) + 1):
            if names[start : start + len(wanted)] == wanted:
                return True
            if names[start] not in fixed:
                return False
        return False


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
        given = json.loads(content)
    except (ValueError, RecursionError) as error:
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


def index_for(query: Query, indexes: Iterable[Index]) -> Index | None:
    """Choose the index that sorts a query's results; None when nothing is to be sorted.

    Raises:
        QueryInvalid: There is none, with CouchDB's text.
    """
    if not query.sort or all(field.name == "_id" for field in query.sort):
        return None
    for index in indexes:
        if index.sorts(query):
            return index
    raise QueryInvalid("No index exists for this sort, try indexing by the sort fields.")


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
