# SPDX-License-Identifier: Apache-2.0
"""Trees as dicts and lists: what Go reads into an ``interface{}``."""

from collections.abc import Callable
from functools import partial
from typing import Any

from fastledger.common.gojson.scanner import JsonInvalid, Number, Object, read


def float_of(number: Number) -> float:
    """Read a number as Go's float64.

    Raises:
        JsonInvalid: It is too large for one.
    """
    value = float(number)
    if value in (float("inf"), float("-inf")):
        raise JsonInvalid(f"json: cannot unmarshal number {number} into Go value of type float64")
    return value


def plain(tree: Any, number: Callable[[Number], Any] = float_of) -> Any:
    """Turn a tree into dicts, lists and scalars; of a key that comes twice the last one counts.

    A tree can be deeper than Python may call, so this walks with a list of what is left to do.

    Args:
        tree: What :func:`~fastledger.common.gojson.read` returned.
        number: What to make of each number.

    Raises:
        JsonInvalid: A number is too large.
    """
    whole: list[Any] = []
    left: list[tuple[Any, Callable[[Any], None]]] = [(tree, whole.append)]
    while left:
        node, put = left.pop()
        if isinstance(node, Object):
            made: dict[str, Any] = {}
            put(made)
            left.extend((item, partial(made.__setitem__, key)) for key, item in reversed(node))
        elif isinstance(node, list):
            items: list[Any] = []
            put(items)
            left.extend((item, items.append) for item in reversed(node))
        else:
            put(number(node) if isinstance(node, Number) else node)
    return whole[0]


def unmarshal_any(data: bytes | str) -> Any:
    """Read a document of any form, as Go's ``json.Unmarshal`` into an ``interface{}`` does.

    Raises:
        JsonInvalid: It is no JSON, or has a number that no float64 holds.
    """
    return plain(read(data))
