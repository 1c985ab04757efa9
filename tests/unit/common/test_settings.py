# SPDX-License-Identifier: Apache-2.0
"""Settings that are declared as fields: defaults, ranges, sections, and errors that name all."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from fastledger.common.config import Config, load
from fastledger.common.errors import ConfigInvalid
from fastledger.common.settings import (
    entries,
    file,
    files,
    flag,
    fraction,
    keys,
    mapping,
    optional_file,
    read,
    seconds,
    section,
    size,
    switch,
    text,
    texts,
    whole,
)


@dataclass(frozen=True, slots=True)
class Part:
    least: int = whole("Least", 3, "At least one.", least=1, most=9)
    unset: int = whole("Unset", 7, "Zero says nothing.", zero=False)

    def __post_init__(self) -> None:
        if self.least == self.unset:
            raise ValueError("Least and Unset must differ")


@dataclass(frozen=True, slots=True)
class Whole:
    name: str = text("Name", "n", "A name.")
    kind: str = text("Kind", "a", "One of two.", one_of=("a", "b"))
    on: bool = flag("On", True, "Whether.")
    enabled: bool = switch("Enabled", "Whether, in another way.")
    wait_s: float = seconds("Wait", 1.5, "How long.", above=0)
    share: float = fraction("Share", 0.5, "How much.")
    bytes: int = size("Bytes", 1024, "How large.")
    names: tuple[str, ...] = texts("Names", "Names.")
    path: Path = file("Path", "here", "Where.")
    other: Path | None = optional_file("Other", "Where else.")
    paths: tuple[Path, ...] = files("Paths", "Where all.")
    list: tuple[Part, ...] = entries("List", Part, "What.")
    table: object = mapping("Table", "What else.")
    part: Part = section("Part", Part)


def config(tmp_path: Path, content: str, **environ: str) -> Config:
    (tmp_path / "orderer.yaml").write_text(content)
    return load("orderer", tmp_path, environ)


def test_nothing_said_leaves_the_defaults(tmp_path: Path) -> None:
    made = read(config(tmp_path, ""), Whole)
    assert made.path == tmp_path / "here"
    assert made == Whole(path=made.path)
    assert (made.wait_s, made.part.least, made.other, made.table) == (1.5, 3, None, {})


def test_what_is_said_is_read(tmp_path: Path) -> None:
    content = (
        "Name: x\nKind: b\nOn: false\nEnabled: disable\nWait: 1m\nShare: 0.25\nBytes: 2 MB\n"
        "Names: [a, b]\nPath: /p\nOther: q\nPaths: [r]\nList: [{Least: 1}, {}]\nTable: {k: v}\n"
        "Part: {Least: 9, Unset: 0}\n"
    )
    made = read(config(tmp_path, content, ORDERER_NAME="y"), Whole)
    expected = Whole(
        "y", "b", False, False, 60, 0.25, 2 << 20, ("a", "b"), Path("/p"), tmp_path / "q"
    )
    assert made == Whole(
        *(getattr(expected, name) for name in list(Whole.__dataclass_fields__)[:10]),
        paths=(tmp_path / "r",),
        list=(Part(1), Part()),
        table={"k": "v"},
        part=Part(9, 7),
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("Kind: c", "orderer.yaml: Kind is 'c', it must be a or b"),
        ("On: maybe", "orderer.yaml: On is 'maybe', it must be true or false"),
        ("Enabled: perhaps", "orderer.yaml: Enabled is 'perhaps', it must be enable or disable"),
        ("Wait: soon", "orderer.yaml: Wait is 'soon', it must be a duration"),
        ("Wait: 0s", "orderer.yaml: Wait is '0s', it must be more than 0s"),
        ("Share: 1.5", "orderer.yaml: Share is '1.5', it must be a number from 0 to 1"),
        ("Part: {Least: 0}", "orderer.yaml: Part.Least is 0, it must be at least 1"),
        ("Part: {Least: 10}", "orderer.yaml: Part.Least is 10, it must be at most 9"),
        ("Part: {Least: 7}", "orderer.yaml: Part: Least and Unset must differ"),
        ("List: x", "orderer.yaml: List is 'x', it must be a list of mappings"),
        ("List: [{}, {Least: 0}]", r"orderer.yaml: List\[1\].Least is 0, it must be at least 1"),
        ("List: [{Lest: 1}]", r"orderer.yaml: List\[0\]: unknown key lest"),
        ("Table: x", "orderer.yaml: Table is 'x', it must be a mapping"),
    ],
)
def test_what_is_wrong_is_named(content: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match=problem):
        read(config(tmp_path, content), Whole)


def test_a_wrong_variable_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match=r"^variable ORDERER_PART_LEAST: Part.Least is 'x', it"):
        read(config(tmp_path, "", ORDERER_PART_LEAST="x"), Whole)


def test_settings_tell_of_themselves() -> None:
    told = {key: (setting.default, setting.about) for key, setting in keys(Whole)}
    assert told["Part.Least"] == ("3", "At least one.")
    assert told["Wait"] == ("1.5s", "How long.")
    assert len(told) == 15
