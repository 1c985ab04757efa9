# SPDX-License-Identifier: Apache-2.0
"""Whatever becomes of a file, a node has what it had, makes it again, or refuses and names it.

Never wrong state, a wrong verdict, a block that was changed, a chain that lost one, or a process
that dies. FASTLEDGER_SEED repeats a run, FASTLEDGER_DAMAGES says how often each file is damaged in
each way.
"""

import os
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from corpora import Corpus
from damaged import CHANNEL, DAMAGES, Damage, Looker, Sight, Stores, flip_in

SEED = int(os.environ.get("FASTLEDGER_SEED", "0")) or random.SystemRandom().randrange(1 << 32)
SLOW = os.environ.get("FASTLEDGER_SLOW") == "1"
ROUNDS = int(os.environ.get("FASTLEDGER_DAMAGES", "6" if SLOW else "1"))

FILES = {
    "peer blocks": ("peer", f"{CHANNEL}/chains/blockfile_000000"),
    "peer mark": ("peer", f"{CHANNEL}/chains/synced"),
    "peer derived": ("peer", f"{CHANNEL}/derived/data.mdb"),
    "peer readers": ("peer", f"{CHANNEL}/derived/lock.mdb"),
    "orderer blocks": ("orderer", f"chains/{CHANNEL}/blockfile_000000"),
    "orderer mark": ("orderer", f"chains/{CHANNEL}/synced"),
    "orderer sums": ("orderer", f"chains/{CHANNEL}/sums"),
    "orderer's list": ("orderer", f"joined/{CHANNEL}"),
    "private values": ("private", "data.mdb"),
    "private readers": ("private", "lock.mdb"),
    "indexes": ("indexed", "indexes/data.mdb"),
    "index readers": ("indexed", "indexes/lock.mdb"),
    "private indexes": ("indexed", "private/data.mdb"),
}

TARGETED = {
    "peer derived": [b"savepoint", b"CHANNEL_CONFIG", b"anyorg\0n", b"namespaces/", b"format"],
    "private values": [b"ever", b"height", b"values", b"write-sets"],
    "indexes": [b"index-entries", b"size", b"owner", b"k00"],
}
"""Where a changed byte used to change what is read."""

LOSABLE = {"private values"}
"""Of what is deleted here nobody has a copy, which is told: it is gone, and not wrong."""

GONE = "private data matching public hash version is not available"


@pytest.fixture(scope="module")
def stores(small: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Stores:
    return Stores(tmp_path_factory.mktemp("whole"), small.blocks("orderer"))


@pytest.fixture(scope="module")
def looker() -> Iterator[Looker]:
    looker = Looker()
    yield looker
    looker.close()


@pytest.fixture(scope="module")
def whole(stores: Stores, looker: Looker, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What is seen of stores that nobody damaged."""
    sights = {}
    for kind in sorted({kind for kind, _ in FILES.values()}):
        folder = stores.copy(kind, tmp_path_factory.mktemp("undamaged"))
        sights[kind] = looker.look(kind, folder, stores.feed)
        assert not sights[kind].refused
        assert not [part for part in sights[kind].parts.values() if "Error" in part]
    return sights


def judge(name: str, seen: Sight, whole: Sight, folder: Path) -> str:
    """Say which of the right outcomes it is; raises AssertionError for any other."""
    assert not seen.signal, f"the process ended by signal {seen.signal}"
    if seen.refused:
        assert not seen.refused.startswith("defect"), seen.refused
        assert str(folder) in seen.refused, f"no file is named: {seen.refused}"
        return "refused"
    kept = "right"
    for part, expected in whole.parts.items():
        found = seen.parts.get(part)
        if found == expected:
            continue
        assert found is not None, f"{part} is missing"
        told = "LedgerCorrupted" in found or GONE in found
        lost = name in LOSABLE and part.startswith("range ")
        assert told or lost, f"{part} is wrong: {found}"
        kept = "refused in part"
    return kept


@pytest.mark.timeout(3000)
@pytest.mark.parametrize("name", FILES)
def test_damage_is_mended_or_told(
    name: str,
    stores: Stores,
    looker: Looker,
    whole: dict[str, Sight],
    tmp_path: Path,
    record_property: pytest.FixtureRequest,
) -> None:
    kind, file = FILES[name]
    damages: list[Damage] = [*DAMAGES, *map(flip_in, TARGETED.get(name, []))]
    outcomes: Counter[str] = Counter()
    for turn in range(ROUNDS):
        for damage in damages:
            folder = stores.copy(kind, tmp_path)
            about = f"{name}: {damage.__name__}, seed {SEED}, round {turn}"
            chance = random.Random(about)
            target = folder / file
            if target.stat().st_size == 0 and damage.__name__ not in ("empty", "delete", "append"):
                shutil.rmtree(folder)
                continue
            damage(target, chance)
            seen = looker.look(kind, folder, stores.feed)
            try:
                outcomes[judge(name, seen, whole[kind], folder)] += 1
            except AssertionError as error:
                raise AssertionError(f"{about}: {error}") from error
            shutil.rmtree(folder)
    print(f"{name}: {dict(outcomes)}")
    record_property("outcomes", dict(outcomes))  # type: ignore[operator]
