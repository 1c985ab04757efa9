# SPDX-License-Identifier: Apache-2.0
"""Commits a source's blocks to a ledger and compares with the verdicts stored in them."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from fastledger._core import block_header
from fastledger.common.codes import code_name
from fastledger.common.errors import NotFound
from fastledger.ledger.kvledger import Ledger
from fastledger.ledger.records import Commit
from fastledger.ledger.sources import Source
from fastledger.protoutil import block as blocks

MAX_NOTES = 100
"""Notes that are kept with their text; every block of an old ledger may bring some."""

MAX_DIFFERENCES = 100
"""Differences that are kept with their text; one wrong block makes every later one differ."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a block's stored verdict or hash is not ours."""

    block: int
    tx: int | None
    """Place in the block; None for what belongs to the block as a whole."""

    text: str

    def __str__(self) -> str:
        """Say it in one line."""
        place = "" if self.tx is None else f", transaction {self.tx}"
        return f"block {self.block}{place}: {self.text}"


@dataclass
class Summary:
    """What a replay came to."""

    blocks: int = 0
    transactions: int = 0
    codes: Counter[int] = field(default_factory=Counter)
    stage_ms: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    """From the first block read to the last commit durable."""

    already_committed: int = 0
    """Blocks at the source's start that the ledger had."""

    compared: int = 0
    """Blocks that carried verdicts to compare with."""

    without_commit_hash: int = 0
    """Of these, block 0 left out, those without a commit hash: Fabric's peers have computed them
    since 1.4.1, and only in ledgers begun since."""

    older: int = 0
    """Blocks of the source that are older than the snapshot the ledger began with: not judged."""

    notes: list[str] = field(default_factory=list)
    """The first MAX_NOTES of what an auditor should know of blocks beside their verdicts."""

    note_count: int = 0

    differences: list[Difference] = field(default_factory=list)
    """The first MAX_DIFFERENCES of them."""

    difference_count: int = 0

    @property
    def tx_per_s(self) -> float:
        """Transactions per second, end to end."""
        return self.transactions / self.seconds if self.seconds else 0.0


class Replay:
    """One run over a source.

    A peer stores a verdict with every block. So a source whose first block has none is an
    orderer's, and where a later block of it carries a filter all the same, but no commit hash,
    the orderer made it up: Fabric overwrites it unseen, and so it is not compared.

    Example:
        >>> from fastledger.ledger import sources
        >>> with fastledger.open(tmp_path / "ledger") as ledger, sources.open(corpus) as source:
        ...     summary = Replay(ledger, source).run()
        >>> summary.blocks, summary.compared, [str(each) for each in summary.differences]
        (84, 84, [])
    """

    def __init__(
        self, ledger: Ledger, source: Source, on_commit: Callable[[Commit], None] | None = None
    ) -> None:
        """Name the ledger, the blocks, and who hears of every commit."""
        self.summary = Summary()
        self._ledger = ledger
        self._source = source
        self._on_commit = on_commit
        self._from_peer = False

    def run(self) -> Summary:
        """Commit everything that the ledger does not have yet.

        Raises:
            BlockRefused: A block is refused; `summary` tells of what came before.
            InputError: The source is damaged; what came before is committed.
        """
        summary = self.summary
        started = time.perf_counter()
        try:
            for commit in self._ledger.commit_all(self._new_blocks()):
                summary.seconds = time.perf_counter() - started
                self._count(commit)
                self._compare(commit)
                if self._on_commit:
                    self._on_commit(commit)
        finally:
            summary.seconds = time.perf_counter() - started
        return summary

    def _new_blocks(self) -> Iterator[bytes]:
        height = self._ledger.height
        source = iter(self._source)
        first = next(source, None)
        if first is None:
            return
        self._from_peer = bool(blocks.parse(first).codes)
        block: bytes | None = first
        while block is not None and block_header(block)[0] < height:
            self._compare_committed(block)
            block = next(source, None)
        if block is not None:
            yield block
            yield from source

    def _count(self, commit: Commit) -> None:
        summary = self.summary
        summary.blocks += 1
        summary.transactions += len(commit.filter)
        summary.codes.update(commit.filter)
        summary.stage_ms.update(commit.stage_ms)
        summary.note_count += len(commit.notes)
        room = MAX_NOTES - len(summary.notes)
        summary.notes += [f"block {commit.number}: {note}" for note in commit.notes[:room]]

    def _compare(self, commit: Commit) -> None:
        stored_hash = commit.stored_commit_hash
        if commit.stored_filter is not None and (self._from_peer or stored_hash):
            self.summary.compared += 1
            self.summary.without_commit_hash += not stored_hash and commit.number > 0
            self._compare_codes(commit.number, commit.stored_filter, commit.filter)
        if stored_hash and stored_hash != commit.commit_hash:
            self._differs(commit.number, None, _hashes("commit", stored_hash, commit.commit_hash))

    def _compare_committed(self, encoded: bytes) -> None:
        """Hold a block that the ledger has against the source's copy."""
        self.summary.already_committed += 1
        theirs = blocks.parse(encoded)
        try:
            ours = self._ledger.block(theirs.number)
        except NotFound:
            # Older than the snapshot that the ledger began with.
            self.summary.older += 1
            return
        number = theirs.number
        if theirs.header_hash != ours.header_hash:
            self._differs(number, None, _hashes("header", theirs.header_hash, ours.header_hash))
        if theirs.codes and (self._from_peer or theirs.commit_hash):
            self.summary.compared += 1
            self._compare_codes(number, theirs.codes, ours.codes)
        if theirs.commit_hash and ours.commit_hash and theirs.commit_hash != ours.commit_hash:
            self._differs(number, None, _hashes("commit", theirs.commit_hash, ours.commit_hash))

    def _compare_codes(self, number: int, stored: bytes, ours: bytes) -> None:
        if stored == ours:
            return
        if len(stored) != len(ours):
            text = f"{len(stored)} verdicts are stored for {len(ours)} transactions"
            self._differs(number, None, text)
            return
        for tx, (theirs, our) in enumerate(zip(stored, ours, strict=True)):
            if theirs != our:
                text = f"the stored verdict is {code_name(theirs)}, ours is {code_name(our)}"
                self._differs(number, tx, text)

    def _differs(self, block: int, tx: int | None, text: str) -> None:
        self.summary.difference_count += 1
        if len(self.summary.differences) < MAX_DIFFERENCES:
            self.summary.differences.append(Difference(block, tx, text))


def _hashes(name: str, stored: bytes, ours: bytes | None) -> str:
    return f"the stored {name} hash is {stored.hex()}, ours is {ours.hex() if ours else 'none'}"
