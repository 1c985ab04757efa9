# SPDX-License-Identifier: Apache-2.0
"""Private values of a process that is killed at random moments end as those of one that is not.

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
from private_blocks import Generated, Model, endorsed, generated

KILLS = int(os.environ.get("FASTLEDGER_KILLS", "200")) // 4
SEED = int(os.environ.get("FASTLEDGER_SEED", "0")) or random.SystemRandom().randrange(1 << 32)
BLOCKS = 3000

# Goes on where the store is, as the committer does with a ledger.
CHILD = """
import random, sys
sys.path.insert(0, sys.argv[2])
from fastledger.ledger.pvtdata import PrivateDataStore
from private_blocks import Generated, endorsed, generated
blocks = generated(random.Random(7), int(sys.argv[3]))
store = PrivateDataStore(sys.argv[1], Generated())
print("start", flush=True)
for number in range(store.height, len(blocks)):
    store.apply(number, endorsed(store, number, blocks[number]))
    print(number, flush=True)
"""


def content(store: PrivateDataStore) -> dict[bytes, list]:
    """All that is on the disk."""
    with store._env.begin() as txn:
        with txn.cursor() as cursor:
            names = [bytes(name) for name in cursor.iternext(keys=True, values=False)]
        found = {}
        for name in names:
            with txn.cursor(db=store._env.open_db(name, txn)) as rows:
                found[name] = [(bytes(key), bytes(value)) for key, value in rows]
    return found


@pytest.mark.timeout(1800)
def test_killed_at_random_moments(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    tests = str(Path(__file__).parents[1])
    command = [sys.executable, "-c", CHILD, str(tmp_path / "killed"), tests, str(BLOCKS)]
    done = -1
    for _ in range(KILLS):
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        assert child.stdout.readline() == "start\n"
        time.sleep(chance.choice([0.005, 0.02, 0.05]) * chance.random())
        child.send_signal(signal.SIGKILL)
        done = max([done, *map(int, child.communicate()[0].split("\n")[:-1])])
    blocks = generated(random.Random(7), BLOCKS)[: done + 10]
    model = Model()
    fresh = PrivateDataStore(tmp_path / "fresh", Generated())
    killed = PrivateDataStore(tmp_path / "killed", Generated())
    # What had no effect may have to be applied again, no more than that.
    for number, transactions in enumerate(blocks):
        model.commit(number, transactions)
        fresh.apply(number, endorsed(fresh, number, transactions))
        if number >= killed.height:
            killed.apply(number, endorsed(killed, number, transactions))
    assert killed.height == len(blocks)
    assert model.same(killed), f"seed {SEED}"
    assert model.stored(killed, len(blocks)), f"seed {SEED}"
    assert content(killed) == content(fresh), f"seed {SEED}"
