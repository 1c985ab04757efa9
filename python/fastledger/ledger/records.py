# SPDX-License-Identifier: Apache-2.0
"""What a ledger hands out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

from fastledger._core import CommitResult
from fastledger.common.codes import TxValidationCode
from fastledger.ledger.pvteffects import PrivateEffects
from fastledger.protoutil.block import Block


class Height(NamedTuple):
    """A place in the chain, and the version of what was written there.

    Example:
        >>> str(Height(7, 2))
        '7:2'
    """

    block: int
    tx: int

    def __str__(self) -> str:
        """Write it as Fabric's people do, ``block:tx``."""
        return f"{self.block}:{self.tx}"


@dataclass(frozen=True, slots=True)
class StateValue:
    """A key's committed state."""

    value: bytes
    """In a collection, the SHA-256 of the private value."""

    version: Height
    """Who wrote it last."""

    metadata: bytes = b""
    """Encoded metadata entries (``ledger.rwset.kvrwset.KVMetadataWrite``), empty for none."""


@dataclass(frozen=True, slots=True)
class StateEntry:
    """A key and its committed state."""

    namespace: str
    collection: str
    """Empty for public state."""

    key: bytes
    """UTF-8 text in public state, the SHA-256 of the private key in a collection."""

    state: StateValue


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One valid write of a key (``queryresult.KeyModification``)."""

    tx_id: str
    version: Height
    value: bytes
    """Empty when the key was deleted."""

    is_delete: bool
    timestamp: datetime | None
    """The client's clock, as the transaction's header has it."""


@dataclass(frozen=True, slots=True)
class CommittedTransaction:
    """A transaction on the ledger and its verdict (``protos.ProcessedTransaction``)."""

    tx_id: str
    version: Height
    code: TxValidationCode
    envelope: bytes
    """Encoded ``common.Envelope``."""


@dataclass(frozen=True)
class Commit:
    """What became of one block."""

    number: int
    header_hash: bytes
    data_hash: bytes
    commit_hash: bytes | None
    """Absent for block 0, and in the copies of peers whose ledger was begun before 1.4.1."""

    filter: bytes
    """The transactions filter: one validation code per transaction."""

    stored_filter: bytes | None
    """The filter that the block carried when it came in; orderers' blocks have none."""

    stored_commit_hash: bytes | None
    """The commit hash that the block carried when it came in."""

    notes: tuple[str, ...]
    """What an auditor should know of the block beside its verdicts: channels that it creates, and
    verdicts that peers of its time came to by other rules than today's."""

    private_effects: tuple[PrivateEffects, ...]
    """What its transactions do to private data; nothing for those that do not touch any."""

    stage_ms: Mapping[str, float]
    """Milliseconds spent on the block in each stage of the pipeline, summed over threads."""

    stage_cpu_ms: Mapping[str, float]
    """The part in which the thread had a core; the rest it waited for one, or for the disk."""

    @cached_property
    def codes(self) -> tuple[TxValidationCode, ...]:
        """One verdict per transaction, in the block's order."""
        return tuple(map(TxValidationCode, self.filter))

    @classmethod
    def of(cls, result: CommitResult) -> "Commit":
        """Take over what the core says."""
        return cls(
            number=result.number,
            header_hash=result.header_hash,
            data_hash=result.data_hash,
            commit_hash=result.commit_hash,
            filter=result.codes,
            stored_filter=result.stored_codes,
            stored_commit_hash=result.stored_commit_hash,
            notes=tuple(result.notes),
            private_effects=PrivateEffects.of(result.private_effects),
            stage_ms=result.stage_ms,
            stage_cpu_ms=result.stage_cpu_ms,
        )

    @classmethod
    def of_stored(cls, block: Block) -> "Commit":
        """Say what became of a block that is in the ledger already."""
        return cls(
            number=block.number,
            header_hash=block.header_hash,
            data_hash=block.data_hash,
            commit_hash=None,
            filter=block.codes,
            stored_filter=block.codes,
            stored_commit_hash=None,
            notes=(),
            private_effects=(),
            stage_ms={},
            stage_cpu_ms={},
        )
