# SPDX-License-Identifier: Apache-2.0
"""Messages as JSON with something changed in them, for comparisons with Fabric's configtxlator."""

import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 1.5, 1e2, -0.0, 2**31, 2**63, 2**64, 10.0, 12345678901234567890),
    *("", "a", "1", "1 2", "1,2", " 1", "+1", "1e2", "1.0", "1.50e1", "15e-1", "-0", "0x1", "1_0"),
    *("01", "NaN", "YWJj", "YQ", "YQ==", "Y-_", "Y\nQ==", "ff==", "AAA", "\ud800", "\xe9"),
    *("MEMBER", "ADMIN", "2020-01-01T00:00:00Z", "2020-01-01T0:00:00.1234567890Z"),
    *("2020-01-01T00:00:00,5+01:00", "2020-13-01T00:00:00Z", "10000-01-01T00:00:00Z"),
    *("0000-01-01T00:00:00Z", "2020-01-01t00:00:00Z", "2020-01-01T23:59:60Z", "2020-02-30"),
    *("0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59.999999999Z", "2020-01-01T00:00:00+24:00"),
    *([], [None], [1, 2], ["a"], {}, {"a": None}, {"x": 1}),
]
MAX_BYTES = 30_000
"""Larger messages are only slower."""

ROOTS = {
    "channel_group": "common.Config",
    "channel_header": "common.Header",
    "n_out_of": "common.SignaturePolicy",
    "write_set": "common.ConfigUpdate",
}


def messages(kind: str, tree: Any) -> Iterator[tuple[str, Any]]:
    """Yield a message and those in it that have a type that can be told by their fields."""
    if len(json.dumps(tree)) <= MAX_BYTES:
        yield kind, tree
    for node in _nodes(tree):
        if isinstance(node, dict):
            found = next((ROOTS[name] for name in ROOTS if name in node), None)
            if found is not None and node is not tree and len(json.dumps(node)) <= MAX_BYTES:
                yield found, node


@st.composite
def changed(draw: st.DrawFn, pool: list[tuple[str, Any]]) -> tuple[str, bytes]:
    """One of the messages, with up to two changes and perhaps a broken text."""
    kind, whole = draw(st.sampled_from(pool))
    tree = copy.deepcopy(whole)
    for _ in range(draw(st.integers(0, 2))):
        places = [(node, key) for node in _nodes(tree) for key in _keys(node)]
        if places:
            _change(draw, *draw(st.sampled_from(places)))
    text = json.dumps(tree).encode()
    place = draw(st.integers(0, len(text)))
    return kind, draw(
        st.sampled_from(
            [
                *([text] * 9),
                *(text + b" trailing", text + b"{}", b"\xef\xbb\xbf" + text, text[:place]),
                *(text[:place] + piece + text[place:] for piece in (b"\xff", b",", b"NaN", b"\n")),
            ]
        )
    )


def _change(draw: st.DrawFn, node: Any, key: Any) -> None:
    value = copy.deepcopy(draw(st.sampled_from(VALUES)))
    how = draw(st.sampled_from(["set", "set", "set", "drop", "rename", "double", "add"]))
    if how == "drop":
        del node[key]
    elif how == "set" or not isinstance(node, dict):
        node[key] = value
    elif how == "rename":
        node[_camel(key)] = node.pop(key)
    elif how == "double":
        node[_camel(key)] = node[key]
    else:
        node[draw(st.sampled_from(["x", "@type", "version", key.upper()]))] = value


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


def _nodes(tree: Any) -> Iterator[Any]:
    yield tree
    for key in _keys(tree):
        yield from _nodes(tree[key])


def _keys(node: Any) -> list[Any]:
    if isinstance(node, dict):
        return list(node)
    return list(range(len(node))) if isinstance(node, list) else []
