# SPDX-License-Identifier: Apache-2.0
"""Examines blocks whose beginning is missing: those of a peer that joined by a snapshot.

With the snapshot such a ledger is judged like any other (``kvledger.restore``, then ``Replay``).
Without it, its blocks still have to be a chain, signed by orderers and clients, and its commit
hashes have to follow from each other.
"""

from collections import Counter
from dataclasses import dataclass, field

from fastledger._core import Examined, block_header
from fastledger._core import Excerpt as _CoreExcerpt
from fastledger.common.errors import InputError
from fastledger.ledger.replay import MAX_DIFFERENCES, MAX_NOTES, Difference
from fastledger.ledger.sources import Source
from fastledger.protoutil import block as blocks


@dataclass
class ExcerptSummary:
    """What an examination came to."""

    channel_id: str | None = None
    first: int = 0
    """The first block's number."""

    blocks: int = 0
    transactions: int = 0
    decided: int = 0
    """Transactions whose verdict no state changes, and which so are certain."""

    codes: Counter[int] = field(default_factory=Counter)
    """Stored verdicts."""

    orderers_checked: int = 0
    """Blocks whose orderers' signatures were held against an earlier block's configuration."""

    creators_checked: int = 0
    """Blocks whose transactions' creators were verified."""

    commit_hashes: int = 0
    """Blocks whose commit hash follows from the one before, the stored verdicts and the writes."""

    differences: list[Difference] = field(default_factory=list)
    """The first MAX_DIFFERENCES of what contradicts the stored verdicts and hashes."""

    difference_count: int = 0
    notes: list[str] = field(default_factory=list)
    """The first MAX_NOTES of what an auditor should know of blocks."""

    @property
    def unknown(self) -> int:
        """Transactions whose verdict takes the state before the first block."""
        return self.transactions - self.decided


def begins_late(source: Source) -> bool:
    """Whether a source's first block is not a channel's first."""
    first = next(iter(source), None)
    return first is not None and block_header(first)[0] > 0


def examine(source: Source, *, allow_malformed: bool = False) -> ExcerptSummary:
    """Hold consecutive blocks against each other, as far as they alone allow.

    Args:
        source: The blocks; the first may have any number.
        allow_malformed: As for :func:`kvledger.open`.

    Raises:
        BlockRefused: A block does not hold.
        InputError: The source is damaged, or does not go on from where it says it does.

    Example:
        >>> from fastledger.ledger import sources
        >>> with sources.open(corpus) as source:
        ...     summary = examine(source)
        >>> summary.first, summary.difference_count
        (0, 0)
    """
    return Examination(source, allow_malformed=allow_malformed).run()


class Examination:
    """One run over a source whose beginning is missing."""

    def __init__(self, source: Source, *, allow_malformed: bool = False) -> None:
        """Name the blocks."""
        self.summary = ExcerptSummary()
        self._source = source
        self._core = _CoreExcerpt(source.origin, allow_malformed=allow_malformed)

    def run(self) -> ExcerptSummary:
        """Examine all blocks.

        Raises:
            BlockRefused: A block does not hold; `summary` tells of what came before.
            InputError: The source is damaged.
        """
        for encoded in self._source:
            if not self.summary.blocks:
                self._begin(block_header(encoded)[0])
            examined = self._core.examine(encoded)
            self._count(examined, blocks.parse(encoded).codes)
        return self.summary

    def _begin(self, number: int) -> None:
        self.summary.first = number
        origin = self._source.origin
        if origin is not None and number != origin.number + 1:
            raise InputError(
                f"the first block is {number}, but the snapshot that the ledger began with ends "
                f"with block {origin.number}"
            )

    def _count(self, examined: Examined, stored: bytes) -> None:
        summary = self.summary
        summary.channel_id = self._core.channel_id
        summary.blocks += 1
        summary.transactions += examined.transactions
        summary.decided += examined.decided
        summary.codes.update(stored)
        summary.orderers_checked += examined.orderers_checked
        summary.creators_checked += examined.creators_checked
        summary.commit_hashes += examined.commit_hash_follows is True
        room = MAX_NOTES - len(summary.notes)
        summary.notes += [f"block {examined.number}: {note}" for note in examined.notes[:room]]
        for tx, text in examined.differences:
            self._differs(examined.number, tx, text)
        if examined.commit_hash_follows is False:
            text = "the stored commit hash does not follow from the stored verdicts and writes"
            self._differs(examined.number, None, text)

    def _differs(self, block: int, tx: int | None, text: str) -> None:
        self.summary.difference_count += 1
        if len(self.summary.differences) < MAX_DIFFERENCES:
            self.summary.differences.append(Difference(block, tx, text))
