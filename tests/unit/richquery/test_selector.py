# SPDX-License-Identifier: Apache-2.0
"""Selectors against the examples and rules of CouchDB's documentation (api/database/find)."""

import time

import pytest

from fastledger.ledger.richquery.collation import sort_key
from fastledger.ledger.richquery.selector import SelectorInvalid, compile_selector

MOVIE = {
    "_id": "m1",
    "title": "Live And Let Die",
    "year": 1973,
    "director": "Lars von Trier",
    "imdb": {"rating": 8.4, "votes": 5},
    "genre": ["Horror", "Drama"],
    "runs": [{"city": "Oslo", "days": 3}, {"city": "Rome", "days": 9}],
    "nothing": None,
    "empty": [],
    "cameras": {"secondary": "canon", "tertiary": "leica"},
    "a.b": 1,
    "flag": True,
}


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ({}, True),
        ({"director": "Lars von Trier"}, True),
        ({"director": "Lars"}, False),
        ({"title": "Live And Let Die", "year": {"$gte": 1970, "$lt": 1974}}, True),
        ({"imdb": {"rating": 8.4}}, True),
        ({"imdb.rating": {"$gt": 8}}, True),
        ({"imdb": {"rating": 8.4, "votes": {"$lt": 5}}}, False),
        (r'{"a\\.b": 1}', True),
        ({"runs.1.city": "Rome"}, True),
        # Types are ordered: null < booleans < numbers < text < arrays < objects.
        ({"year": {"$gt": None}}, True),
        ({"year": {"$gt": True}}, True),
        ({"title": {"$gt": 99999}}, True),
        ({"genre": {"$gt": "zzz"}}, True),
        ({"imdb": {"$gt": ["z"]}}, True),
        ({"year": {"$lt": "a"}}, True),
        # A missing field matches nothing but $exists: false.
        ({"absent": {"$ne": 1}}, False),
        ({"absent": {"$nin": [1]}}, False),
        ({"absent": {"$not": {"$eq": 1}}}, False),
        ({"$not": {"absent": 1}}, False),
        ({"$nor": [{"absent": 1}]}, False),
        ({"absent": {"$exists": False}}, True),
        ({"absent": {"$exists": True}}, False),
        ({"$not": {"absent": {"$exists": True}}}, True),
        ({"nothing": {"$exists": True}}, True),
        ({"nothing": None}, True),
        ({"nothing": {"$type": "null"}}, True),
        ({"year": {"$type": "number"}}, True),
        ({"flag": {"$type": "number"}}, False),
        ({"flag": {"$type": "boolean"}}, True),
        ({"genre": {"$type": "array"}}, True),
        ({"imdb": {"$type": "object"}}, True),
        ({"year": {"$in": [2010, 1973]}}, True),
        ({"genre": {"$in": ["Comedy", "Drama"]}}, True),
        ({"genre": {"$nin": ["Comedy", "Drama"]}}, False),
        ({"year": {"$in": []}}, False),
        ({"year": {"$nin": []}}, True),
        ({"genre": {"$size": 2}}, True),
        ({"title": {"$size": 2}}, False),
        ({"year": {"$mod": [10, 3]}}, True),
        ({"imdb.rating": {"$mod": [10, 8]}}, False),
        ({"title": {"$regex": "^Live.*Die$"}}, True),
        ({"year": {"$regex": "1"}}, False),
        ({"title": {"$beginsWith": "Live"}}, True),
        ({"genre": {"$all": ["Drama", "Horror"]}}, True),
        ({"genre": {"$all": ["Drama", "Comedy"]}}, False),
        ({"genre": {"$all": [["Horror", "Drama"]]}}, True),
        ({"genre": {"$all": []}}, False),
        ({"genre": {"$elemMatch": {"$eq": "Horror"}}}, True),
        ({"runs": {"$elemMatch": {"city": "Oslo", "days": {"$gt": 2}}}}, True),
        ({"runs": {"$elemMatch": {"city": "Oslo", "days": {"$gt": 5}}}}, False),
        ({"runs": {"$allMatch": {"days": {"$gt": 2}}}}, True),
        ({"runs": {"$allMatch": {"days": {"$gt": 3}}}}, False),
        ({"empty": {"$allMatch": {"days": 1}}}, False),
        ({"cameras": {"$keyMapMatch": {"$eq": "secondary"}}}, True),
        ({"cameras": {"$keyMapMatch": {"$eq": "primary"}}}, False),
        ({"$and": [{"year": 1973}, {"flag": True}]}, True),
        ({"$or": [{"year": 1}, {"flag": True}]}, True),
        ({"$or": [{"year": 1}, {"flag": False}]}, False),
        ({"$nor": [{"year": 1}, {"flag": False}]}, True),
        ({"$nor": [{"year": 1}, {"flag": True}]}, False),
        ({"$not": {"$or": [{"year": 1}, {"flag": True}]}}, False),
        ({"$not": {"$and": [{"year": 1}, {"flag": True}]}}, True),
        ({"$not": {"year": {"$lt": 1973}}}, True),
        ({"$not": {"title": {"$regex": "Die"}}}, False),
        ({"$and": []}, True),
        ({"genre": ["Horror", "Drama"]}, True),
        ({"genre": ["Drama", "Horror"]}, False),
        ({"genre": "Horror"}, False),
        ({"_id": {"$gt": "m0"}}, True),
    ],
)
def test_matches_as_couchdb_says(selector: object, expected: bool) -> None:
    if isinstance(selector, str):
        selector = {"a\\.b": 1}
    assert compile_selector(selector)(MOVIE) is expected


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        ([], "must be a JSON object"),
        ({"$or": {}}, r"\$or must be an array"),
        ({"a": {"$foo": 1}}, r"Invalid operator: \$foo"),
        ({"a": {"$exists": 1}}, "true or false"),
        ({"a": {"$mod": [0, 1]}}, "divisor"),
        ({"a": {"$in": "x"}}, "array"),
        ({"a": {"$size": -1}}, "number of elements"),
        ({"a": {"$type": "integer"}}, "one of null"),
        ({"a": {"$regex": "("}}, "RE2"),
        ({"a": {"$regex": r"(a)\1"}}, "backreferences"),
        ({"a": {"$regex": "x" * 2000}}, "at most"),
        ({"$or": [{"a": 1}] * 2000}, "conditions"),
    ],
)
def test_refuses_what_is_no_selector(selector: object, text: str) -> None:
    with pytest.raises(SelectorInvalid, match=text):
        compile_selector(selector)


def test_a_deep_selector_is_refused() -> None:
    selector: dict = {"a": 1}
    for _ in range(200):
        selector = {"$not": selector}
    with pytest.raises(SelectorInvalid, match="deep"):
        compile_selector(selector)


def test_a_hostile_pattern_takes_no_time() -> None:
    match = compile_selector({"a": {"$regex": "(a+)+$"}})
    begin = time.monotonic()
    assert not match({"a": "a" * 5000 + "b"})
    assert time.monotonic() - begin < 5


def test_values_sort_as_in_couchdbs_documentation() -> None:
    # The order of "Views collation" in CouchDB's documentation.
    ordered = [
        None,
        False,
        True,
        1,
        2,
        3.0,
        4,
        "a",
        "A",
        "aa",
        "b",
        "B",
        "ba",
        "bb",
        ["a"],
        ["b"],
        ["b", "c"],
        ["b", "c", "a"],
        ["b", "d"],
        ["b", "d", "e"],
        {"a": 1},
        {"a": 2},
        {"b": 1},
        {"b": 2},
        {"b": 2, "a": 1},
        {"b": 2, "c": 2},
    ]
    # Backwards, so that values found equal would stay in the wrong order.
    backwards = ordered[::-1]
    assert sorted(backwards, key=sort_key) == ordered


def test_accents_count_less_than_letters() -> None:
    assert sorted(["zoo", "Übel", "ubel", "über"], key=sort_key) == ["ubel", "Übel", "über", "zoo"]
