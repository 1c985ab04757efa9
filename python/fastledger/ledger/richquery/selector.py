# SPDX-License-Identifier: Apache-2.0
"""Mango selectors, compiled to functions that say whether a document matches.

The rules are those of CouchDB's ``mango_selector``: a condition on a field that a document lacks
is false, whatever it says, but for ``{"$exists": false}``; ``$not`` and ``$nor`` are pushed inward
first (not less is greater or equal), so the same holds under them.
"""

import re as stdlib_re
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import re2

from fastledger.common import gojson
from fastledger.ledger.richquery.collation import compare

MAX_DEPTH = 32
"""How deep a selector may be nested."""

MAX_CONDITIONS = 1000
"""Conditions of one selector."""

MAX_PATTERN_BYTES = 1000
"""Length of a regular expression."""

_CACHED_PATHS = 1024
_MAX_CACHED_LETTERS = 256
"""Longer paths are not remembered: a query may have a million letters."""

_MAX_PLACE_DIGITS = 18
"""Digits of a place in an array: no array is as long as longer ones say."""

_PATTERN_MEMORY_BYTES = 4 * 1024 * 1024

Match = Callable[[Any], bool]


class SelectorInvalid(ValueError):
    """A selector breaks Mango's rules; the text names the operator or field."""


class _Missing:
    """What a document lacks."""


_MISSING = _Missing()
_TYPES: dict[str, Callable[[Any], bool]] = {
    "null": lambda v: v is None,
    "boolean": lambda v: isinstance(v, bool),
    "number": lambda v: isinstance(v, int | float) and not isinstance(v, bool),
    "string": lambda v: isinstance(v, str),
    "array": lambda v: isinstance(v, list),
    "object": lambda v: isinstance(v, dict),
}
_NEGATED = {"$lt": "$gte", "$lte": "$gt", "$eq": "$ne", "$ne": "$eq", "$gte": "$lt", "$gt": "$lte"}
_NEGATED |= {"$in": "$nin", "$nin": "$in"}


def compile_selector(selector: Any) -> Match:
    """Compile a selector.

    Raises:
        SelectorInvalid: It is none.

    Example:
        >>> compile_selector({"size": {"$gt": 5}, "owner": "tom"})({"size": 6, "owner": "tom"})
        True
    """
    if not isinstance(selector, dict):
        raise SelectorInvalid("the selector must be a JSON object")
    return _Compiler().conditions(selector, negate=False, depth=0)


def split_path(field: str) -> tuple[str, ...]:
    r"""Take a field's path apart at its dots; ``\.`` is a dot in a name.

    Example:
        >>> split_path(r"a.b\.c")
        ('a', 'b.c')
    """
    return _remembered(field) if len(field) <= _MAX_CACHED_LETTERS else _split(field)


def _split(field: str) -> tuple[str, ...]:
    parts = stdlib_re.split(r"(?<!\\)\.", field)
    return tuple(part.replace("\\.", ".") for part in parts)


_remembered = lru_cache(maxsize=_CACHED_PATHS)(_split)


def lookup(document: Any, path: Sequence[str]) -> Any:
    """Follow a path; ``MISSING`` where it ends early. A number steps into an array."""
    for name in path:
        if isinstance(document, dict) and name in document:
            document = document[name]
        elif isinstance(document, list) and (place := _place(name)) < len(document):
            document = document[place]
        else:
            return _MISSING
    return document


def _place(name: str) -> int:
    """The place in an array that a name stands for; behind every array's end if it is none."""
    return int(name) if name.isdecimal() and len(name) <= _MAX_PLACE_DIGITS else sys.maxsize


def is_missing(value: Any) -> bool:
    """Whether lookup found nothing."""
    return value is _MISSING


class _Compiler:
    """Compiles one selector, counting its conditions."""

    def __init__(self) -> None:
        self._count = 0

    def conditions(self, given: Any, *, negate: bool, depth: int) -> Match:
        """An object of operators and fields: all of them; one of their negations when negated."""
        if not isinstance(given, dict):
            # A bare value means equality: an element of $elemMatch, an argument of $and.
            return self._operator("$eq", given, negate=negate, depth=depth)
        self._check(depth)
        parts = [
            self._operator(name, value, negate=negate, depth=depth + 1)
            if name.startswith("$")
            else self._field(name, value, negate=negate, depth=depth + 1)
            for name, value in given.items()
        ]
        if len(parts) == 1:
            return parts[0]
        return _any(parts) if negate else _all(parts)

    def _check(self, depth: int) -> None:
        self._count += 1
        if depth > MAX_DEPTH or self._count > MAX_CONDITIONS:
            raise SelectorInvalid(
                f"the selector is nested more than {MAX_DEPTH} deep or has more than "
                f"{MAX_CONDITIONS} conditions"
            )

    def _field(self, name: str, condition: Any, *, negate: bool, depth: int) -> Match:
        path = split_path(name)
        if condition == {}:
            condition = {"$eq": {}}
        if isinstance(condition, dict) and _absent(condition, negate=negate):
            return lambda document: is_missing(lookup(document, path))
        inner = self.conditions(condition, negate=negate, depth=depth)

        def match(document: Any) -> bool:
            value = lookup(document, path)
            return not is_missing(value) and inner(value)

        return match

    def _operator(self, name: str, argument: Any, *, negate: bool, depth: int) -> Match:
        self._check(depth)
        if name in ("$and", "$or", "$nor"):
            return self._combination(name, argument, negate=negate, depth=depth)
        if name == "$not":
            return self.conditions(argument, negate=not negate, depth=depth + 1)
        if negate and name in _NEGATED:
            return self._operator(_NEGATED[name], argument, negate=False, depth=depth)
        if negate and name == "$exists":
            return self._operator(name, argument is not True, negate=False, depth=depth)
        match = self._plain(name, argument, depth)
        return (lambda value: not match(value)) if negate else match

    def _combination(self, name: str, argument: Any, *, negate: bool, depth: int) -> Match:
        if not isinstance(argument, list):
            raise SelectorInvalid(f"the argument of {name} must be an array of selectors")
        inner = negate != (name == "$nor")
        parts = [self.conditions(part, negate=inner, depth=depth + 1) for part in argument]
        if not parts:
            return lambda _: True
        # Negated, a conjunction of conditions is a disjunction of their negations, and vice versa.
        return _all(parts) if (name != "$or") != negate else _any(parts)

    def _plain(self, name: str, argument: Any, depth: int) -> Match:
        if name in ("$elemMatch", "$allMatch", "$keyMapMatch"):
            return self._elements(name, argument, depth)
        operator = _OPERATORS.get(name)
        if operator is None:
            raise SelectorInvalid(f"Invalid operator: {name}")
        return operator(argument)

    def _elements(self, name: str, argument: Any, depth: int) -> Match:
        inner = self.conditions(argument, negate=False, depth=depth + 1)
        if name == "$elemMatch":
            return lambda value: isinstance(value, list) and any(map(inner, value))
        if name == "$keyMapMatch":
            return lambda value: isinstance(value, dict) and any(map(inner, value))
        return lambda value: isinstance(value, list) and bool(value) and all(map(inner, value))


def _absent(condition: Mapping[str, Any], *, negate: bool) -> bool:
    """Whether a condition asks for a field that is not there."""
    return condition == {"$exists": negate}


def _all(parts: Sequence[Match]) -> Match:
    return lambda value: all(part(value) for part in parts)


def _any(parts: Sequence[Match]) -> Match:
    return lambda value: any(part(value) for part in parts)


def _equal(left: Any, right: Any) -> bool:
    return compare(left, right) == 0


def _comparison(holds: Callable[[int], bool]) -> Callable[[Any], Match]:
    return lambda argument: lambda value: holds(compare(value, argument))


def _in(argument: Any) -> Match:
    wanted = _list("$in", argument)

    def match(value: Any) -> bool:
        values = value if isinstance(value, list) else [value]
        return any(_equal(one, option) for option in wanted for one in values)

    return match


def _nin(argument: Any) -> Match:
    inside = _in(_list("$nin", argument))
    return lambda value: not inside(value)


def _exists(argument: Any) -> Match:
    if not isinstance(argument, bool):
        raise SelectorInvalid("the argument of $exists must be true or false")
    # Only fields that are there come here.
    return lambda _: argument


def _type(argument: Any) -> Match:
    check = _TYPES.get(argument) if isinstance(argument, str) else None
    if check is None:
        raise SelectorInvalid(f"the argument of $type must be one of {', '.join(_TYPES)}")
    return check


def _size(argument: Any) -> Match:
    if not _integer(argument) or argument < 0:
        raise SelectorInvalid("the argument of $size must be a number of elements")
    return lambda value: isinstance(value, list) and len(value) == argument


def _mod(argument: Any) -> Match:
    right = isinstance(argument, list) and len(argument) == 2 and all(map(_integer, argument))
    if not right or argument[0] == 0:
        raise SelectorInvalid("the argument of $mod must be [divisor, remainder], divisor not 0")
    divisor, remainder = argument

    def match(value: Any) -> bool:
        if not _integer(value):
            return False
        # The remainder has the sign of what is divided, as in Erlang.
        rest = abs(value) % abs(divisor)
        return bool((-rest if value < 0 else rest) == remainder)

    return match


def _integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _contains_all(argument: Any) -> Match:
    wanted = _list("$all", argument)

    def match(value: Any) -> bool:
        if not isinstance(value, list) or not wanted:
            return False
        itself = len(wanted) == 1 and isinstance(wanted[0], list) and _equal(wanted[0], value)
        return itself or all(any(_equal(option, one) for one in value) for option in wanted)

    return match


def _regex(argument: Any) -> Match:
    if not isinstance(argument, str) or len(argument) > MAX_PATTERN_BYTES:
        raise SelectorInvalid(
            f"the argument of $regex must be a pattern of at most {MAX_PATTERN_BYTES} characters"
        )
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _PATTERN_MEMORY_BYTES
    try:
        pattern = re2.compile(gojson.unicode(argument), options=options)
    except re2.error as error:
        raise SelectorInvalid(
            f"$regex {argument!r}: {error}; patterns are RE2's: linear in time, with "
            "neither backreferences nor lookaround"
        ) from error
    # What RE2 is given must be Unicode, whoever made the document.
    return lambda value: (
        isinstance(value, str) and pattern.search(gojson.unicode(value)) is not None
    )


def _begins_with(argument: Any) -> Match:
    if not isinstance(argument, str):
        raise SelectorInvalid("the argument of $beginsWith must be text")
    return lambda value: isinstance(value, str) and value.startswith(argument)


def _list(name: str, argument: Any) -> list[Any]:
    if not isinstance(argument, list):
        raise SelectorInvalid(f"the argument of {name} must be an array")
    return argument


_OPERATORS: dict[str, Callable[[Any], Match]] = {
    "$lt": _comparison(lambda order: order < 0),
    "$lte": _comparison(lambda order: order <= 0),
    "$eq": _comparison(lambda order: order == 0),
    "$ne": _comparison(lambda order: order != 0),
    "$gte": _comparison(lambda order: order >= 0),
    "$gt": _comparison(lambda order: order > 0),
    "$in": _in,
    "$nin": _nin,
    "$exists": _exists,
    "$type": _type,
    "$size": _size,
    "$mod": _mod,
    "$all": _contains_all,
    "$regex": _regex,
    "$beginsWith": _begins_with,
}
