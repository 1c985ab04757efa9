# SPDX-License-Identifier: Apache-2.0
"""YAML as Go reads it; what is expected here go-yaml 4.0.0-rc.4 was seen to do."""

from dataclasses import dataclass
from typing import Any

import pytest

from fastledger.common import goyaml
from fastledger.common.durations import Duration
from fastledger.common.errors import InputError
from fastledger.common.goyaml import Int, Uint32, key
from fastledger.common.goyaml.scalars import Time


@dataclass(frozen=True, slots=True)
class Inner:
    text: str = key("Text", "")


@dataclass(frozen=True, slots=True)
class Outer:
    text: str = key("Text", "")
    flag: bool = key("Flag", False)
    number: Int = key("Number", 0)
    small: Uint32 = key("Small", 0)
    texts: tuple[str, ...] = key("Texts", ())
    inner: Inner = key("Inner", Inner())
    pointer: Inner | None = key("Pointer", None)
    inners: tuple[Inner, ...] = key("Inners", ())
    pointers: tuple[Inner | None, ...] = key("Pointers", ())
    named: dict[str, Inner] = key("Named", dict)
    wait: Duration = key("Wait", Duration(0))
    anything: dict[str, Any] = key("Anything", dict)


def read(text: str) -> Outer:
    return goyaml.parse(text.encode(), Outer, "test")


@pytest.mark.parametrize(
    ("spelled", "meant"),
    [
        *((one, one) for one in ("01234", "1.10", "010", "1e3", "true", "yes", "0x1F", "1_000")),
        *((one, one) for one in ("2020-01-01", "12:30", ".inf", "<<", "1e400", "-0")),
        *((one, "") for one in ("~", "null", "", "''", "!!null ''", "!foo ''")),
        ("!!str 5", "5"),
        ("!!float 1", "1"),
        ("!!binary aGk=", "hi"),
        ("! 12", "12"),
        ("|\n  a\n  b\n", "a\nb\n"),
    ],
)
def test_text_keeps_its_spelling(spelled: str, meant: str) -> None:
    assert read(f"Text: {spelled}").text == meant


@pytest.mark.parametrize(
    ("spelled", "meant"),
    [
        *((one, True) for one in ("true", "True", "TRUE", "yes", "On", "y", "'yes'", "!!str on")),
        *((one, False) for one in ("false", "no", "Off", "N", "'off'", "~", "")),
        *((one, None) for one in ("'true'", "1", "0", "maybe", "yEs", "[]", "!!bool yes", "''")),
    ],
)
def test_truth_values(spelled: str, meant: bool | None) -> None:
    if meant is None:
        with pytest.raises(InputError, match="line 1"):
            read(f"Flag: {spelled}")
    else:
        assert read(f"Flag: {spelled}").flag is meant


@pytest.mark.parametrize(
    ("spelled", "meant"),
    [
        ("0o17", 15),
        ("017", 15),
        ("0x1F", 31),
        ("0b11", 3),
        ("1_000", 1000),
        ("08", 8),
        ("1e2", 100),
        ("3.0", 3),
        ("-0", 0),
        ("+5", 5),
        ("9223372036854775807", (1 << 63) - 1),
        *(
            (one, None)
            for one in ("1.5", "'5'", "x", "9223372036854775808", "1e400", "true", ".inf")
        ),
    ],
)
def test_numbers(spelled: str, meant: int | None) -> None:
    if meant is None:
        with pytest.raises(InputError, match="Number: expected a whole number of 64 bits, found"):
            read(f"Number: {spelled}")
    else:
        assert read(f"Number: {spelled}").number == meant


@pytest.mark.parametrize(
    ("spelled", "fits"), [("4294967295", True), ("4294967296", False), ("-1", False)]
)
def test_a_number_has_a_width(spelled: str, fits: bool) -> None:
    if fits:
        assert read(f"Small: {spelled}").small == int(spelled)
    else:
        with pytest.raises(InputError, match="32 bits that is not negative"):
            read(f"Small: {spelled}")


def test_null_is_what_a_field_is_by_default_and_nothing_in_a_list() -> None:
    made = read(
        "Texts: [a, ~, 'b', 1.0]\nInners: [~, {Text: 1}]\nPointers: [~]\nNamed: {a: ~}\nInner:"
    )
    assert made.texts == ("a", "b", "1.0")
    assert made.inners == (Inner("1"),)
    assert made.pointers == (None,)
    assert made.named == {"a": Inner()}
    assert made.inner == Inner()


def test_other_kinds() -> None:
    made = read("Wait: 1m30s\nAnything: {a: [1, {b: yes}]}\nPointer: {}\n1: x\n~: y\nUnknown: [z]")
    assert made.wait == 90
    assert made.anything == {"a": [1, {"b": "yes"}]}
    assert made.pointer == Inner()
    assert read("Wait: 0").wait == 0
    for wrong in (
        "Wait: 5",
        "Wait: 0.0",
        "Wait: false",
        "Wait: soon",
        "Text: [a]",
        "Texts: a",
        "Inner: x",
        "Named: [a]",
    ):
        with pytest.raises(InputError, match="test: line 1: "):
            read(wrong)


def test_merge_keys_yield_to_a_mappings_own() -> None:
    made = read("x: &a {Text: a, Flag: yes}\ny: &b {Text: b, Number: 7}\nText: own\n<<: [*b, *a]")
    assert (made.text, made.flag, made.number) == ("own", True, 7)
    assert read("<<: {Text: a}").text == "a"
    assert read("x: &x {Text: a}\nInner: *x").inner == Inner("a")


@pytest.mark.parametrize(
    "text",
    [
        "Text: a\n---\nText: [",
        "%YAML 1.1\n---\nText: a\n...\n}",
        "\ufeffText: a",
        '"Text": "a"\n',
        "--- {Text: a}\n--- x",
    ],
)
def test_the_first_document_counts(text: str) -> None:
    assert read(text).text == "a"


def test_encodings() -> None:
    for encoding in ("utf-8-sig", "utf-16"):
        assert goyaml.parse("Text: é".encode(encoding), Outer, "test").text == "é"
    with pytest.raises(InputError, match="test"):
        goyaml.parse(b"Text: \xff", Outer, "test")


def test_documents_that_are_not_there() -> None:
    for text in (b"", b"# nothing\n", b"---\n", b"~"):
        assert goyaml.parse(text, Outer, "test") == Outer()
    with pytest.raises(InputError, match="the document is null"):
        goyaml.parse(b"---\n", Outer, "test", null=False)
    assert goyaml.parse(b"", Outer, "test", null=False) == Outer()


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\na: 2",
        "1: a\n'1': b",
        "a: [",
        "a: *b",
        "Text: !!int x",
        "%YAML 1.2\n---\na: b",
        'Text: "\\/"',
        "a:\n\t- b",
        "- a",
        "Inner: &a {Text: x, <<: *a}",
        "<<: [a]",
        "<<: ~",
        "[a]: b",
        "Anything: " + "[" * 200 + "]" * 200,
        "Anything: &a {x: [*a]}",
    ],
)
def test_refuses(text: str) -> None:
    with pytest.raises(InputError, match="test: "):
        read(text)


def test_aliases_are_bounded() -> None:
    lines = ["a0: &a0 [" + ", ".join("x" * 20) + "]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 20)}]" for n in range(1, 6)]
    with pytest.raises(InputError, match="excessive aliasing"):
        read("Anything:\n  " + "\n  ".join(lines))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("true", True),
        ("12:30", "12:30"),
        ("127.0.0.1", "127.0.0.1"),
        ("2026-11-20", Time("2026-11-20")),
        ("2026-13-20", "2026-13-20"),
        ("0x10", 16),
        ("0o17", 15),
        ("017", 15),
        ("019", 19.0),
        ("-7", -7),
        ("1.5", 1.5),
        ("1e400", "1e400"),
        ("18446744073709551615", (1 << 64) - 1),
        ("18446744073709551616", 2.0**64),
        ("~", None),
        ("'1'", "1"),
    ],
)
def test_values(text: str, value: object) -> None:
    found = goyaml.parse_value(f"key: {text}".encode(), "test")["key"]
    assert found == value
    assert type(found) is type(value)


def test_times_print_as_gos() -> None:
    assert str(Time("2001-1-2")) == "2001-01-02 00:00:00 +0000 UTC"
    assert str(Time("2001-1-2 3:4:5.60")) == "2001-01-02 03:04:05.6 +0000 UTC"
