# SPDX-License-Identifier: Apache-2.0
"""Who waits for a block can be interrupted, and loses nothing by it."""

import json
import signal
import threading
from pathlib import Path

import pytest

from fastledger import _core

# One worker takes far longer for it than somebody who waits takes to notice a signal.
SPEC = {"transactions": 20_000, "block_transactions": 20_000}


def test_an_interrupt_comes_through_before_the_block_and_leaves_its_outcome(
    tmp_path: Path,
) -> None:
    *before, large = [encoded for _, encoded, _, _ in _core.Workload(json.dumps(SPEC))]
    ledger = _core.Ledger.open(str(tmp_path / "ledger"), workers=1, engine="sequential")
    for block in before:
        ledger.submit(block)
        ledger.result()
    main = threading.main_thread().ident
    assert main is not None
    ledger.submit(large)
    interrupter = threading.Thread(target=signal.pthread_kill, args=(main, signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        interrupter.start()
        ledger.result()
    interrupter.join()
    assert ledger.in_flight() == 1
    result = ledger.result()
    assert result.number == len(before)
    assert len(result.codes) == SPEC["transactions"]
    ledger.close()
