# SPDX-License-Identifier: Apache-2.0
"""Killed at random moments, a replay goes on where it was and ends the same.

FASTLEDGER_KILLS sets how often, FASTLEDGER_SEED repeats a run.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import fastledger
from corpora import Corpus

KILLS = int(os.environ.get("FASTLEDGER_KILLS", "200"))
SEED = int(os.environ.get("FASTLEDGER_SEED", "0")) or random.SystemRandom().randrange(1 << 32)

# Commits what is missing; says each number when it is durable.
CHILD = """
import sys
from pathlib import Path
import fastledger
blocks = [path.read_bytes() for path in sorted(Path(sys.argv[2]).glob("*.block"))]
print("start", flush=True)
with fastledger.open(sys.argv[1]) as ledger:
    print(f"height {ledger.height}", flush=True)
    for commit in ledger.commit_all(blocks[ledger.height:]):
        print(commit.number, (commit.commit_hash or b"").hex(), flush=True)
print("end", flush=True)
"""


def run_and_kill(ledger: Path, blocks: Path, delay_s: float) -> list[str]:
    """Start a child, kill it some time after it begins to open the ledger; return what it said."""
    command = [sys.executable, "-c", CHILD, str(ledger), str(blocks)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "start\n"
    time.sleep(delay_s)
    child.send_signal(signal.SIGKILL)
    said, complaint = child.communicate()
    assert complaint == ""
    # The last line may be cut short.
    return said.split("\n")[:-1]


@pytest.mark.timeout(1800)
def test_killed_at_random_moments(small: Corpus, tmp_path: Path) -> None:
    chance = random.Random(SEED)
    blocks = small.folder / "blocks_orderer"
    expected = [verdict.commit_hash or b"" for verdict in small.verdicts]
    kills = rounds = 0
    while kills < KILLS:
        ledger = tmp_path / f"ledger {rounds}"
        rounds += 1
        durable = -1
        while kills < KILLS:
            delay_s = chance.choice([0.005, 0.02, 0.05]) * chance.random()
            said = run_and_kill(ledger, blocks, delay_s)
            height = int(said[0].removeprefix("height ")) if said else None
            # Nothing that was told durable is lost, and nothing is there twice.
            assert height is None or durable < height <= len(expected), f"seed {SEED}"
            for number, line in enumerate(said[1:], height or 0):
                if line != "end":
                    assert line == f"{number} {expected[number].hex()}", f"seed {SEED}"
                    durable = number
            if said[-1:] == ["end"]:
                break
            kills += 1
        finish_and_check(ledger, small, tmp_path / f"snapshot {rounds}")


def finish_and_check(path: Path, small: Corpus, out: Path) -> None:
    with fastledger.open(path) as ledger:
        for _ in ledger.commit_all(small.blocks("orderer")[ledger.height :]):
            pass
        assert ledger.height == len(small.verdicts)
        assert [ledger.block(v.number).codes for v in small.verdicts] == [
            v.codes for v in small.verdicts
        ]
        assert ledger.last_commit_hash == small.verdicts[-1].commit_hash
        ledger.snapshot(out)
    for name in small.snapshot_hashes or {}:
        theirs = (small.folder / "snapshot" / name).read_bytes()
        assert (out / name).read_bytes() == theirs, f"{name}, seed {SEED}"


REBUILD = """
import sys, fastledger
ledger = fastledger.open(sys.argv[1])
print("open", flush=True)
ledger.rebuild()
"""


def test_killed_while_rebuilding(small: Corpus, small_ledger: Path, tmp_path: Path) -> None:
    chance = random.Random(SEED)
    ledger = Path(shutil.copytree(small_ledger, tmp_path / "ledger"))
    for _ in range(max(KILLS // 10, 2)):
        child = subprocess.Popen(
            [sys.executable, "-c", REBUILD, str(ledger)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "open\n"
        time.sleep(0.05 * chance.random())
        child.kill()
        child.communicate()
    finish_and_check(ledger, small, tmp_path / "snapshot")
