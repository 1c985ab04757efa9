# SPDX-License-Identifier: Apache-2.0
"""FABRIC_LOGGING_SPEC."""

import logging
from collections.abc import Iterator

import pytest

from fastledger.common import log
from fastledger.common.errors import ConfigInvalid


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    log.activate("info")
    root.setLevel(level)
    root.handlers[:] = handlers


def test_levels_by_prefix() -> None:
    log.activate("gossip=info:grpc,msp=error:debug")
    assert log.level("endorser") == "DEBUG"
    assert log.level("gossip.state") == "INFO"
    assert log.level("msp.identity") == "ERROR"
    # Fabric's own spelling of this spec in the v14 transcript, step 110.
    log.activate("gossip=info:grpc=info:debug")
    assert log.spec() == "gossip=info:grpc=info:debug"


def test_what_is_named_no_more_gets_the_default() -> None:
    log.activate("gossip=error")
    log.activate("warning")
    assert log.level("gossip") == "WARN"


@pytest.mark.parametrize("spec", ["loud", "gossip=loud", "a..b=info", "=info"])
def test_a_wrong_spec_changes_nothing(spec: str) -> None:
    log.activate("error")
    with pytest.raises(ConfigInvalid, match="invalid logging specification"):
        log.activate(spec)
    assert log.spec() == "error"


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    log.start({"FABRIC_LOGGING_FORMAT": "json"})
    log.get("endorser").info("said %s", "this")
    assert '"name": "endorser"' in capsys.readouterr().err
