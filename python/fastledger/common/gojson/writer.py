# SPDX-License-Identifier: Apache-2.0
"""Values as Go's encoding/json writes them."""

import json
import re
from typing import Any

_ESCAPES = str.maketrans(
    {char: f"\\u{ord(char):04x}" for char in ("<", ">", "&", "\u2028", "\u2029")}
)
"""Go's encoder writes what could end a script in a page as escapes."""

_SURROGATE = re.compile("[\ud800-\udfff]")


def unicode(text: str) -> str:
    """Replace what is no Unicode, half of a surrogate pair, by U+FFFD, as Go does."""
    return _SURROGATE.sub("\ufffd", text)


def marshal(value: Any, *, indent: str | None = None, sort_keys: bool = True) -> str:
    """Write dicts, lists and scalars; the text can always be encoded.

    Args:
        value: What to write.
        indent: What each level is indented by; None for all in one line, without blanks.
        sort_keys: Whether objects are Go's maps, which are sorted, or structs.
    """
    separators = (",", ":") if indent is None else (",", ": ")
    options = {"sort_keys": sort_keys, "separators": separators, "ensure_ascii": False}
    try:
        text = json.dumps(value, indent=indent, **options)  # type: ignore[arg-type]
    except RecursionError:
        text = "".join(_pieces(value, sort_keys=sort_keys))
    return unicode(text.translate(_ESCAPES))


def _pieces(value: Any, *, sort_keys: bool) -> list[str]:
    """Write what is nested deeper than Python's encoder goes, in one line."""
    made: list[str] = []
    left: list[tuple[bool, Any]] = [(False, value)]
    while left:
        is_text, node = left.pop()
        if is_text:
            made.append(node)
        elif isinstance(node, dict) and node:
            keys = sorted(node) if sort_keys else list(node)
            left.append((True, "}"))
            for place, key in reversed(list(enumerate(keys))):
                left.append((False, node[key]))
                left.append((True, f"{',' if place else '{'}{_scalar(key)}:"))
        elif isinstance(node, list) and node:
            left.append((True, "]"))
            for place, item in reversed(list(enumerate(node))):
                left.append((False, item))
                left.append((True, "," if place else "["))
        else:
            made.append(_scalar(node))
    return made


def _scalar(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
