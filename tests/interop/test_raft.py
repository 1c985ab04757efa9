# SPDX-License-Identifier: Apache-2.0
"""The core's Raft beside etcd's own library: what is on the wire, and what members do."""

import shutil
import subprocess
from pathlib import Path

import pytest

from corpora import ROOT

SCHEDULES = 2000


@pytest.fixture(autouse=True)
def _go() -> None:
    if shutil.which("go") is None:
        pytest.skip("needs go")


def program(folder: Path, name: str, *flags: str) -> Path:
    made = folder / name
    source = Path(__file__).parent / name
    subprocess.run(["go", "build", *flags, "-o", made, "."], cwd=source, check=True)
    return made


def test_the_kept_messages_are_what_etcds_releases_encode(tmp_path: Path) -> None:
    told = b""
    for flags in ([], ["-tags", "etcd36"]):
        made = program(tmp_path, "raftpb", *flags)
        told += subprocess.run([made], capture_output=True, check=True).stdout
    assert told == (ROOT / "tests" / "vectors" / "raft" / "messages.txt").read_bytes()


def test_members_do_what_etcds_do_on_random_schedules(tmp_path: Path) -> None:
    peer = program(tmp_path, "raftpeer")
    run = ["cargo", "run", "--release", "--locked", "--quiet", "-p", "fastledger-raftsim"]
    arguments = ["--example", "differ", "--", str(peer), str(SCHEDULES)]
    done = subprocess.run([*run, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert done.stdout.rstrip().endswith(": 0 differ")
