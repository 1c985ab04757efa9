# SPDX-License-Identifier: Apache-2.0
"""Documents: values that are JSON objects, with their keys as ``_id``."""

import json
from typing import Any


def parse_document(key: str, value: bytes) -> dict[str, Any] | None:
    """Read the document under a key; None for what is no JSON object."""
    if value.lstrip()[:1] != b"{":
        return None
    try:
        document = json.loads(value, parse_constant=_no_json)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    document["_id"] = key
    return document


def _no_json(name: str) -> None:
    """Refuse NaN and Infinity, which Python reads but no JSON has."""
    raise ValueError(name)
