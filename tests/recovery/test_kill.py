# SPDX-License-Identifier: Apache-2.0
"""Killed at random moments, a replay goes on where it was and ends the same.

FASTLEDGER_KILLS sets how often; the full run has 200.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from corpora import Corpus

import fastledger

KILLS = int(os.environ.get("FASTLEDGER_KILLS", "25"))
SEED = int(os.environ.get("FASTLEDGER_SEED", "0")) or random.SystemRandom().randrange(1 << 32)

# Commits what is missing, slowly enough to be hit; says each number when it is durable.
CHILD = """
import sys, time
from pathlib import Path
import fastledger
blocks = [path.read_bytes() for path in sorted(Path(sys.argv[2]).glob("*.block"))]
with fastledger.open(sys.argv[1]) as ledger:
    print(f"height {ledger.height}", flush=True)
    for commit in ledger.commit_all(blocks[ledger.height:]):
        print(commit.number, (commit.commit_hash or b"").hex(), flush=True)
print("end", flush=True)
"""


def run_and_kill(ledger: Path, blocks: Path, delay_s: float) -> tuple[list[str], bool]:
    """Return what the child said, and whether it came to its end."""
    command = [sys.executable, "-c", CHILD, str(ledger), str(blocks)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None
    # The interpreter's start is no moment of interest.
    first = child.stdout.readline().strip()
    time.sleep(delay_s)
    child.send_signal(signal.SIGKILL)
    said, complaint = child.communicate()
    assert complaint == ""
    lines = [first, *said.splitlines()]
    return lines, lines[-1] == "end"


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
            delay_s = chance.choice([0.0, 0.002, 0.01, 0.03]) * chance.random()
            lines, ended = run_and_kill(ledger, blocks, delay_s)
            height = int(lines[0].removeprefix("height "))
            # Nothing that was told durable is lost, and nothing is there twice.
            assert durable < height <= len(expected), f"seed {SEED}"
            for number, line in enumerate(lines[1:], height):
                if line != "end":
                    assert line == f"{number} {expected[number].hex()}", f"seed {SEED}"
                    durable = number
            durable = max(durable, height - 1)
            if ended:
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


def test_killed_while_rebuilding(small: Corpus, small_ledger: Path, tmp_path: Path) -> None:
    import shutil

    script = (
        "import sys, fastledger\n"
        "ledger = fastledger.open(sys.argv[1])\n"
        "print('open', flush=True)\n"
        "ledger.rebuild()\n"
    )
    chance = random.Random(SEED)
    ledger = Path(shutil.copytree(small_ledger, tmp_path / "ledger"))
    for _ in range(max(KILLS // 10, 2)):
        child = subprocess.Popen(
            [sys.executable, "-c", script, str(ledger)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "open\n"
        time.sleep(0.05 * chance.random())
        child.kill()
        child.communicate()
    finish_and_check(ledger, small, tmp_path / "snapshot")
