# SPDX-License-Identifier: Apache-2.0
"""Stores that are missing, damaged, in use, or cannot be written."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import fastledger
from corpora import Corpus


def block_files(ledger: Path) -> list[Path]:
    return sorted(ledger.rglob("blockfile_*"))


def derived(ledger: Path) -> list[Path]:
    """Everything at the top of a ledger's folder that holds no block file."""
    return [
        entry
        for entry in sorted(ledger.iterdir())
        if not any(file.is_relative_to(entry) for file in block_files(ledger))
    ]


@pytest.fixture
def ledger(small_ledger: Path, tmp_path: Path) -> Path:
    """A copy of the whole of `small` to do things to."""
    return Path(shutil.copytree(small_ledger, tmp_path / "ledger"))


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def check(path: Path, small: Corpus, folder: Path) -> None:
    """Everything is as the real peer left it."""
    with fastledger.open(path) as ledger:
        assert ledger.height == len(small.verdicts)
        assert ledger.last_commit_hash == small.verdicts[-1].commit_hash
        for verdict in small.verdicts:
            assert ledger.block_by_hash(verdict.header_hash).codes == verdict.codes
        tx = small.transactions[-1]
        assert ledger.transaction(tx["txid"]).version == (tx["block"], tx["index"])
        ledger.snapshot(folder / "snapshot")
    for name in small.snapshot_hashes or {}:
        theirs = (small.folder / "snapshot" / name).read_bytes()
        assert (folder / "snapshot" / name).read_bytes() == theirs, name


def test_every_derived_store_comes_back(ledger: Path, small: Corpus, tmp_path: Path) -> None:
    stores = derived(ledger)
    assert stores
    for number, store in enumerate(stores):
        copy = tmp_path / f"copy {number}"
        shutil.copytree(ledger, copy)
        remove(copy / store.name)
        check(copy, small, tmp_path / str(number))


def test_all_derived_stores_come_back(ledger: Path, small: Corpus, tmp_path: Path) -> None:
    for store in derived(ledger):
        remove(store)
    check(ledger, small, tmp_path)


@pytest.mark.parametrize("cut", [1, 50, 1000])
def test_a_torn_last_block_is_cut_off(
    ledger: Path, small: Corpus, tmp_path: Path, cut: int
) -> None:
    last = block_files(ledger)[-1]
    with last.open("r+b") as file:
        file.truncate(last.stat().st_size - cut)
    with fastledger.open(ledger) as opened:
        height = opened.height
        assert height == len(small.verdicts) - 1
        assert opened.last_commit_hash == small.verdicts[height - 1].commit_hash
        commits = list(opened.commit_all(small.blocks()[height:]))
        assert [commit.filter for commit in commits] == [v.codes for v in small.verdicts[height:]]
    check(ledger, small, tmp_path)


def test_damage_in_the_middle_names_file_and_offset(ledger: Path, small: Corpus) -> None:
    file = block_files(ledger)[0]
    content = bytearray(file.read_bytes())
    offset = len(content) // 2
    content[offset : offset + 4] = b"\xff\xff\xff\xff"
    file.write_bytes(content)
    for store in derived(ledger):
        remove(store)
    with pytest.raises(fastledger.LedgerCorrupted, match=rf"{file.name}.*offset \d+"):
        fastledger.open(ledger)
    assert file.read_bytes() == content


HOLD = """
import sys, fastledger
with fastledger.open(sys.argv[1]) as ledger:
    print("open", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_turned_away(ledger: Path, small: Corpus, tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(ledger)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as p:
        assert p.stdin is not None
        assert p.stdout is not None
        assert p.stdout.readline() == "open\n"
        with pytest.raises(fastledger.LedgerLocked, match=str(ledger)):
            fastledger.open(ledger)
        p.stdin.close()
    assert p.returncode == 0
    check(ledger, small, tmp_path)


def test_a_second_handle_is_turned_away(ledger: Path, small: Corpus, tmp_path: Path) -> None:
    with fastledger.open(ledger) as first:
        with pytest.raises(fastledger.LedgerLocked):
            fastledger.open(ledger)
        assert first.height == len(small.verdicts)
    check(ledger, small, tmp_path)


READ_ONLY = """
import os, sys, fastledger
fastledger.open, fastledger.LedgerIo  # now: the other user may not see the interpreter's files
if os.geteuid() == 0:  # who may write everywhere
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    fastledger.open(sys.argv[1])
except fastledger.LedgerIo as error:
    print(error)
"""


def test_a_read_only_folder_is_told(small_ledger: Path, small: Corpus, tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as parent:
        ledger = Path(shutil.copytree(small_ledger, Path(parent) / "ledger"))
        everything = [ledger, *ledger.rglob("*")]
        for path in everything:
            path.chmod(0o555 if path.is_dir() else 0o444)
        Path(parent).chmod(0o755)
        command = [sys.executable, "-c", READ_ONLY, str(ledger)]
        told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        for path in everything:
            path.chmod(0o755 if path.is_dir() else 0o644)
        assert str(ledger) in told
        check(ledger, small, tmp_path)


FULL = """
import resource, signal, sys
from pathlib import Path
import fastledger
from fastledger.ledger import sources
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with sources.open(sys.argv[2]) as source, fastledger.open(sys.argv[1]) as ledger:
    blocks = list(source)
    list(ledger.commit_all(blocks[:20]))
    size = max(path.stat().st_size for path in Path(sys.argv[1]).rglob("blockfile_*"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20_000, size + 20_000))
    try:
        for commit in ledger.commit_all(blocks[20:]):
            print(commit.number, flush=True)
    except fastledger.LedgerIo as error:
        print(error, file=sys.stderr)
        sys.exit(9)
"""


def test_a_full_disk_is_told_and_damages_nothing(small: Corpus, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    command = [sys.executable, "-c", FULL, str(ledger), str(small.folder)]
    full = subprocess.run(command, capture_output=True, text=True)
    assert full.returncode == 9, full.stderr
    assert "blockfile_000000" in full.stderr or str(ledger) in full.stderr
    acknowledged = [int(line) for line in full.stdout.split()]
    with fastledger.open(ledger) as opened:
        assert opened.height > (acknowledged or [19])[-1]
        list(opened.commit_all(small.blocks()[opened.height :]))
    check(ledger, small, tmp_path)


@pytest.mark.parametrize("create", [True, False])
def test_a_folder_with_something_else_is_left_alone(
    small: Corpus, tmp_path: Path, create: bool
) -> None:
    (tmp_path / "precious").write_text("mine")
    for folder in (tmp_path, small.folder):
        before = sorted(folder.rglob("*"))
        with pytest.raises(fastledger.InputError, match=str(folder)):
            fastledger.open(folder, create=create)
        assert sorted(folder.rglob("*")) == before
