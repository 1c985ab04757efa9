# SPDX-License-Identifier: Apache-2.0
"""What a folder or file of a chaincode is told to be, before anything is done with it."""

from pathlib import Path

import pytest

from fastledger.common.errors import ChaincodeError, InputError
from fastledger.network.deployment import entry_of, language_of


@pytest.mark.parametrize(
    ("files", "language", "entry"),
    [
        (["chaincode.py", "other.py"], "python", "chaincode"),
        (["ballot.py", "__init__.py"], "python", "ballot"),
        (["go.mod", "main.go"], "golang", ""),
        (["package.json", "index.js"], "node", ""),
        (["chaincode.jar"], "java", ""),
    ],
)
def test_a_folder(tmp_path: Path, files: list[str], language: str, entry: str) -> None:
    for name in files:
        (tmp_path / name).write_text("", "utf-8")
    assert language_of(tmp_path) == language
    if entry:
        assert entry_of(tmp_path) == entry


def test_a_file(tmp_path: Path) -> None:
    file = tmp_path / "stock.py"
    file.write_text("", "utf-8")
    assert (language_of(file), entry_of(file)) == ("python", "stock")


def test_a_project_tells_its_entry(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("", "utf-8")
    (tmp_path / "b.py").write_text("", "utf-8")
    with pytest.raises(ChaincodeError, match=r"which module of .* is the chaincode: found a, b"):
        language_of(tmp_path)
    project = '[tool.fastledger]\nchaincode = "b:B"\n'
    (tmp_path / "pyproject.toml").write_text(project, "utf-8")
    assert language_of(tmp_path) == "python"
    assert entry_of(tmp_path) == "b:B"


def test_no_chaincode(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neither a Python file nor a folder with one"):
        language_of(tmp_path)
    with pytest.raises(InputError, match="no such file or folder"):
        language_of(tmp_path / "none")
    (tmp_path / "notes.txt").write_text("", "utf-8")
    with pytest.raises(InputError, match="neither a Python file"):
        language_of(tmp_path / "notes.txt")
