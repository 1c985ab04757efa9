# SPDX-License-Identifier: Apache-2.0
"""What the core says reaches Python's loggers, and what it counts the metrics."""

import logging
import subprocess
import sys

import pytest

from corelogs import counted, heard
from fastledger import _core
from fastledger.common import corelog, metrics
from fastledger.common.errors import Defect, FastledgerError


def test_a_panic_is_a_defect_and_no_refusal() -> None:
    corelog.follow()
    before = counted("core_panics")
    with heard("core") as lines:
        with pytest.raises(Defect) as raised:
            _core.provoke_defect("tried out")
        record = lines.until("please report it: tried out")[-1]
    assert not isinstance(raised.value, FastledgerError)
    assert raised.value.text == "tried out"
    file, _, line = raised.value.place.partition(":")
    assert file.endswith("door.rs")
    assert line.isdigit()
    assert "please report it: tried out, at " in str(raised.value)
    assert counted("core_panics") == before + 1
    assert record.levelno == logging.ERROR
    assert raised.value.place in record.getMessage()


def test_counters_are_among_the_metrics() -> None:
    text = metrics.exposition().decode()
    assert "# HELP core_panics_total Panics of the core: defects of fastledger." in text
    assert 'grpc_comm_handshakes_failed_total{reason="certificate"}' in text


@pytest.mark.parametrize(("spec", "is_told"), [("info", True), ("info:core=fatal", False)])
def test_the_logspec_is_the_cores_too(spec: str, is_told: bool) -> None:
    program = f"""
from fastledger import _core
from fastledger.common import log
log.start({{"FABRIC_LOGGING_SPEC": "{spec}"}})
try:
    _core.provoke_defect("perhaps told")
except Exception:
    pass
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 0
    assert ("perhaps told" in run.stderr) is is_told


def test_a_program_that_ends_at_once_has_said_all() -> None:
    """Also one that only uses the library, and sets up logging as it likes."""
    program = """
import logging
from fastledger import _core
from fastledger.common import corelog
logging.basicConfig(format="%(name)s %(levelname)s %(message)s")
corelog.follow()
try:
    _core.provoke_defect("last words")
except Exception:
    pass
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 0
    assert run.stderr.startswith("core ERROR thread ")
    assert "last words" in run.stderr


def test_a_program_that_does_not_listen_sees_panics_all_the_same() -> None:
    program = """
from fastledger import _core
try:
    _core.provoke_defect("unheard")
except Exception:
    pass
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 0
    assert "panicked at" in run.stderr
    assert "unheard" in run.stderr
