# SPDX-License-Identifier: Apache-2.0
"""What a selector says about single fields, for choosing an index and its range.

Only comparisons are seen through, alone or joined by ``$and``, as by CouchDB (``mango_idx_view``):
whatever else a selector asks for, each document is asked in the end.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastledger.ledger.richquery.collation import sort_key
from fastledger.ledger.richquery.selector import split_path

Path = tuple[str, ...]

BEHIND = b"\xff"
"""Behind every key that begins with the bytes before it: neither values nor UTF-8 have it."""


@dataclass(slots=True)
class Bounds:
    """Between which values a field is, as the bytes of collation; ``lower`` inclusive."""

    lower: bytes = b""
    upper: bytes = BEHIND
    fixed: bytes | None = None
    """The one value that it has."""

    def narrow(self, operator: str, value: Any) -> None:
        """Take a comparison into account."""
        key = sort_key(value)
        if operator in ("$eq", "$gte"):
            self.lower = max(self.lower, key)
        if operator in ("$eq", "$lte"):
            self.upper = min(self.upper, key + BEHIND)
        if operator == "$gt":
            self.lower = max(self.lower, key + BEHIND)
        if operator == "$lt":
            self.upper = min(self.upper, key)
        if operator == "$eq":
            self.fixed = key


class Conditions:
    """The fields of one selector."""

    def __init__(self, selector: Mapping[str, Any]) -> None:
        """Look through a selector that was found right."""
        self.required: set[Path] = {("_id",)}
        """Fields that every match has."""
        self.bounds: dict[Path, Bounds] = {}
        for path, operator, value in _comparisons(selector, ()):
            self.required.update(path[: end + 1] for end in range(len(path)))
            if operator:
                self.bounds.setdefault(path, Bounds()).narrow(operator, value)
        self.required |= _alternatives(selector)

    def is_fixed(self, path: Path) -> bool:
        """Whether a field has one value in all matches."""
        found = self.bounds.get(path)
        return found is not None and found.fixed is not None


_COMPARISONS = frozenset({"$eq", "$gt", "$gte", "$lt", "$lte"})


def _comparisons(condition: Any, path: Path) -> Iterator[tuple[Path, str, Any]]:
    """Yield fields with an operator and its argument, or with none: then the field is there."""
    if not isinstance(condition, dict) or not condition:
        if path:
            yield path, "$eq", condition
        return
    if path:
        yield path, "", None
    for name, argument in condition.items():
        if name == "$and" and isinstance(argument, list):
            for part in argument:
                if part != {}:
                    yield from _comparisons(part, path)
        elif name in _COMPARISONS and path:
            yield path, name, argument
        elif not name.startswith("$") and argument != {"$exists": False}:
            yield from _comparisons(argument, path + split_path(name))


def _alternatives(selector: Mapping[str, Any]) -> set[Path]:
    """Fields that each of a selector's alternatives requires."""
    parts = selector.get("$or")
    if not isinstance(parts, list) or not parts:
        return set()
    required = [Conditions(part).required for part in parts if isinstance(part, dict)]
    return set.intersection(*required) if len(required) == len(parts) else set()
