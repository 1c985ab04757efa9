# SPDX-License-Identifier: Apache-2.0
"""Documents that are nearly JSON, for comparisons of readers: as bytes, right or not."""

import base64
from collections.abc import Mapping, Sequence

from hypothesis import strategies as st

SCALARS = [
    *(b"null", b"true", b"false", b'""', b'"a"', b'"YWJj"', b'"YQ=="', b'"YQ"', b'"Y\\nQ=="'),
    *(b'"YQ=\\n="', b'"Y==="', b'"YQ==YQ=="', b'"-_-_"', b'"10s"', b'"soon"', b'"1h1m0.5s"'),
    *(b"0", b"1", b"-1", b"-0", b"-0.0", b"1.0", b"1.5", b"1e2", b"1e400", b"-1e-400"),
    *(b"2147483647", b"2147483648", b"-2147483649", b"18446744073709551615"),
    *(b"18446744073709551616", b"12345678901234567890123"),
    *(b'"\\ud800"', b'"\\ud83d\\ude00"', b'"\\ud800\\ud83d\\ude00"', b'"\\udc00"', b'"\\\\ud800"'),
    *(b'"\xff\xe2\x82"', b'"\xed\xa0\x80"', b'"\xc3\xa9"', b'"\\u0000"', b'"\x7f"', b'"\\/"'),
    *(b"\"OR('A.member')\"", b"\"AND('A.peer','B.admin')\"", b'"OutOf(9)"'),
]
BROKEN = [
    *(b"01", b".5", b"1.", b"1e", b"-", b"+1", b"NaN", b"Infinity", b"tru", b"nulL", b"0x1"),
    *(b'"', b'"a\tb"', b'"\\x"', b'"\\u12g"', b"'a'", b"//c", b"/**/", b"\xef\xbb\xbf", b"\x00"),
    *(b",", b"{", b"}", b"[", b"]", b":", b"\xc2\xa0", b"\x0b", b"\xff", b" ", b"\n", b"{}"),
]


def values(keys: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Values in JSON, whose objects have some of these keys."""
    return st.recursive(
        st.sampled_from(SCALARS),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3).map(lambda items: b"[" + b",".join(items) + b"]"),
            objects(keys, inner),
        ),
        max_leaves=8,
    )


def objects(keys: Sequence[bytes], inner: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Objects with these keys, which may come twice."""
    pairs = st.tuples(st.sampled_from(keys), inner).map(lambda pair: b'"%s":%s' % pair)
    return st.lists(pairs, max_size=5).map(lambda found: b"{" + b",".join(found) + b"}")


def fitting(pairs: Mapping[bytes, Sequence[bytes]]) -> st.SearchStrategy[bytes]:
    """Objects whose keys mostly have values that fit them."""
    each = [(key, value) for key, found in pairs.items() for value in found]
    pair = st.sampled_from(each).map(lambda one: b'"%s":%s' % one)
    return st.lists(pair, min_size=1, max_size=5).map(lambda found: b"{" + b",".join(found) + b"}")


def documents(
    keys: Sequence[bytes],
    *,
    listed: bool = False,
    fits: Mapping[bytes, Sequence[bytes]] | None = None,
) -> st.SearchStrategy[bytes]:
    """Documents, a good part of them broken somewhere; listed ones are lists of objects."""
    wholes = [objects(keys, values(keys))]
    if fits is not None:
        wholes += [fitting(fits)] * 3
    whole = st.one_of(wholes)
    if listed:
        whole = st.lists(whole, max_size=3).map(lambda items: b"[" + b",".join(items) + b"]")
    return st.one_of(whole, whole, whole, broken(whole), broken(values(keys)))


@st.composite
def broken(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """A document with a piece put in, or bytes cut out of it."""
    document = draw(whole)
    start = draw(st.integers(0, len(document)))
    cut = draw(st.sampled_from([0, 0, 1, 2, len(document)]))
    piece = draw(st.sampled_from([b"", *BROKEN, *SCALARS[:6]]))
    return document[:start] + piece + document[start + cut :]


def encodings() -> st.SearchStrategy[bytes]:
    """Texts that are nearly base64."""
    odd = st.text("AZaz09+/=\r\n-_ \xe9", max_size=12).map(str.encode)
    right = st.binary(max_size=7).map(base64.b64encode)
    return st.one_of(odd, right, broken(right))
