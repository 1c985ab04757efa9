# SPDX-License-Identifier: Apache-2.0
"""What a YAML scalar is, by its spelling (go-yaml's ``resolver.go``).

YAML 1.2's rules with some of YAML 1.1's: underscores in numbers, ``017`` as octal, merge keys; but
neither ``yes`` nor ``12:30`` is more than text.
"""

import base64
import binascii
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastledger.common.gonumbers import parse_int

NULL = "!!null"
BOOL = "!!bool"
STR = "!!str"
INT = "!!int"
FLOAT = "!!float"
TIMESTAMP = "!!timestamp"
BINARY = "!!binary"
MERGE = "!!merge"

_RESOLVABLE = {STR, BOOL, INT, FLOAT, NULL, TIMESTAMP}

_WORDS: dict[str, tuple[str, Any]] = {
    **dict.fromkeys(("true", "True", "TRUE"), (BOOL, True)),
    **dict.fromkeys(("false", "False", "FALSE"), (BOOL, False)),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), (NULL, None)),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), (FLOAT, math.nan)),
    **{sign + word: (FLOAT, math.inf) for sign in ("", "+") for word in (".inf", ".Inf", ".INF")},
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), (FLOAT, -math.inf)),
    **dict.fromkeys(("-0", "-0.0"), (FLOAT, -0.0)),
    "<<": (MERGE, "<<"),
}

_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_TIME = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{1,2}-[0-9]{1,2})"
    r"(?:(?:[Tt]|(?P<space> +))(?P<clock>[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2})(?P<part>[.,][0-9]+)?"
    r"(?P<zone>Z|[-+](?:[01][0-9]|2[0-4]):(?:[0-5][0-9]|60))?)?",
    re.ASCII,
)
_MAX_INT = 1 << 63
_MAX_UINT = 1 << 64


class Misfit(Exception):
    """A scalar is not what its tag says."""


@dataclass(frozen=True, slots=True)
class Time:
    """A point in time."""

    text: str
    """As it was written."""

    def __str__(self) -> str:
        """Return it as Go's ``time.Time`` prints itself, if it is of UTC; else as written."""
        found = _TIME.fullmatch(self.text)
        if found is None or found["zone"] not in (None, "Z"):
            return self.text
        year, month, day = (int(number) for number in found["date"].split("-"))
        hour, minute, second = (int(number) for number in (found["clock"] or "0:0:0").split(":"))
        part = (found["part"] or "")[1:10].rstrip("0")
        date = f"{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"
        return f"{date}{'.' if part else ''}{part} +0000 UTC"


def resolve(text: str, tag: str = "") -> tuple[str, Any]:
    """Tell a plain scalar's tag and value.

    Args:
        text: The scalar.
        tag: One that was given to it.

    Raises:
        Misfit: The text is not what the tag says.
    """
    if tag and tag not in _RESOLVABLE:
        return (tag, _binary(text)) if tag == BINARY else (tag, text)
    found, value = (STR, text) if tag == STR else _resolve(text)
    if tag == FLOAT and found == INT and isinstance(value, int) and value < _MAX_INT:
        return FLOAT, float(value)
    if tag not in ("", STR, found):
        raise Misfit(f"cannot construct {found} `{text}` as a {tag}")
    return found, value


def _resolve(text: str) -> tuple[str, Any]:
    if text in _WORDS:
        return _WORDS[text]
    first = text[0]
    if first == ".":
        return (FLOAT, float(text)) if _is_finite(text) else (STR, text)
    if first not in "+-0123456789":
        return STR, text
    if _is_time(text):
        return TIMESTAMP, Time(text)
    plain = text.replace("_", "")
    number = parse_int(plain)
    # Without a sign a number may be as large as an unsigned one can be.
    largest = _MAX_INT if plain[:1] in ("+", "-") else _MAX_UINT
    if number is not None and -_MAX_INT <= number < largest:
        return INT, number
    return (FLOAT, float(plain)) if _is_finite(plain) else (STR, text)


def _is_finite(text: str) -> bool:
    return _FLOAT.fullmatch(text) is not None and math.isfinite(float(text))


def _is_time(text: str) -> bool:
    """Tell whether go-yaml's formats of a time take it (Go: ``time.Parse``)."""
    found = _TIME.fullmatch(text)
    if not found or (found["clock"] and bool(found["zone"]) == bool(found["space"])):
        return False
    year, month, day = (int(number) for number in found["date"].split("-"))
    hour, minute, second = (int(number) for number in (found["clock"] or "0:0:0").split(":"))
    # Python has no year 0, which was a leap year as 4 was.
    try:
        datetime(year or 4, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return False
    return True


def _binary(text: str) -> str:
    try:
        decoded = base64.b64decode("".join(text.split("\n")), validate=True)
    except (binascii.Error, ValueError):
        raise Misfit("!!binary value contains invalid base64 data") from None
    return decoded.decode("utf-8", "replace")
