# SPDX-License-Identifier: Apache-2.0
"""Queries over rows: sorting, fields, limits, pages, indexes."""

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastledger.ledger import richquery
from fastledger.ledger.richquery import QueryInvalid
from fastledger.ledger.richquery.selector import compile_selector

STATE = sorted(
    {
        "a1": b'{"owner":"tom","size":5,"in":{"x":1,"y":2}}',
        "a2": b'{"owner":"bob","size":3}',
        "a3": b'{"size":1,"owner":"tom"}',
        "a4": b'{"owner":"tom"}',
        "b1": b"plain text",
        "b2": b"[1]",
        "b3": b'{"size":NaN}',
    }.items()
)
SIZE = richquery.parse_index(
    "META-INF/statedb/couchdb/indexes/size.json",
    b'{"index":{"fields":["size"]},"ddoc":"d","name":"size","type":"json"}',
)
OWNER_SIZE = richquery.parse_index(
    "META-INF/statedb/couchdb/indexes/os.json", b'{"index":{"fields":["owner","size"]}}'
)


def rows_from(start: str) -> Iterator[tuple[str, bytes]]:
    return ((key, value) for key, value in STATE if key >= start)


def keys(query: dict, **more: object) -> list[str]:
    return [key for key, _ in richquery.execute(json.dumps(query), rows_from, **more)]


def test_only_json_objects_are_documents_and_values_come_as_stored() -> None:
    rows = list(richquery.execute('{"selector":{}}', rows_from))
    assert [key for key, _ in rows] == ["a1", "a2", "a3", "a4"]
    assert rows[2][1] == b'{"size":1,"owner":"tom"}'


def test_sort_needs_an_index_and_leaves_out_what_the_index_has_not() -> None:
    query = {"selector": {}, "sort": [{"size": "desc"}]}
    with pytest.raises(QueryInvalid, match="No index exists for this sort, try indexing"):
        keys(query)
    assert keys(query, indexes=[SIZE]) == ["a1", "a2", "a3"]
    assert keys({"selector": {}, "sort": ["size"]}, indexes=[SIZE]) == ["a3", "a2", "a1"]


def test_fields_before_the_sort_must_be_fixed() -> None:
    sort = {"sort": ["size"]}
    with pytest.raises(QueryInvalid):
        keys({"selector": {"owner": {"$gt": "a"}}, **sort}, indexes=[OWNER_SIZE])
    assert keys({"selector": {"owner": "tom"}, **sort}, indexes=[OWNER_SIZE]) == ["a3", "a1"]
    both = {"selector": {}, "sort": ["owner", "size"]}
    assert keys(both, indexes=[OWNER_SIZE]) == ["a2", "a3", "a1"]


def test_fields_limit_and_skip() -> None:
    query = {"selector": {"owner": "tom"}, "fields": ["in.x", "owner"], "limit": 2, "skip": 0}
    assert list(richquery.execute(json.dumps(query), rows_from)) == [
        ("a1", b'{"in":{"x":1},"owner":"tom"}'),
        ("a3", b'{"owner":"tom"}'),
    ]
    assert keys({"selector": {"owner": "tom"}, "skip": 1}) == ["a3", "a4"]
    assert keys({"selector": {}, "limit": 0}) == []


def test_projected_values_are_written_as_go_writes_them() -> None:
    def one(_: str) -> Iterator[tuple[str, bytes]]:
        yield "k", b'{"z":"<a>&\\ud800","b":1.50}'

    query = '{"selector":{},"fields":["z","b"]}'
    ((_, value),) = richquery.execute(query, one)
    assert value == '{"b":1.5,"z":"\\u003ca\\u003e\\u0026\ufffd"}'.encode()


@pytest.mark.parametrize("sort", [[], ["size"], [{"size": "desc"}]])
@pytest.mark.parametrize("page_size", [1, 2, 3, 50])
@given(
    sizes=st.lists(st.one_of(st.integers(-3, 3), st.sampled_from(["a", "B", None])), max_size=12)
)
def test_pages_joined_are_the_whole_result(page_size: int, sort: list, sizes: list) -> None:
    state = [(f"k{place:02}", json.dumps({"size": s}).encode()) for place, s in enumerate(sizes)]
    query = json.dumps({"selector": {"size": {"$gte": None}}, "sort": sort})

    def source(start: str) -> Iterator[tuple[str, bytes]]:
        return ((key, value) for key, value in state if key >= start)

    whole = list(richquery.execute(query, source, indexes=[SIZE]))
    assert len(whole) == len(sizes)
    paged, bookmark = [], ""
    for _ in range(len(sizes) + 1):
        page = richquery.execute(
            query, source, indexes=[SIZE], page_size=page_size, bookmark=bookmark
        )
        rows = list(page)
        assert len(rows) <= page_size
        bookmark = page.bookmark_and_close()
        if not rows:
            assert bookmark == "nil"
            break
        paged += rows
    assert paged == whole


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "no JSON"),
        ("[]", "with a selector"),
        ('{"selector":{},"order":1}', "unknown keys: order"),
        ('{"selector":{},"limit":-1}', "limit must be a number"),
        ('{"selector":{},"fields":[1]}', "fields must be"),
        ('{"selector":{},"sort":["a",{"b":"desc"}]}', "single direction"),
        ('{"selector":{},"sort":[{"a":"up"}]}', "asc"),
        ('{"selector":{"a":{"$x":1}}}', "Invalid operator"),
        ('{"selector":' * 50_000, "no JSON"),
    ],
)
def test_bad_queries_are_named(text: str, says: str) -> None:
    with pytest.raises(QueryInvalid, match=says):
        richquery.execute(text, rows_from)


@pytest.mark.parametrize("bookmark", ["zzz", "e30=", "W10=", "eyJrZXkiOjF9"])
def test_a_forged_bookmark_is_refused(bookmark: str) -> None:
    with pytest.raises(QueryInvalid, match="bookmark"):
        richquery.execute('{"selector":{}}', rows_from, bookmark=bookmark)


def test_a_query_that_reads_too_long_ends() -> None:
    def endless(_: str) -> Iterator[tuple[str, bytes]]:
        while True:
            yield "k", b"no document"

    with pytest.raises(QueryInvalid, match="takes too long"):
        list(richquery.execute('{"selector":{}}', endless, time_limit_s=0.05))


@pytest.mark.parametrize(
    ("path", "content", "says"),
    [
        ("META-INF/indexes/a.json", b"{}", "indexes belong into"),
        ("META-INF/statedb/couchdb/indexes/a.json", b"{", "no JSON"),
        ("META-INF/statedb/couchdb/indexes/a.json", b"{}", 'no object "index"'),
        ("META-INF/statedb/couchdb/indexes/a.json", b'{"index":{"fields":[]}}', "at least one"),
        ("META-INF/statedb/couchdb/indexes/a.json", b'{"index":{"fields":["a"],"x":1}}', "x"),
        (
            "META-INF/statedb/couchdb/indexes/a.json",
            b'{"index":{"fields":["a"]},"type":"text"}',
            "json",
        ),
    ],
)
def test_bad_indexes_are_named(path: str, content: bytes, says: str) -> None:
    with pytest.raises(QueryInvalid, match=says):
        richquery.parse_index(path, content)


def test_an_index_of_a_collection_and_a_partial_index() -> None:
    index = richquery.parse_index(
        "META-INF/statedb/couchdb/collections/assets/indexes/a.json",
        b'{"index":{"fields":["size"],"partial_filter_selector":{"owner":"tom"}},"ddoc":"d"}',
    )
    assert index.collection == "assets"
    query = {"selector": {}, "sort": ["size"]}
    assert keys({**query, "use_index": "_design/d"}, indexes=[index]) == ["a3", "a1"]
    for hint in ({}, {"use_index": "other"}, {"use_index": ["d", "other"]}):
        with pytest.raises(QueryInvalid, match="No index exists"):
            keys({**query, **hint}, indexes=[index])


ODD = {
    "lone": b'{"f":"\\ud800"}',
    "low": b'{"f":["\\udc00",{"\\ud800":"x"}]}',
    "bytes": b'{"f":"\xff"}',
    "twice": b'{"f":1,"f":"abd"}',
    "deep": b'{"f":' + b"[" * 5000 + b"]" * 5000 + b"}",
    "deeper": b'{"f":' + b'{"f":' * 9_000 + b"1" + b"}" * 9_001,
    "too-deep": b'{"f":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "long": b'{"f":' + b"1" * 400 + b"}",
    "huge": b'{"f":1e400}',
    "minus": b'{"f":-0}',
    "reserved": b'{"_id":"other","_rev":5,"~version":{},"f":"ab"}',
    "accents": b'{"f":"' + "a\u0301\u0323".encode() * 5000 + b'"}',
    "empty-keys": b'{"":{"":""},"f":"a","$gt":1,"a.b":2}',
    "utf16": '{"f":"abc"}'.encode("utf-16"),
    "zzz": b'{"f":"abc","g":5.0}',
}
F = richquery.parse_index(
    "META-INF/statedb/couchdb/indexes/f.json", b'{"index":{"fields":["f"]},"ddoc":"d","name":"f"}'
)


def odd_rows(start: str) -> Iterator[tuple[str, bytes]]:
    return ((key, ODD[key]) for key in sorted(ODD) if key >= start)


def asked(query: str) -> list[str]:
    """Ask page by page, so that bookmarks of odd values are read again."""
    found: list[str] = []
    bookmark = ""
    while True:
        rows = richquery.execute(query, odd_rows, indexes=[F], page_size=1, bookmark=bookmark)
        page = [key for key, _ in rows]
        if not page:
            return found
        found += page
        bookmark = rows.bookmark_and_close()


def test_no_document_stops_a_query() -> None:
    assert asked('{"selector":{"f":{"$regex":"^ab"}}}') == ["reserved", "twice", "zzz"]
    assert asked('{"selector":{"f":"\\ud800"}}') == ["bytes", "lone"]
    assert asked('{"selector":{"f":{"$regex":"\\ud800"}}}') == ["bytes", "lone"]
    assert asked('{"selector":{"f":{"$beginsWith":"\\udfff"}}}') == ["bytes", "lone"]
    assert asked('{"selector":{"f":0}}') == ["minus"]
    documents = sorted(ODD.keys() - {"too-deep", "long", "huge", "utf16"})
    assert asked('{"selector":{}}') == documents
    assert asked('{"selector":{},"fields":["f","g.x"]}') == documents
    assert sorted(asked('{"selector":{"f":{"$gt":null}},"sort":["f"]}')) == documents
    assert sorted(asked('{"selector":{},"sort":[{"f":"desc"}],"fields":["f"]}')) == documents
    for operator in ("$eq", "$ne", "$lt", "$in", "$nin", "$all", "$elemMatch", "$keyMapMatch"):
        argument = '["\\ud800"]' if operator in ("$in", "$nin", "$all") else '"\\ud800"'
        asked(f'{{"selector":{{"f":{{"{operator}":{argument}}}}}}}')


def test_numbers_of_documents_are_float64_as_in_go() -> None:
    state = {
        "a": b'{"n":9007199254740993}',
        "b": b'{"n":5.0}',
        "c": b'{"n":1e2}',
        "d": b'{"n":1e21}',
        "e": b'{"n":0.1}',
    }

    def rows(start: str) -> Iterator[tuple[str, bytes]]:
        return iter(sorted(state.items()))

    def found(condition: str) -> list[str]:
        query = f'{{"selector":{{"n":{condition}}}}}'
        return [key for key, _ in richquery.execute(query, rows)]

    assert found("9007199254740992") == ["a"]
    assert found("9007199254740993") == []
    assert found('{"$mod":[5,0]}') == ["b", "c"]
    shown = [value for _, value in richquery.execute('{"selector":{},"fields":["n"]}', rows)]
    assert shown[:3] == [b'{"n":9007199254740992}', b'{"n":5}', b'{"n":100}']


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ('{"selector":{"a":1e400}}', "too large"),
        ('{"selector":NaN}', "invalid character 'N'"),
        ("[" * 100_000, "exceeded max depth"),
        ('{"selector":{},"limit":' + "[" * 5000 + "]" * 5000 + "}", "limit must be a number"),
        ('{"selector":{},"sort":[' + "[" * 5000 + "]" * 5000 + "]}", "sort has"),
    ],
)
def test_odd_queries_are_refused(query: str, error: str) -> None:
    with pytest.raises(QueryInvalid, match=error):
        richquery.execute(query, rows_from)


def test_what_stands_behind_a_query_does_not_count() -> None:
    assert len(list(richquery.execute('{"selector":{"owner":"bob"}} trailing', rows_from))) == 1


def test_a_negative_page_is_a_page_of_all() -> None:
    rows = richquery.execute('{"selector":{}}', rows_from, page_size=-1)
    assert [key for key, _ in rows] == ["a1", "a2", "a3", "a4"]


@pytest.mark.parametrize("value", ["\ud800", "\udfffabc"])
def test_operators_take_any_text(value: str) -> None:
    for operator, argument in (("$regex", "a"), ("$regex", value), ("$eq", value), ("$gt", "")):
        compile_selector({"f": {operator: argument}})({"f": value})
