# SPDX-License-Identifier: Apache-2.0
"""A query: selector, sort, fields, limit and skip, as ``_find`` takes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastledger.common import gojson
from fastledger.common.errors import InputError
from fastledger.common.gojson import JsonInvalid, Number
from fastledger.ledger.richquery.conditions import Conditions
from fastledger.ledger.richquery.selector import (
    Match,
    SelectorInvalid,
    compile_selector,
    split_path,
)

MAX_QUERY_BYTES = 1024 * 1024
MAX_FIELDS = 100
"""Fields of a sort, of a projection, of an index."""

MAX_DIGITS = 1000
"""Of a whole number; Python takes long over longer ones."""

MAX_SHOWN = 80
"""Characters of a wrong value that an error quotes."""

_IGNORED = frozenset(
    {"allow_fallback", "bookmark", "conflicts", "execution_stats", "r", "stable", "stale", "update"}
)
"""What CouchDB takes and what changes no result here."""


class QueryInvalid(ValueError):
    """A query or an index definition cannot be used; the text names what is wrong."""


@dataclass(frozen=True, slots=True)
class SortField:
    """One field of a sort or an index."""

    name: str
    descending: bool = False

    @property
    def path(self) -> tuple[str, ...]:
        """Its way through a document."""
        return split_path(self.name)


@dataclass(frozen=True, slots=True)
class Query:
    """A query that was found right."""

    selector: Mapping[str, Any]
    matches: Match
    conditions: Conditions
    sort: Sequence[SortField] = ()
    fields: Sequence[str] = ()
    """What of each document is wanted; empty for all of it."""

    limit: int | None = None
    skip: int = 0
    use_index: Sequence[str] = ()
    """Design document, and name, of the index that is asked for."""

    @property
    def is_sorted(self) -> bool:
        """Whether it asks for another order than that of the keys."""
        return any(field.name != "_id" for field in self.sort)

    @property
    def descending(self) -> bool:
        """Whether it asks for the order backwards."""
        return bool(self.sort) and self.sort[0].descending


def parse(text: str) -> Query:
    """Read a query.

    Raises:
        QueryInvalid: It is none.

    Example:
        >>> parse('{"selector": {"owner": "tom"}, "limit": 2}').limit
        2
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_QUERY_BYTES:
        raise QueryInvalid(f"the query is longer than {MAX_QUERY_BYTES} bytes")
    try:
        # As Fabric's peer reads it before it hands it on: what stands behind it does not count.
        given = gojson.plain(gojson.read(text, first=True), number_of)
    except InputError as error:
        raise QueryInvalid(f"the query is no JSON: {error}") from error
    if not isinstance(given, dict) or "selector" not in given:
        raise QueryInvalid("the query must be a JSON object with a selector")
    known = {"selector", "sort", "fields", "limit", "skip", "use_index"}
    unknown = sorted(given.keys() - known - _IGNORED)
    if unknown:
        raise QueryInvalid(f"the query has unknown keys: {', '.join(unknown)}")
    try:
        matches = compile_selector(given["selector"])
    except SelectorInvalid as error:
        raise QueryInvalid(str(error)) from error
    return Query(
        selector=given["selector"],
        matches=matches,
        conditions=Conditions(given["selector"]),
        sort=parse_sort(given.get("sort", []), "sort"),
        fields=_names(given.get("fields", [])),
        limit=_count(given, "limit"),
        skip=_count(given, "skip") or 0,
        use_index=_use_index(given.get("use_index", [])),
    )


def number_of(digits: Number) -> int | float:
    """Read a number of a query: whole ones are exact, as in CouchDB.

    Raises:
        JsonInvalid: It is too large.
    """
    if digits.removeprefix("-").isdigit() and len(digits) <= MAX_DIGITS:
        return int(digits)
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise JsonInvalid(f"the number {digits[:40]} is too large")
    return number


def shown(value: Any) -> str:
    """A value as errors quote it."""
    return gojson.marshal(value)[:MAX_SHOWN]


def parse_sort(given: Any, where: str) -> tuple[SortField, ...]:
    """Read fields with their directions: names, or objects such as ``{"size": "desc"}``.

    Raises:
        QueryInvalid: They are none, or of both directions.
    """
    if not isinstance(given, list) or len(given) > MAX_FIELDS:
        raise QueryInvalid(f"{where} must be an array of at most {MAX_FIELDS} fields")
    fields = tuple(_sort_field(item, where) for item in given)
    if len({field.descending for field in fields}) > 1:
        raise QueryInvalid(f"{where} currently only supports a single direction for all fields")
    return fields


def _sort_field(item: Any, where: str) -> SortField:
    if isinstance(item, str) and item:
        return SortField(item)
    if isinstance(item, dict) and len(item) == 1:
        ((name, direction),) = item.items()
        if name and direction in ("asc", "desc"):
            return SortField(name, direction == "desc")
    raise QueryInvalid(f'{where} has {shown(item)}; give a name, or {{"name": "asc"}} or desc')


def _names(given: Any) -> tuple[str, ...]:
    if given == "all_fields":
        return ()
    right = isinstance(given, list) and all(isinstance(name, str) and name for name in given)
    if not right or len(given) > MAX_FIELDS:
        raise QueryInvalid(f"fields must be an array of at most {MAX_FIELDS} names")
    return tuple(given)


def _use_index(given: Any) -> tuple[str, ...]:
    names = [given] if isinstance(given, str) else given
    right = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if not right or len(names) > 2:
        raise QueryInvalid("use_index must be a design document, or [design document, name]")
    return tuple(names)


def _count(given: Mapping[str, Any], name: str) -> int | None:
    value = given.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise QueryInvalid(f"{name} must be a number from 0, it is {shown(value)}")
    return value
