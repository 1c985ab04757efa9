# SPDX-License-Identifier: Apache-2.0
"""Files into typed fields as viper and Fabric's viperutil do; seen to be so with Fabric 3.1.5."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import pytest

from fastledger.common import viperutil
from fastledger.common.durations import Duration
from fastledger.common.errors import InputError
from fastledger.common.goyaml import Int, Pointer, Uint32, Uint64, key, refuse_nulls


@dataclass(slots=True)
class Part:
    text: str = key("Text", "")
    size: Uint32 = key("Size", 0)


@dataclass(slots=True)
class Whole:
    text: str = key("Text", "")
    flag: bool = key("Flag", False)
    count: Int = key("Count", 0)
    size: Uint32 = key("Size", 0)
    large: Uint64 = key("Large", 0)
    wait: Duration = key("Wait", Duration(0))
    texts: list[str] = key("Texts", list)
    part: Part = key("Part", Part)
    parts: list[Annotated[Part, Pointer]] = key("Parts", list)
    flags: dict[str, bool] = key("Flags", dict)
    content: bytes | None = key("Content", None)
    unread: int = field(default=7)


@pytest.fixture
def read(tmp_path: Path):
    def read(text: str, **environ: str) -> Whole:
        (tmp_path / "x.yaml").write_text(text, "utf-8")
        return viperutil.load(tmp_path / "x.yaml", Whole, "X", environ)

    return read


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("Text: 1e3", "text", "1000"),
        ("Text: 1.10", "text", "1.1"),
        ("Text: true", "text", "1"),
        ("Text: 010", "text", "8"),
        ("TEXT: a", "text", "a"),
        ("Flag: 'true'", "flag", True),
        ("Flag: 2", "flag", True),
        ("Flag: ''", "flag", False),
        ("Flag: T", "flag", True),
        ("Count: '0x10'", "count", 16),
        ("Count: 1.9", "count", 1),
        ("Count: true", "count", 1),
        ("Count: ''", "count", 0),
        ("Size: 4294967296", "size", 0),
        ("Size: -1", "size", 4294967295),
        ("Size: 10.5", "size", 10),
        ("Size: 1e2", "size", 100),
        ("Size: 1_000", "size", 1000),
        ("Size: 99 MB", "size", 99 << 20),
        ("Size: 010k", "size", 8 << 10),
        ("Size: 1 g", "size", 1 << 30),
        ("Large: -1", "large", (1 << 64) - 1),
        ("Large: 1e20", "large", 1 << 63),
        ("Wait: 1us", "wait", Duration(1000)),
        ("Wait: 1000", "wait", Duration(1000)),
        ("Wait: 2.9", "wait", Duration(2)),
        ("Texts: a", "texts", ["a"]),
        ("Texts: '[a, b]'", "texts", ["a", "b"]),
        ("Texts: [1, true]", "texts", ["1", "1"]),
        ("Texts: {}", "texts", []),
        ("Parts: {text: a}", "parts", [Part("a")]),
        ("Parts: [~, {}]", "parts", [None, Part()]),
        ("Flags: {a: 1, b: ~}", "flags", {"a": True}),
        ("Content: ab", "content", b"ab"),
        ("Content: [1, 2]", "content", b"\1\2"),
        ("Part: 2020-01-01", "part", Part()),
        ("Unknown: ~", "text", ""),
        ("~", "text", ""),
        ("Text: a\n---\n[", "text", "a"),
    ],
)
def test_conversions(read, text: str, field: str, value: object) -> None:
    assert getattr(read(text), field) == value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Text: '[a]'", "line 1: Text: expected text, found a list"),
        ("Text: 2020-01-01", "line 1: Text: expected text"),
        ("Flag: yes", "line 1: Flag: expected true or false, found 'yes'"),
        ("Count: x", "line 1: Count: expected a whole number of 64 bits, found 'x'"),
        ("\nSize: 4 GB", "line 2: Size: value '4 GB' overflows uint32"),
        ("Size: '_1'", "Size: expected a whole number of 32 bits"),
        ("Wait: soon", "Wait: 'soon' is not a duration"),
        ("Part: x", "Part: expected a mapping, found 'x'"),
        ("Part:\n  Txet: a", r"line 2: 'Part' has invalid keys: Txet \(line 2\)"),
        ("Parts: [{a: ~}]", r"'Parts\[0\]' has invalid keys: a"),
        ("Part: {1: a}", "line 1: the key 1 is no text"),
        ("Text: {File: /nope}", "open /nope: "),
        ("", "EOF: there is no YAML document"),
        ("- a", "the document must be a mapping"),
    ],
)
def test_what_does_not_fit_is_named(read, text: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem) as raised:
        read(text)
    assert "x.yaml" in str(raised.value)


def test_the_environment(read) -> None:
    made = read("Part: {Text: a}", X_PART_SIZE="1k", X_PART_TEXT="", X_TEXT="t", X_TEXTS="[b, c]")
    assert (made.part, made.text, made.texts) == (Part("a", 1024), "t", ["b", "c"])
    with pytest.raises(InputError, match="variable X_COUNT: Count: expected"):
        read("Text: a", X_COUNT="x")


def test_a_text_from_a_file(read, tmp_path: Path) -> None:
    (tmp_path / "t").write_text("from the file")
    assert read(f"Text: {{File: {tmp_path / 't'}}}").text == "from the file"
    assert read("Flag: true", X_TEXT_FILE=str(tmp_path / "t")).text == "from the file"


def test_null_entries_are_found(read) -> None:
    made = read("Parts: [{}, ~]")
    with pytest.raises(InputError, match=r"here.Parts\[1\]: the entry is null"):
        refuse_nulls(made, "here")
    refuse_nulls(read("Parts: [{}]"), "here")
