# SPDX-License-Identifier: Apache-2.0
"""JSON as Go's encoding/json reads and writes it; the texts of errors are Go 1.26's."""

import json
from dataclasses import dataclass, field
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastledger.common import gojson
from fastledger.common.gojson import Base64Invalid, Custom, Int32, JsonInvalid, Key, UInt64
from fastledger.common.gojson.scanner import _Scanner
from json_inputs import SCALARS, documents, encodings


@dataclass
class Inner:
    GO = "pkg.inner"

    text: str = ""
    flag: bool = False


@dataclass
class Outer:
    GO = "pkg.outer"

    name: str = ""
    count: Annotated[Int32 | None, Key("peerCount")] = None
    live: Annotated[UInt64, Key("blockToLive")] = 0
    inner: Inner | None = None
    many: list[Inner] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    data: bytes = b""
    anything: Any = None
    by_name: Annotated[dict[str, Inner], Key("byName")] = field(default_factory=dict)
    own: Annotated[str, Custom(lambda value: f"read {value}")] = ""


def read(text: str | bytes) -> Outer:
    return gojson.unmarshal(text, Outer)


def test_keys_fold_as_in_go() -> None:
    assert read('{"NAME":"a"}').name == "a"
    assert read('{"peercount":1,"BLOC\u212aTOLIVE":2,"text\u017f":["x"]}') == Outer(
        count=1, live=2, texts=["x"]
    )
    assert read('{"näme":"a","nam":"b"}') == Outer()


def test_of_two_keys_the_last_counts_and_objects_grow() -> None:
    assert read('{"name":"a","Name":"b"}').name == "b"
    assert read('{"name":"a","name":null}').name == "a"
    assert read('{"inner":{"text":"a"},"inner":{"flag":true}}').inner == Inner("a", flag=True)
    assert read('{"many":[{"text":"a"}],"many":[{"flag":true}]}').many == [Inner("a", flag=True)]
    assert read('{"byName":{"a":{"text":"b"}},"byName":{"c":{}}}').by_name == {
        "a": Inner("b"),
        "c": Inner(),
    }
    assert read('{"byName":{"a":{"text":"b"},"a":{}}}').by_name == {"a": Inner()}


def test_null_leaves_or_empties() -> None:
    text = '{"name":null,"peerCount":null,"inner":null,"many":null,"data":null,"texts":[null,"a"]}'
    assert read(text) == Outer(texts=["", "a"])
    assert read('{"peerCount":5,"peerCount":null}').count is None
    assert read("null") == Outer()
    assert gojson.unmarshal("null", dict[str, bytes]) == {}
    assert gojson.unmarshal('{"a":null}', dict[str, bytes]) == {"a": b""}
    assert read('{"own":null}').own == "read None"


@pytest.mark.parametrize(
    ("document", "error"),
    [
        ('{"name":5}', "number into Go struct field outer.name of type string"),
        ('{"NAME":true}', "bool into Go struct field outer.name of type string"),
        ('{"inner":"x"}', "string into Go struct field outer.inner of type pkg.inner"),
        ('{"inner":{"flag":1}}', "number into Go struct field inner.inner.flag of type bool"),
        ('{"many":[{"text":{}}]}', "object into Go struct field inner.many.text of type string"),
        ('{"many":{}}', "object into Go struct field outer.many of type []pkg.inner"),
        ('{"texts":[1]}', "number into Go struct field outer.texts of type string"),
        ('{"peerCount":1.0}', "number 1.0 into Go struct field outer.peerCount of type int32"),
        ('{"peerCount":2147483648}', "number 2147483648 into Go struct field outer.peerCount "),
        ('{"peerCount":"1"}', "string into Go struct field outer.peerCount of type int32"),
        ('{"blockToLive":-1}', "number -1 into Go struct field outer.blockToLive of type uint64"),
        ('{"blockToLive":-0}', "number -0 into Go struct field outer.blockToLive of type uint64"),
        ('{"blockToLive":1e2}', "number 1e2 into Go struct field outer.blockToLive of type"),
        ('{"blockToLive":' + "9" * 5000 + "}", f"number {'9' * 64}… into Go struct field outer."),
        ('{"anything":1e400}', "number 1e400 into Go struct field outer.anything of type float64"),
        ("[]", "array into Go value of type pkg.outer"),
        ('"x"', "string into Go value of type pkg.outer"),
    ],
)
def test_wrong_types_are_named(document: str, error: str) -> None:
    with pytest.raises(JsonInvalid) as raised:
        read(document)
    assert f"json: cannot unmarshal {error}" in str(raised.value)


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (b"", "unexpected end of JSON input"),
        (b'{"a":1', "unexpected end of JSON input"),
        (b'{"a"', "unexpected end of JSON input"),
        (b"tru", "invalid character ' ' in literal true (expecting 'e')"),
        (b"nulL", "invalid character 'L' in literal null (expecting 'l')"),
        (b"{} x", "invalid character 'x' after top-level value"),
        (b'{"a":1}{', "invalid character '{' after top-level value"),
        (b"\xef\xbb\xbf{}", "invalid character '\u00ef' looking for beginning of value"),
        (b"NaN", "invalid character 'N' looking for beginning of value"),
        (b"[-Infinity]", "invalid character 'I' in numeric literal"),
        (b"01", "invalid character '1' after top-level value"),
        (b"[1.]", "invalid character ']' after decimal point in numeric literal"),
        (b"1.", "invalid character ' ' after decimal point in numeric literal"),
        (b"[1e+]", "invalid character ']' in exponent of numeric literal"),
        (b'["a\tb"]', "invalid character '\\t' in string literal"),
        (b'["\\x"]', "invalid character 'x' in string escape code"),
        (b'["\\u12g4"]', "invalid character 'g' in \\u hexadecimal character escape"),
        (b"[1 2]", "invalid character '2' after array element"),
        (b'{"a" 1}', "invalid character '1' after object key"),
        (b'{"a":1 "b"}', "invalid character '\"' after object key:value pair"),
        (b'{"a":1,}', "invalid character '}' looking for beginning of object key string"),
        (b"{'a':1}", "invalid character '\\'' looking for beginning of object key string"),
        (b"[1,]", "invalid character ']' looking for beginning of value"),
        (b"\x00", "invalid character '\\x00' looking for beginning of value"),
    ],
)
def test_what_is_no_json_is_named_as_in_go(document: bytes, error: str) -> None:
    with pytest.raises(JsonInvalid) as raised:
        gojson.unmarshal_any(document)
    assert str(raised.value) == error


def test_a_decoder_takes_the_first_value() -> None:
    assert gojson.decode('{"name":"a"} trailing', Outer).name == "a"
    assert gojson.decode('{"name":"a"}{"name":5}', Outer).name == "a"
    for document, error in (("", "EOF"), (" ", "EOF"), ('{"a"', "unexpected EOF")):
        with pytest.raises(JsonInvalid, match=f"^{error}$"):
            gojson.decode(document, Outer)
    with pytest.raises(JsonInvalid, match="after decimal point"):
        gojson.decode("1.x", Any)


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (b'"\\ud800"', "\ufffd"),
        (b'"\\udc00x"', "\ufffdx"),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'"\\uD83D\\uDE00"', "\U0001f600"),
        (b'"\\ud800\\ud83d\\ude00"', "\ufffd\U0001f600"),
        (b'"\\ud800\\n"', "\ufffd\n"),
        (b'"\\\\ud800"', "\\ud800"),
        (b'"\xff\xe2\x82"', "\ufffd\ufffd\ufffd"),
        (b'"\xed\xa0\x80"', "\ufffd\ufffd\ufffd"),
        (b'"\xf0\x9f\x98\x80"', "\U0001f600"),
        (b'"\x7f"', "\x7f"),
    ],
)
def test_text_is_always_unicode(document: bytes, text: str) -> None:
    assert gojson.unmarshal_any(document) == text
    assert gojson.unmarshal_any(b"{%s:1}" % document) == {text: 1.0}
    # Python keeps odd bytes of a command line as half surrogates.
    assert gojson.unmarshal_any(document.decode("utf-8", "surrogateescape")) == text


@pytest.mark.parametrize("pair", ["[]", "{}"])
def test_nesting_is_bounded_where_go_bounds_it(pair: str) -> None:
    begin, end = ("[", "]") if pair == "[]" else ('{"x":', "}")
    within = begin * (gojson.MAX_NESTING - 1) + pair + end * (gojson.MAX_NESTING - 1)
    gojson.unmarshal_any(within)
    assert gojson.unmarshal(f'{{"x":{within[len(begin) : -1]},"name":"a"}}', Outer).name == "a"
    for beyond in (begin + within + end, begin * 100_000):
        with pytest.raises(JsonInvalid, match="exceeded max depth"):
            gojson.unmarshal_any(beyond)


def test_bytes_are_base64_or_a_list() -> None:
    assert read('{"data":"YWJj"}').data == b"abc"
    assert read('{"data":"YW\\nJj\\r"}').data == b"abc"
    assert read('{"data":[1,255,null]}').data == b"\x01\xff\x00"
    for wrong, error in (
        ('"YQ"', "illegal base64 data at input byte 0"),
        ('"YW-j"', "illegal base64 data at input byte 2"),
        ('"YQ==YQ=="', "illegal base64 data at input byte 4"),
        ('"Y==="', "illegal base64 data at input byte 1"),
        ("[256]", "cannot unmarshal number 256 into Go struct field outer.data of type uint8"),
        ("1", "cannot unmarshal number into Go struct field outer.data of type []uint8"),
    ):
        with pytest.raises(JsonInvalid) as raised:
            read(f'{{"data":{wrong}}}')
        assert error in str(raised.value)


@given(encodings())
def test_base64_never_fails_otherwise(text: bytes) -> None:
    shown = text.decode("utf-8", "replace")
    try:
        gojson.decode_base64(shown)
    except Base64Invalid as error:
        assert 0 <= int(str(error).rpartition(" ")[2]) <= len(shown.encode())


@given(st.one_of(documents([b"a", b"b"]), st.sampled_from(SCALARS)))
def test_both_scanners_read_the_same(document: bytes) -> None:
    text = gojson.text_of(document)
    try:
        fast = gojson.read(document)
    except JsonInvalid as error:
        if "after top-level value" not in str(error):
            with pytest.raises(JsonInvalid) as raised:
                _Scanner(text, first=False).value(len(text) - len(text.lstrip(" \t\r\n")))
            assert str(raised.value) == str(error)
    else:
        slow, _ = _Scanner(text, first=False).value(len(text) - len(text.lstrip(" \t\r\n")))
        assert slow == fast


JSON = st.recursive(
    st.none() | st.booleans() | st.text() | st.integers(-(2**40), 2**40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(JSON)
def test_what_is_written_is_read_again(value: Any) -> None:
    assert gojson.unmarshal_any(gojson.marshal(value)) == value
    assert json.loads(gojson.marshal(value, indent="\t")) == value


def test_it_is_written_as_go_writes_it() -> None:
    value = {"b": "<a&b>\u2028", "a": ["\ud800", 1, True, None, {}, []]}
    assert gojson.marshal(value) == (
        '{"a":["\ufffd",1,true,null,{},[]],"b":"\\u003ca\\u0026b\\u003e\\u2028"}'
    )
    deep: Any = {"z": 1, "a": "\ud800<"}
    for _ in range(5000):
        deep = [deep]
    assert gojson.marshal(deep) == "[" * 5000 + '{"a":"\ufffd\\u003c","z":1}' + "]" * 5000
