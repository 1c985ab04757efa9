# SPDX-License-Identifier: Apache-2.0
"""Every metric is documented, and no other."""

import ast
import re
from collections.abc import Iterator

from corpora import ROOT
from fastledger import _core

MAKERS = {"metrics.counter", "metrics.gauge", "metrics.histogram", "_counter"}


def _made() -> Iterator[str]:
    """The names that the sources give to metrics."""
    for path in (ROOT / "python" / "fastledger").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in MAKERS:
                name = node.args[0]
                if isinstance(name, ast.Constant):
                    yield name.value


def test_every_metric_is_in_the_table() -> None:
    text = (ROOT / "docs" / "metrics.md").read_text("utf-8")
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    told = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert told == {*_made(), *(name for name, *_ in _core.counters())}
