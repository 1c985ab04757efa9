# SPDX-License-Identifier: Apache-2.0
"""A flush that fails beside the committer is told and counted."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import logging, resource, signal, sys
from pathlib import Path
import fastledger
from fastledger import _core
logging.basicConfig(format="%(name)s %(levelname)s %(message)s")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
folder = Path(sys.argv[1])
workload = _core.Workload('{"transactions": 100, "block_transactions": 10}')
blocks = [block for _, block, _, _ in workload]
with fastledger.open(folder) as ledger:
    list(ledger.commit_all(blocks[:2]))
    size = max(path.stat().st_size for path in folder.rglob("data.mdb"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    try:
        list(ledger.commit_all(blocks[2:]))
    except fastledger.LedgerIo as error:
        print("told:", error)
print([value for name, _, _, value in _core.counters() if name == "ledger_flush_failures"])
"""


def test_it_is_told_and_counted(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "ledger")]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert (
        "kvledger ERROR the state, history and index of stored blocks are not written" in run.stderr
    )
    assert int(run.stdout.splitlines()[-1].strip("[]")) >= 1
