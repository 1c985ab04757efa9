# SPDX-License-Identifier: Apache-2.0
"""Indexes of a process that is killed at random moments end as those of one that is not.

FASTLEDGER_KILLS sets how often, FASTLEDGER_SEED repeats a run.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fastledger.ledger.pvtdata import PrivateDataStore
from fastledger.ledger.queryindexes import QueryIndexes
from memory_ledger import CHAINCODE, FILES, MemoryLedger

KILLS = int(os.environ.get("FASTLEDGER_KILLS", "200")) // 4
SEED = int(os.environ.get("FASTLEDGER_SEED", "0")) or random.SystemRandom().randrange(1 << 32)

# Follows a ledger that grows; its height may have any value, since blocks are always the same.
CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from memory_ledger import CHAINCODE, FILES, MemoryLedger
from fastledger.ledger import queryindexes
from fastledger.ledger.pvtdata import PrivateDataStore
queryindexes.ROWS_AT_ONCE = 5
folder = Path(sys.argv[1])
ledger = MemoryLedger(7, height=int(sys.argv[2]), keys=60)
private = PrivateDataStore(folder / "private")
indexes = queryindexes.QueryIndexes(folder, ledger, private, lambda: [(CHAINCODE, FILES)])
print("start", flush=True)
indexes.start()
while True:
    ledger.grow()
    indexes.committed()
    print(ledger.height, flush=True)
"""


def entries(folder: Path, ledger: MemoryLedger) -> list:
    """Everything in the indexes, when there is nothing left to do."""
    private = PrivateDataStore(folder / "private")
    indexes = QueryIndexes(folder, ledger, private, lambda: [(CHAINCODE, FILES)])
    indexes.deploy()
    while indexes._work():
        pass
    found = []
    for index in indexes.indexes(CHAINCODE):
        opened = indexes.entries(ledger.view(), CHAINCODE, index)
        assert opened is not None
        found.append((index.name, list(opened.scan(b"", b"\xff", reverse=False))))
    with indexes._env.begin() as txn:
        tables = (b"index-entries", b"index-documents")
        found += [txn.stat(indexes._env.open_db(name, txn))["entries"] for name in tables]
    indexes.stop()
    private.close()
    return found


@pytest.mark.timeout(1800)
def test_killed_at_random_moments(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    folder = tmp_path / "ledger"
    folder.mkdir()
    height = 50
    for _ in range(KILLS):
        command = [sys.executable, "-c", CHILD, str(folder), str(height)]
        child = subprocess.Popen(
            [*command, str(Path(__file__).parents[1])], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "start\n"
        time.sleep(chance.choice([0.005, 0.02, 0.05]) * chance.random())
        child.send_signal(signal.SIGKILL)
        said = child.communicate()[0].split("\n")[:-1]
        # Indexes follow what is committed, so that is how far they can be.
        height = max([height, *map(int, said)]) + 1
    ledger = MemoryLedger(7, height=height, keys=60)
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    assert entries(folder, ledger) == entries(fresh, ledger), f"seed {SEED}"
