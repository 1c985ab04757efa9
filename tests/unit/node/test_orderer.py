# SPDX-License-Identifier: Apache-2.0
"""What orderer.yaml says of an orderer."""

from pathlib import Path

import pytest

from fastledger.common.config import load
from fastledger.node.orderer import node as orderer
from fastledger.node.orderer.config import read


@pytest.mark.parametrize(
    ("throttling", "expected"),
    [
        ("", None),
        ("{Rate: 0}", None),
        ("{Rate: 500}", (500, 5)),
        ("{Rate: 7, InactivityTimeout: 1m}", (7, 60)),
    ],
)
def test_throttling(tmp_path: Path, throttling: str, expected: tuple[int, float] | None) -> None:
    (tmp_path / "orderer.yaml").write_text(f"General:\n  Throttling: {throttling}\n")
    settings = read(load("orderer", environ={"FABRIC_CFG_PATH": str(tmp_path)}))
    made = orderer._throttle(settings.general.throttling)
    found = made and (made._clients._rate, made._clients._inactivity_s)
    assert found == expected
