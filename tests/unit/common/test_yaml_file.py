# SPDX-License-Identifier: Apache-2.0
"""YAML as Go reads it."""

import pytest

from fastledger.common import yaml_file
from fastledger.common.errors import InputError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("No", "No"),
        ("true", True),
        ("12:30", "12:30"),
        ("127.0.0.1", "127.0.0.1"),
        ("2026-11-20", "2026-11-20"),
        ("0x10", 16),
        ("0o17", 15),
        ("017", 15),
        ("019", 19.0),
        ("-7", -7),
        ("+7", 7),
        ("0", 0),
        ("1.5", 1.5),
        ("2s", "2s"),
        ("~", None),
        ("", None),
        ("'1'", "1"),
    ],
)
def test_scalars(text: str, value: object) -> None:
    read = yaml_file.parse(text, "test")
    assert read == value
    assert type(read) is type(value)


def test_merge_keys_yield_to_a_mappings_own() -> None:
    text = "base: &b {x: 1, y: 2}\nuse: {y: 3, <<: *b}\n"
    assert yaml_file.parse(text, "test")["use"] == {"x": 1, "y": 3}


@pytest.mark.parametrize("text", ["a: 1\na: 2", "a: [", "a: *b", "!!python/name:os.system x"])
def test_refuses(text: str) -> None:
    with pytest.raises(InputError, match="test"):
        yaml_file.parse(text, "test")
