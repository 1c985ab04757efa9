# SPDX-License-Identifier: Apache-2.0
"""LMDB environments are looked at before they are mapped."""

from pathlib import Path
from stat import S_IMODE

import lmdb
import pytest

from fastledger.common.errors import LedgerCorrupted
from fastledger.ledger.environment import open_environment, seal, unseal

NAMES = "sealed", "plain"


def opened(folder: Path, sealed: tuple[str, ...] = ("sealed",)) -> lmdb.Environment:
    return open_environment(folder, map_bytes=1 << 24, databases=2, sealed=sealed)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    env = opened(tmp_path / "store")
    tables = [env.open_db(name.encode()) for name in NAMES]
    for turn in range(5):
        with env.begin(write=True) as txn:
            for number in range(400):
                key = b"key %d" % (number * 7 % 400)
                value = b"value %d %d" % (turn, number)
                txn.put(key, seal(key, value), db=tables[0])
                txn.put(key, value * (1 + number % 300), db=tables[1])
            for number in range(0, 400, 3):
                txn.delete(b"key %d" % number, db=tables[turn % 2])
    env.close()
    return tmp_path / "store"


def test_a_whole_one_opens_and_nobody_else_can_read_it(folder: Path) -> None:
    folder.chmod(0o755)
    (folder / "data.mdb").chmod(0o644)
    opened(folder).close()
    assert S_IMODE(folder.stat().st_mode) == 0o700
    assert {S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.9, 0.999])
def test_one_that_was_cut_short_is_refused(folder: Path, share: float) -> None:
    data = folder / "data.mdb"
    content = data.read_bytes()
    data.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(LedgerCorrupted, match=f"{data} is damaged"):
        opened(folder)


def test_a_changed_record_is_refused_where_records_are_sealed(folder: Path) -> None:
    data = folder / "data.mdb"
    data.write_bytes(data.read_bytes().replace(b"value 4 11", b"value 9 11"))
    with pytest.raises(LedgerCorrupted, match="store sealed: the record of key key"):
        opened(folder)
    opened(folder, ()).close()


def test_a_changed_key_is_refused(folder: Path) -> None:
    data = folder / "data.mdb"
    data.write_bytes(data.read_bytes().replace(b"key 77", b"kez 77"))
    with pytest.raises(LedgerCorrupted, match="is damaged"):
        opened(folder, ())


def test_a_record_is_bound_to_its_key() -> None:
    record = seal(b"key", b"value")
    assert unseal(b"key", record) == b"value"
    for key, other in ((b"kez", record), (b"key", b"w" + record[1:]), (b"key", b"")):
        with pytest.raises(LedgerCorrupted):
            unseal(key, other)
