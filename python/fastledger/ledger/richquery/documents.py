# SPDX-License-Identifier: Apache-2.0
"""Documents: values that are JSON objects, with their keys as ``_id``.

What CouchDB knows of a value has gone through Go's encoding/json (Fabric: ``couchdoc_conv.go``):
text is Unicode, with U+FFFD for what is none, and numbers are float64. A value that Go cannot read
is no document, and so is one with a number that is too large.
"""

import json
import re
from typing import Any, Never

from fastledger.common import gojson
from fastledger.common.gojson import JsonInvalid

_WHOLE_FLOAT_END = 1e21
"""From here on Go writes whole numbers with an exponent, and so CouchDB has floats."""

_LONG_NUMBER = re.compile(r"[0-9]{16}")
"""Whole numbers with fewer digits are float64 as they stand."""


def parse_document(key: str, value: bytes) -> dict[str, Any] | None:
    """Read the document under a key; None for what is no JSON object."""
    if value.lstrip()[:1] != b"{":
        return None
    text = gojson.text_of(value)
    decoder = _CAREFUL if _LONG_NUMBER.search(text) else _DECODER
    try:
        document = decoder.decode(text)
    except RecursionError:
        document = _deep(text)
    except ValueError:
        return None
    if not isinstance(document, dict):
        return None
    document["_id"] = key
    return document


def _deep(text: str) -> Any:
    """Read what is nested deeper than Python's scanner goes, up to Go's limit."""
    try:
        return gojson.plain(gojson.read(text), _number)
    except (ValueError, JsonInvalid):
        return None


def _number(digits: str) -> int | float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise ValueError(digits)
    whole = number.is_integer() and abs(number) < _WHOLE_FLOAT_END
    return int(number) if whole else number


def _no_json(name: str) -> Never:
    """Refuse NaN and Infinity, which Python reads but no JSON has."""
    raise ValueError(name)


_DECODER = json.JSONDecoder(parse_float=_number, parse_constant=_no_json)
_CAREFUL = json.JSONDecoder(parse_float=_number, parse_int=_number, parse_constant=_no_json)
