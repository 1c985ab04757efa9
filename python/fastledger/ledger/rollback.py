# SPDX-License-Identifier: Apache-2.0
"""A ledger taken back to one of its blocks (Fabric: ``blkstorage/rollback.go``).

The block files are the truth, so they are cut; state, history and index are derived from them and
made again when the ledger is opened. Nobody may have the ledger open.
"""

import os
import shutil
from pathlib import Path

from fastledger.common.errors import InputError
from fastledger.ledger import kvledger, queryindexes
from fastledger.ledger.framing import block_file
from fastledger.protoutil import block as blocks

_CHAINS = "chains"
_DERIVED = "derived"


def rollback(folder: Path, number: int) -> None:
    """Forget all blocks after ``number``.

    Raises:
        InputError: There is no such ledger or block, or the ledger began with a snapshot.
        LedgerLocked: Somebody has it open.
    """
    with kvledger.open(folder, create=False) as ledger:
        last = ledger.height - 1
    if not 0 <= number < last:
        raise InputError(
            f"target block number [{number}] should be less than the biggest block number [{last}]"
        )
    _cut(folder, number)


def reset(folder: Path) -> None:
    """Forget all blocks but the first.

    Raises:
        InputError: There is no such ledger, or it began with a snapshot.
        LedgerLocked: Somebody has it open.
    """
    with kvledger.open(folder, create=False) as ledger:
        height = ledger.height
    if height > 1:
        _cut(folder, 0)


def _cut(folder: Path, number: int) -> None:
    files = sorted((folder / _CHAINS).iterdir())
    place, end = _find(folder, files, number)
    # What is derived goes first: it must never be ahead of the block files.
    shutil.rmtree(folder / _DERIVED, ignore_errors=True)
    queryindexes.drop(folder)
    for later in reversed(files[place + 1 :]):
        later.unlink()
    with files[place].open("r+b") as cut:
        cut.truncate(end)
        os.fsync(cut.fileno())


def _find(folder: Path, files: list[Path], number: int) -> tuple[int, int]:
    """Return the file that has a block, and the offset behind the block."""
    first = True
    for place, path in enumerate(files):
        with path.open("rb") as file:
            for framed in block_file(file, str(path)):
                found = blocks.parse(framed.block).number
                if first and found != 0:
                    raise InputError(
                        f"{folder}: began with a snapshot at block {found}; it has no earlier state"
                    )
                first = False
                if found == number:
                    return place, framed.end
    raise InputError(f"{folder}: no block {number}")
