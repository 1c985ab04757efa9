# SPDX-License-Identifier: Apache-2.0
"""Stores on disk, ways to damage them, and what a node makes of them afterwards.

`Stores` makes whole ones. `DAMAGES` are ways in which a disk, a bad copy or a person changes a file
or a folder. `Looker` opens stores in a process of its own, which damage may end, and says what it
found there: everything it read, or who refused it and with which words.
"""

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from fastledger.ledger import kvledger
from fastledger.ledger.blockstores import Ledgers
from fastledger.ledger.pvtdata import PrivateDataStore
from fastledger.ledger.queryindexes import QueryIndexes
from memory_ledger import CHAINCODE, FILES, MemoryLedger
from private_blocks import Generated, endorsed, generated

CHANNEL = "mychannel"
SEED = 7
PRIVATE_BLOCKS = 60
INDEXED_BLOCKS = 60
PAGE_BYTES = 4096

Damage = Callable[[Path, random.Random], None]
"""Changes a file."""


@dataclass(frozen=True)
class Sight:
    """What somebody who opened a store saw."""

    refused: str = ""
    """Why it was not opened."""
    parts: dict[str, str] = field(default_factory=dict)
    """What was read, by name: a digest, or why it was not given out."""
    signal: int = 0
    """What ended the process that looked."""


class Stores:
    """Whole stores of every kind, and what they hold."""

    def __init__(self, folder: Path, blocks: Sequence[bytes]) -> None:
        self.folder = folder
        self.feed = folder / "feed"
        self.feed.mkdir(parents=True)
        for number, block in enumerate(blocks):
            (self.feed / f"{number:06}").write_bytes(block)
        with kvledger.open(folder / "peer" / CHANNEL) as ledger:
            for _ in ledger.commit_all(blocks):
                pass
        _make_orderer(folder / "orderer", blocks)
        _make_private(folder / "private")
        _make_indexes(folder / "indexed")

    def copy(self, kind: str, target: Path) -> Path:
        """Copy the stores of a kind; the blocks that they came from stay where they are."""
        shutil.copytree(self.folder / kind, target / kind)
        return target / kind


def _make_orderer(folder: Path, blocks: Sequence[bytes]) -> None:
    ledgers = Ledgers(folder)
    store = ledgers.open(CHANNEL)
    store.append(blocks)
    ledgers.know(CHANNEL)
    store.close()


def _make_private(folder: Path) -> None:
    store = PrivateDataStore(folder, Generated())
    for number, transactions in enumerate(private_blocks()):
        store.apply(number, endorsed(store, number, transactions))
    store.close()


def private_blocks() -> list[Any]:
    """The blocks that the private values come from."""
    return generated(random.Random(SEED), PRIVATE_BLOCKS)


def _make_indexes(folder: Path) -> None:
    folder.mkdir()
    ledger = MemoryLedger(SEED, INDEXED_BLOCKS)
    private = PrivateDataStore(folder / "private")
    indexes = QueryIndexes(folder, ledger, private, lambda: [(CHAINCODE, FILES)])  # type: ignore[arg-type]
    indexes.deploy()
    while indexes._work():
        pass
    indexes.stop()
    private.close()


# Ways to damage a file.


def flip(file: Path, chance: random.Random) -> None:
    """Change a bit anywhere."""
    _change(file, chance.randrange(file.stat().st_size), 1 << chance.randrange(8))


def flip_three(file: Path, chance: random.Random) -> None:
    for _ in range(3):
        flip(file, chance)


def flip_early(file: Path, chance: random.Random) -> None:
    """Change a bit where formats say what follows."""
    _change(file, chance.randrange(min(64, file.stat().st_size)), 1 << chance.randrange(8))


def flip_first(file: Path, chance: random.Random) -> None:
    """Change the first length, or number."""
    _change(file, chance.randrange(2), 1 << chance.randrange(8))


def flip_late(file: Path, chance: random.Random) -> None:
    size = file.stat().st_size
    _change(file, size - 1 - chance.randrange(min(2000, size)), 1 << chance.randrange(8))


def flip_in(needle: bytes) -> Damage:
    """Change a bit in every place that begins with these bytes, behind them."""

    def damage(file: Path, chance: random.Random) -> None:
        content = bytearray(file.read_bytes())
        place, found = content.find(needle), 0
        while place >= 0:
            content[min(place + len(needle), len(content) - 1)] ^= 1 << chance.randrange(8)
            place, found = content.find(needle, place + len(needle)), found + 1
        assert found, needle
        file.write_bytes(content)

    damage.__name__ = f"flip_behind_{needle.decode('ascii', 'replace')}"
    return damage


def flip_used(file: Path, chance: random.Random) -> None:
    """Change a bit of what is not zero, so that it counts."""
    content = file.read_bytes()
    used = [at for at in range(0, len(content), 7) if content[at]]
    _change(file, chance.choice(used or range(len(content))), 1 << chance.randrange(8))


def zero_page(file: Path, chance: random.Random) -> None:
    pages = max(1, file.stat().st_size // PAGE_BYTES)
    _overwrite(file, chance.randrange(pages) * PAGE_BYTES, bytes(PAGE_BYTES))


def swap_pages(file: Path, chance: random.Random) -> None:
    """Put one page where another belongs."""
    pages = file.stat().st_size // PAGE_BYTES
    one, other = (chance.randrange(max(1, pages)) * PAGE_BYTES for _ in range(2))
    content = file.read_bytes()
    _overwrite(file, one, content[other : other + PAGE_BYTES])


def cut(count: int) -> Damage:
    def damage(file: Path, _: random.Random) -> None:
        with file.open("r+b") as opened:
            opened.truncate(max(0, file.stat().st_size - count))

    damage.__name__ = f"cut_{count}"
    return damage


def half(file: Path, _: random.Random) -> None:
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size // 2)


def cut_anywhere(file: Path, chance: random.Random) -> None:
    with file.open("r+b") as opened:
        opened.truncate(chance.randrange(file.stat().st_size))


def empty(file: Path, _: random.Random) -> None:
    file.write_bytes(b"")


def delete(file: Path, _: random.Random) -> None:
    file.unlink()


def randomize(file: Path, chance: random.Random) -> None:
    file.write_bytes(chance.randbytes(max(8192, min(file.stat().st_size, 1 << 20))))


def append(file: Path, chance: random.Random) -> None:
    with file.open("ab") as opened:
        opened.write(chance.randbytes(777))


def append_zeros(file: Path, _: random.Random) -> None:
    with file.open("ab") as opened:
        opened.write(bytes(5000))


def delete_folder(file: Path, _: random.Random) -> None:
    shutil.rmtree(file.parent)


def _change(file: Path, place: int, mask: int) -> None:
    with file.open("r+b") as opened:
        opened.seek(place)
        byte = opened.read(1)[0]
        opened.seek(place)
        opened.write(bytes([byte ^ mask]))


def _overwrite(file: Path, place: int, content: bytes) -> None:
    with file.open("r+b") as opened:
        opened.seek(place)
        opened.write(content)


DAMAGES: tuple[Damage, ...] = (
    flip,
    flip_three,
    flip_early,
    flip_first,
    flip_late,
    flip_used,
    zero_page,
    swap_pages,
    cut(1),
    cut(100),
    cut(5000),
    half,
    cut_anywhere,
    empty,
    delete,
    randomize,
    append,
    append_zeros,
    delete_folder,
)
"""What can become of any file."""

# Looking, in the process that may die of it.


def look(kind: str, folder: Path, feed: Path) -> dict[str, str]:
    """Read everything that the stores of a kind hold; raises what refuses it."""
    return _LOOKS[kind](folder, feed)


def _digest(value: object) -> str:
    return sha256(repr(value).encode()).hexdigest()


def _part(parts: dict[str, str], name: str, read: Callable[[], object]) -> None:
    from fastledger.common.errors import FastledgerError

    try:
        parts[name] = _digest(read())
    except FastledgerError as error:
        parts[name] = f"{type(error).__name__}: {error}"


def _look_peer(folder: Path, feed: Path) -> dict[str, str]:
    blocks = [path.read_bytes() for path in sorted(feed.iterdir())]
    parts: dict[str, str] = {}
    with kvledger.open(folder / CHANNEL) as ledger:
        # As a peer pulls what it lacks.
        for _ in ledger.commit_all(blocks[ledger.height :]):
            pass
        parts["height"] = _digest(ledger.height)
        parts["hashes"] = _digest((ledger.last_header_hash, ledger.last_commit_hash))
        entries = []

        def state() -> object:
            entries.extend(ledger.state())
            return entries

        _part(parts, "state", state)
        keys = [(e.namespace, e.key.decode()) for e in entries if not e.collection][:100]
        for namespace, key in keys:
            _part(parts, f"value {namespace} {key}", lambda n=namespace, k=key: ledger.get(n, k))
            _part(
                parts,
                f"history {namespace} {key}",
                lambda n=namespace, k=key: [(h.tx_id, h.version) for h in ledger.history(n, k)],
            )
        for number in range(len(blocks)):
            _part(parts, f"block {number}", lambda n=number: ledger.encoded_block(n))
    return parts


def _look_orderer(folder: Path, feed: Path) -> dict[str, str]:
    from fastledger.common.errors import FastledgerError

    ledgers = Ledgers(folder)
    parts: dict[str, str] = {"channels": _digest(ledgers.channel_ids())}
    store = ledgers.open(CHANNEL)
    if store.height == 0 and ledgers.knows(CHANNEL):
        raise FastledgerError(ledgers.loss(CHANNEL))
    parts["height"] = _digest(store.height)
    parts["hash"] = _digest(store.last_header_hash)
    for number in range(len(list(feed.iterdir()))):
        _part(parts, f"block {number}", lambda n=number: store.block(n))
    store.close()
    return parts


class _Hashes:
    """What the channel agreed on about private values, as a view of the state."""

    height = PRIVATE_BLOCKS

    def __init__(self, agreed: dict[tuple[str, bytes], tuple[bytes, tuple[int, int]]]) -> None:
        self._agreed = agreed

    def get_hash(self, _ns: str, coll: str, key: bytes) -> Any:
        from memory_ledger import Found

        found = self._agreed.get((coll, key))
        return None if found is None else Found(found[0], found[1])

    def close(self) -> None:
        pass


def _look_private(folder: Path, _: Path) -> dict[str, str]:
    from fastledger.ledger.simulator import TxSimulator
    from private_blocks import LIVES, Model

    model = Model()
    blocks = private_blocks()
    for number, transactions in enumerate(blocks):
        model.commit(number, transactions)
    agreed = {
        (coll, sha256(key.encode()).digest()): (sha256(value).digest(), version)
        for (coll, key), (value, version) in model.values.items()
    }
    store = PrivateDataStore(folder, Generated())
    for number in range(store.height, len(blocks)):
        store.apply(number, endorsed(store, number, blocks[number]))
    parts = {"height": _digest(store.height)}
    for coll, key in sorted(model.values):
        simulator = TxSimulator(_Hashes(agreed), "tx", private=store)  # type: ignore[arg-type]
        _part(
            parts,
            f"value {coll} {key}",
            lambda s=simulator, c=coll, k=key: s.get_private_data("cc", c, k),
        )
    for coll in LIVES:
        simulator = TxSimulator(_Hashes(agreed), "tx", private=store)  # type: ignore[arg-type]
        _part(
            parts,
            f"range {coll}",
            lambda s=simulator, c=coll: list(s.get_private_range("cc", c, "", "")),
        )
    store.close()
    return parts


def _look_indexed(folder: Path, _: Path) -> dict[str, str]:
    ledger = MemoryLedger(SEED, INDEXED_BLOCKS)
    private = PrivateDataStore(folder / "private")
    indexes = QueryIndexes(folder, ledger, private, lambda: [(CHAINCODE, FILES)])  # type: ignore[arg-type]
    indexes.deploy()
    while indexes._work():
        pass
    parts = {}

    def entries(index: Any) -> object:
        opened = indexes.entries(ledger.view(), CHAINCODE, index)
        assert opened is not None
        return list(opened.scan(b"", b"\xff", reverse=False))

    for index in indexes.indexes(CHAINCODE):
        _part(parts, f"index {index.name}", lambda i=index: entries(i))
    indexes.stop()
    private.close()
    return parts


_LOOKS = {
    "peer": _look_peer,
    "orderer": _look_orderer,
    "private": _look_private,
    "indexed": _look_indexed,
}


class Looker:
    """A process that looks at stores one after another, and is replaced when one has ended it."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[str] | None = None

    def close(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None

    def look(self, kind: str, folder: Path, feed: Path) -> Sight:
        if self._child is None:
            code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); "
            self._child = subprocess.Popen(
                [sys.executable, "-c", code + "import damaged; damaged.serve()"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        child = self._child
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(json.dumps([kind, str(folder), str(feed)]) + "\n")
        child.stdin.flush()
        line = child.stdout.readline()
        if not line:
            self._child = None
            return Sight(signal=-child.wait() or 1)
        return Sight(**json.loads(line))


def serve() -> None:
    """Look at what standard input names, for ever."""
    from fastledger.common.errors import FastledgerError

    for line in sys.stdin:
        kind, folder, feed = json.loads(line)
        try:
            answer = {"parts": look(kind, Path(folder), Path(feed))}
        except FastledgerError as error:
            answer = {"refused": f"{type(error).__name__}: {error}"}
        except Exception as error:  # noqa: BLE001 - whatever it is, a node would have died of it
            answer = {"refused": f"defect: {error!r}"}
        print(json.dumps(answer), flush=True)
