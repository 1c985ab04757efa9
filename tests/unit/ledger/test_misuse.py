# SPDX-License-Identifier: Apache-2.0
"""What the library answers to those who use it wrongly, and how they find their way in it."""

import pydoc
from pathlib import Path
from typing import Any

import pytest

import fastledger
from fastledger.common.errors import InputError, NotFound


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ({"workers": -1}, "workers is -1, it must be from 0 to 1024"),
        ({"blocks_ahead": 0}, "blocks_ahead is 0, it must be from 1 to 128"),
        ({"engine": "fast"}, 'engine "fast" is not one of auto, parallel, sequential'),
    ],
)
def test_choices_have_ranges(tmp_path: Path, choice: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        fastledger.open(tmp_path / "ledger", **choice)


def test_a_file_is_no_ledger(tmp_path: Path) -> None:
    file = tmp_path / "blocks"
    file.write_bytes(b"x")
    with pytest.raises(InputError, match="blocks: a file; a ledger is a folder"):
        fastledger.open(file)
    with pytest.raises(InputError, match="there is no ledger"):
        fastledger.open(tmp_path / "none", create=False)
    assert not (tmp_path / "none").exists()


def test_what_is_not_there_is_not_found(small_ledger: Path) -> None:
    with fastledger.open(small_ledger) as ledger:
        for number in (-1, 2**40):
            with pytest.raises(NotFound, match=f"there is no block {number}"):
                ledger.block(number)
        with pytest.raises(NotFound, match="the ledger has no transaction abc"):
            ledger.explain("abc")
        with pytest.raises(NotFound, match="none at 7"):
            ledger.explain_at(0, 7)


def test_a_closed_ledger_says_so(tmp_path: Path) -> None:
    ledger = fastledger.open(tmp_path / "ledger")
    ledger.close()
    ledger.close()
    with pytest.raises(InputError, match="is closed"):
        ledger.get("basic", "a")


def test_help_shows_all_that_is_public() -> None:
    shown = pydoc.plain(pydoc.render_doc(fastledger))
    for name in set(fastledger.__all__) - {"__version__"}:
        assert name in dir(fastledger)
        assert name in shown
