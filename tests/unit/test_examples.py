# SPDX-License-Identifier: Apache-2.0
"""The examples in the documentation run and give what they say."""

import doctest
import importlib
import pkgutil
from pathlib import Path
from typing import Any

import pytest

import fastledger
from corpora import ROOT, Corpus
from fastledger.shim import MockStub

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def modules() -> list[str]:
    found = pkgutil.walk_packages(fastledger.__path__, "fastledger.")
    names = [module.name for module in found]
    return [
        name
        for name in names
        if not name.startswith("fastledger.protos") and not name.endswith(("_core", "__main__"))
    ]


@pytest.mark.parametrize("name", modules())
def test_docstrings(name: str, small: Corpus, small_ledger: Path, tmp_path: Path) -> None:
    module = importlib.import_module(name)
    conflict = next(tx for tx in small.transactions if tx["code_name"] == "MVCC_READ_CONFLICT")
    names = vars(module) | {
        "fastledger": fastledger,
        "corpus": small.archive,
        "genesis": small.blocks("orderer")[0],
        "ledger_path": small_ledger,
        "conflict_tx_id": conflict["txid"],
    }
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    for number, test in enumerate(doctest.DocTestFinder().find(module, name, globs=names)):
        test.globs["tmp_path"] = tmp_path / str(number)
        test.globs["tmp_path"].mkdir()
        runner.run(test)
    assert runner.failures == 0


def readmes_examples() -> list[str]:
    text = (ROOT / "README.md").read_text("utf-8")
    return [part.split("```")[0] for part in text.split("```python\n")[1:]]


def test_the_readmes_example(
    small_ledger: Path, small: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, example = readmes_examples()
    conflict = next(tx for tx in small.transactions if tx["code_name"] == "MVCC_READ_CONFLICT")
    replaced = {
        "chains/mychannel": str(small.archive),
        "my-ledger": str(tmp_path / "ledger"),
        "TXID": conflict["txid"],
    }
    for name, value in replaced.items():
        assert name in example
        example = example.replace(name, value)
    exec(compile(example, "README.md", "exec"), {})
    assert "MVCC_READ_CONFLICT" in capsys.readouterr().out


def test_the_readmes_contract() -> None:
    contract, _ = readmes_examples()
    names: dict[str, Any] = {"__name__": "stock"}
    exec(compile(contract, "stock.py", "exec"), names)
    stub = MockStub(names["Stock"]())
    assert stub.invoke("Move", "apples", "10").payload == b"10"
    assert stub.invoke("Move", "apples", "-3").payload == b"7"
    assert stub.invoke("Move", "apples", "-30").message == "only 7 apples left"
    assert stub.invoke("Count", "apples").payload == b"7"
