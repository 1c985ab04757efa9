# SPDX-License-Identifier: Apache-2.0
"""Queries that read an index against queries that read every row, and against a slow judge."""

import functools
import json
from collections.abc import Iterator
from pathlib import Path

import lmdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastledger.ledger import richquery
from fastledger.ledger.richquery import IndexTables, QueryInvalid, Space, StoredEntries
from fastledger.ledger.richquery.collation import compare
from fastledger.ledger.richquery.documents import parse_document
from fastledger.ledger.richquery.selector import compile_selector, is_missing, lookup, split_path

LONG = "x" * 470
"""So long that with a little more it does not fit into a key of LMDB."""

DEFINITIONS = [
    {"index": {"fields": ["a"]}, "ddoc": "da", "name": "a"},
    {"index": {"fields": ["b", "a"]}, "ddoc": "dba", "name": "ba"},
    {"index": {"fields": ["a", "b", "c.d"]}, "ddoc": "dabc", "name": "abc"},
    {"index": {"fields": [{"c.d": "desc"}]}, "ddoc": "dc", "name": "c"},
    {
        "index": {"fields": ["b"], "partial_filter_selector": {"a": {"$gt": 1}}},
        "ddoc": "dp",
        "name": "p",
    },
]
FILES = {
    f"META-INF/statedb/couchdb/indexes/{number}.json": json.dumps(definition).encode()
    for number, definition in enumerate(DEFINITIONS)
}
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([2**53, 2**53 + 1, 0.5, "", "a", "B", "b", "é", [], [1], {}, {"d": 1}]),
    st.sampled_from([LONG + end for end in ("", "a", "b" * 30, "b" * 40, "b" * 41, "c" * 90)]),
)
KEYS = st.one_of(
    st.sampled_from(["k1", "k2", "k3", "\0one\0two\0", "é", "k" * 480, "k" * 481, "k" * 600]),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=3),
)
DOCUMENTS = st.one_of(
    st.fixed_dictionaries(
        {}, optional={"a": VALUES, "b": VALUES, "c": st.fixed_dictionaries({"d": VALUES})}
    ).map(lambda document: json.dumps(document).encode()),
    st.sampled_from(
        [
            *(b"plain", b"[1]", b'{"a":NaN}', b'{"a":1e999}', b'{"a":"\\ud800"}', b'{"a":"\xff"}'),
            *(b'{"a":1,"a":2,"b":"\\udc00x"}', b'{"a":-0,"b":5.0,"c":{"d":1e400}}'),
            b'{"a":' + b"[" * 1100 + b"]" * 1100 + b',"b":1}',
            b'{"b":' + b'{"c":' * 1100 + b"1" + b"}" * 1100 + b',"a":"\\ud800"}',
        ]
    ),
)
STATES = st.dictionaries(KEYS, DOCUMENTS, max_size=25)
FIELDS = st.sampled_from(["a", "b", "c.d", "_id"])
COMPARISONS = st.dictionaries(
    st.sampled_from(["$eq", "$gt", "$gte", "$lt", "$lte", "$ne"]), VALUES, min_size=1, max_size=2
)
CONDITIONS = st.one_of(
    VALUES,
    COMPARISONS,
    COMPARISONS.map(lambda one: {"$and": [one, {}]}),
    COMPARISONS.map(lambda one: {"$not": one}),
    st.booleans().map(lambda there: {"$exists": there}),
    st.lists(VALUES, max_size=3).map(lambda values: {"$in": values}),
)
FLAT = st.one_of(
    st.dictionaries(FIELDS, CONDITIONS, max_size=3),
    st.dictionaries(st.just("c"), st.dictionaries(st.just("d"), CONDITIONS, max_size=1)),
)
SELECTORS = st.one_of(
    FLAT,
    st.lists(FLAT, min_size=1, max_size=2).map(lambda parts: {"$and": parts}),
    st.lists(FLAT, min_size=1, max_size=2).map(lambda parts: {"$or": parts}),
    st.tuples(FLAT, st.lists(FLAT, max_size=2)).map(lambda two: {**two[0], "$nor": two[1]}),
)
SORTS = st.one_of(
    st.just([]),
    st.tuples(
        st.sampled_from(
            [["a"], ["b"], ["c.d"], ["b", "a"], ["a", "b"], ["_id"], ["a", "b", "c.d"]]
        ),
        st.sampled_from(["asc", "desc"]),
    ).map(lambda sort: [{field: sort[1]} for field in sort[0]]),
)
HINTS = st.sampled_from([{}, {}, {"use_index": "dp"}, {"use_index": ["_design/dabc", "abc"]}])
LIMITS = st.one_of(
    st.just({}), st.fixed_dictionaries({"limit": st.integers(0, 9), "skip": st.integers(0, 3)})
)
QUERIES = st.tuples(SELECTORS, SORTS, HINTS, LIMITS).map(
    lambda parts: {"selector": parts[0], "sort": parts[1], **parts[2], **parts[3]}
)


class Indexed:
    """A state with indexes, as they were before some keys changed."""

    def __init__(self, folder: Path) -> None:
        self.env = lmdb.open(str(folder), max_dbs=3, map_size=1 << 26, sync=False)
        self.tables = IndexTables(self.env)
        self.state: dict[str, bytes] = {}
        with self.env.begin(write=True) as txn:
            space = self.tables.define(txn, "cc", "", FILES)
            assert space is not None
            self.space: Space = space
        self.changed: set[str] = set()

    def become(self, state: dict[str, bytes]) -> None:
        with self.env.begin(write=True) as txn:
            for key in self.state.keys() | self.changed | state.keys():
                self.tables.put(txn, self.space, key, state.get(key))
        self.state, self.changed = dict(state), set()

    def change(self, changes: dict[str, bytes | None]) -> None:
        """Change the state behind the index's back."""
        for key, value in changes.items():
            self.changed.add(key)
            self.state.pop(key, None)
            if value is not None:
                self.state[key] = value

    @property
    def indexes(self) -> list[richquery.Index]:
        return list(self.space.indexes.values())

    def rows(self, start: str) -> Iterator[tuple[str, bytes]]:
        ordered = sorted(self.state, key=lambda key: key.encode())
        return ((key, self.state[key]) for key in ordered if key.encode() >= start.encode())

    def entries(self, index: richquery.Index) -> richquery.Entries:
        number = self.space.number_of(index)
        assert number is not None
        txn = self.env.begin()
        return StoredEntries(self.tables, txn, number, index, self.state.get, self.changed)


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Indexed:
    return Indexed(tmp_path_factory.mktemp("indexed"))


def run(indexed: Indexed, query: dict, *, by_index: bool, **more: object) -> list:
    rows = richquery.execute(
        json.dumps(query),
        indexed.rows,
        indexes=indexed.indexes,
        entries_of=indexed.entries if by_index else None,
        **more,
    )
    return [*rows, rows.bookmark_and_close()]


def slow(indexed: Indexed, query: dict) -> list[str] | None:
    """What a sort by one of the plain indexes returns; None where no index allows it."""
    names = [next(iter(field)) for field in query["sort"]]
    paths = [split_path(name) for name in names]
    matches = compile_selector(query["selector"])
    found = []
    for key, value in indexed.state.items():
        document = parse_document(key, value)
        if document is not None and matches(document):
            values = [lookup(document, path) for path in paths]
            if not any(is_missing(one) for one in values):
                found.append((values, key))

    def order(one: tuple, other: tuple) -> int:
        for left, right in zip(one[0], other[0], strict=True):
            if compare(left, right):
                return compare(left, right)
        return (one[1] > other[1]) - (one[1] < other[1])

    found.sort(key=functools.cmp_to_key(order))
    return [key for _, key in (found[::-1] if "desc" in str(query["sort"]) else found)]


HYPOTHESIS = settings(
    max_examples=600, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@HYPOTHESIS
@given(state=STATES, query=QUERIES, data=st.data())
def test_an_index_changes_no_result(
    indexed: Indexed, state: dict, query: dict, data: st.DataObject
) -> None:
    indexed.become(state)
    keys = st.sampled_from(sorted(state)) | KEYS if state else KEYS
    indexed.change(data.draw(st.dictionaries(keys, st.none() | DOCUMENTS, max_size=5)))
    try:
        scanned = run(indexed, query, by_index=False)
    except QueryInvalid as error:
        with pytest.raises(QueryInvalid) as other:
            run(indexed, query, by_index=True)
        assert str(other.value) == str(error)
        return
    assert run(indexed, query, by_index=True) == scanned


@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("operator", ["$eq", "$gt", "$gte", "$lt", "$lte"])
def test_keys_that_had_to_be_cut(indexed: Indexed, operator: str, direction: str) -> None:
    ends = ["", "a", *("b" * length for length in range(50)), "c" * 90]
    indexed.become({f"k{n}": json.dumps({"a": LONG + end}).encode() for n, end in enumerate(ends)})
    indexed.change({"k3": None, "k4": b'{"a":1}', "new": json.dumps({"a": LONG + "b"}).encode()})
    for end in ends:
        query = {
            "selector": {"a": {operator: LONG + end}},
            "sort": [{"a": direction}],
            "use_index": "da",
        }
        scanned = run(indexed, query, by_index=False)
        assert run(indexed, query, by_index=True) == scanned
        assert [key for key, _ in scanned[:-1]] == slow(indexed, query)


@HYPOTHESIS
@given(state=STATES, query=QUERIES, size=st.integers(1, 4))
def test_pages_of_an_index_joined_are_the_whole(
    indexed: Indexed, state: dict, query: dict, size: int
) -> None:
    indexed.become(state)
    query = {name: query[name] for name in query if name not in ("limit", "skip")}
    try:
        *whole, _ = run(indexed, query, by_index=False)
    except QueryInvalid:
        return
    paged, bookmark = [], ""
    while bookmark != "nil":
        *rows, bookmark = run(indexed, query, by_index=True, page_size=size, bookmark=bookmark)
        paged += rows
    assert paged == whole


@HYPOTHESIS
@given(state=STATES, selector=SELECTORS, descending=st.booleans())
@pytest.mark.parametrize("fields", [["a"], ["c.d"], ["b", "a"]])
def test_sorted_results_are_those_of_a_slow_judge(
    indexed: Indexed, fields: list[str], state: dict, selector: dict, descending: bool
) -> None:
    indexed.become(state)
    sort = [{field: "desc" if descending else "asc"} for field in fields]
    hint = {"a": "da", "c.d": "dc", "b": "dba"}[fields[0]]
    query = {"selector": selector, "sort": sort, "use_index": hint}
    *rows, _ = run(indexed, query, by_index=True)
    assert [key for key, _ in rows] == slow(indexed, query)


def test_only_the_range_is_read(indexed: Indexed) -> None:
    indexed.become({f"k{n:03}": json.dumps({"a": n, "b": n % 7}).encode() for n in range(200)})
    read: list[str] = []

    class Counting(StoredEntries):
        def __init__(self, index: richquery.Index) -> None:
            number = indexed.space.number_of(index)
            assert number is not None
            super().__init__(indexed.tables, indexed.env.begin(), number, index, self.look)

        def look(self, key: str) -> bytes | None:
            read.append(key)
            return indexed.state.get(key)

    def never(_: str) -> Iterator[tuple[str, bytes]]:
        raise AssertionError("reads the state")

    def count(query: dict) -> int:
        read.clear()
        list(
            richquery.execute(
                json.dumps(query), never, indexes=indexed.indexes, entries_of=Counting
            )
        )
        return len(read)

    assert count({"selector": {"a": {"$gte": 10, "$lt": 13}}}) == 3
    assert count({"selector": {"$and": [{"a": {"$gt": 5}}, {"a": {"$lte": 8}}], "b": 6}}) == 1
    assert count({"selector": {"a": 7}, "fields": ["a"]}) == 1
    assert count({"selector": {"b": 3}, "sort": [{"b": "desc"}, {"a": "desc"}], "limit": 2}) == 2
    assert count({"selector": {"b": 3}, "sort": ["a"], "limit": 2}) == 2
    assert count({"selector": {"a": {"$gt": 100}}, "sort": ["a"], "limit": 5}) == 5


def test_entries_go_with_their_documents(tmp_path: Path) -> None:
    indexed = Indexed(tmp_path)
    indexed.become(
        {"k" * size: b'{"a":1,"b":2,"c":{"d":"%s"}}' % (b"x" * 600) for size in (1, 600)}
    )
    indexed.become({})
    with indexed.env.begin() as txn:
        for name in (b"index-entries", b"index-documents"):
            assert txn.stat(indexed.env.open_db(name, txn))["entries"] == 0


def test_a_package_adds_and_replaces(tmp_path: Path) -> None:
    def file(path: str, fields: list[str], **names: str) -> dict[str, bytes]:
        place = f"META-INF/statedb/couchdb/indexes/{path}.json"
        return {place: json.dumps({"index": {"fields": fields}, **names}).encode()}

    indexed = Indexed(tmp_path)
    indexed.become({"k": b'{"a":1,"b":2}'})
    with indexed.env.begin(write=True) as txn:
        assert indexed.tables.define(txn, "cc", "", FILES) is None
        moved = {path.replace("/indexes/", "/indexes/x"): FILES[path] for path in FILES}
        assert indexed.tables.define(txn, "cc", "", moved) is None
        indexed.tables.follow(txn, indexed.space, 7)
        bad = {"META-INF/statedb/couchdb/indexes/bad.json": b"{"}
        assert indexed.tables.define(txn, "cc", "", bad) is None
        more = file("more", ["z"], ddoc="dz", name="z") | file("9", ["b"], ddoc="da", name="a")
        # Of one name the last path counts.
        more |= file("8", ["c.d"], ddoc="da", name="a") | file("7", ["y"])
        changed = indexed.tables.define(txn, "cc", "", more)
        assert changed is not None
        assert indexed.tables.define(txn, "cc", "", more) is None
        assert indexed.tables.height(txn, indexed.space) is None
        fields = {index.name: index.fields[0].name for index in changed.indexes.values()}
        assert fields == {"a": "b", "ba": "b", "abc": "a", "c": "c.d", "p": "b", "z": "z", "": "y"}
        indexed.tables.follow(txn, changed, 8)
    with indexed.env.begin() as txn:
        stored = indexed.tables.spaces(txn)["cc", ""]
        assert stored.height == 8
        assert stored.files == changed.files
        assert txn.stat(indexed.env.open_db(b"index-entries", txn))["entries"] == 0
