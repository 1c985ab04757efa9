# SPDX-License-Identifier: Apache-2.0
"""A chaincode that cannot be loaded says so in its author's own lines."""

import subprocess
import sys
from pathlib import Path

import pytest

from fastledger.shim.__main__ import UNLOADABLE


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("x = 1\ndef broken(", ['File "{file}", line 2', "SyntaxError: '(' was never closed"]),
        (
            "raise RuntimeError('boom')",
            ['File "{file}", line 1, in <module>', "RuntimeError: boom"],
        ),
        (
            "import nowhere",
            ['File "{file}", line 1', "ModuleNotFoundError: No module named 'nowhere'"],
        ),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, source: str, told: list[str]) -> None:
    file = tmp_path / "broken.py"
    file.write_text(source, "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "fastledger.shim", "start", "broken"],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == UNLOADABLE
    for text in told:
        assert text.format(file=file) in done.stderr
    assert "fastledger/shim" not in done.stderr
    assert "importlib" not in done.stderr
