# SPDX-License-Identifier: Apache-2.0
"""Stub of the Rust core; `make check` holds it against the built module."""

from collections.abc import Mapping, Sequence
from typing import final

__all__ = [
    "CommitResult",
    "Ledger",
    "Location",
    "StateIterator",
    "Verifier",
    "VersionedValue",
    "Workload",
    "__version__",
    "block_from_record",
    "block_header",
]

__version__: str

@final
class CommitResult:
    """What became of one block."""

    @property
    def number(self) -> int: ...
    @property
    def header_hash(self) -> bytes: ...
    @property
    def data_hash(self) -> bytes: ...
    @property
    def commit_hash(self) -> bytes | None:
        """Absent for block 0."""

    @property
    def codes(self) -> bytes:
        """One TxValidationCode per transaction: the block's transactions filter."""

    @property
    def stored_codes(self) -> bytes | None:
        """The filter that the block carried when it came in, absent when it had none."""

    @property
    def stored_commit_hash(self) -> bytes | None: ...
    @property
    def stage_ms(self) -> Mapping[str, float]:
        """Milliseconds per stage on the wall's clock, summed over threads.

        Stages: parse, verify, policy, mvcc, append, state.
        """

    @property
    def stage_cpu_ms(self) -> Mapping[str, float]:
        """Milliseconds per stage that the working threads had a core."""

@final
class Location:
    """Where a transaction stands."""

    @property
    def block(self) -> int: ...
    @property
    def tx(self) -> int: ...
    @property
    def code(self) -> int: ...

@final
class VersionedValue:
    """A key's committed state."""

    @property
    def value(self) -> bytes: ...
    @property
    def metadata(self) -> bytes:
        """Encoded metadata entries, empty for none."""

    @property
    def version(self) -> tuple[int, int]:
        """Block and transaction that wrote it last."""

@final
class StateIterator:
    """Keys of a namespace in byte order, read in pages."""

    def __iter__(self) -> StateIterator: ...
    def __next__(self) -> tuple[str, str, bytes, VersionedValue]:
        """Namespace, collection (empty for public state), key (hash in a collection), value."""

@final
class Ledger:
    """One channel's ledger and the pipeline that commits to it."""

    @staticmethod
    def open(
        path: str,
        *,
        create: bool = True,
        workers: int = 0,
        durable: bool = True,
        verify_block_signatures: bool = True,
        allow_malformed: bool = False,
        engine: str = "auto",
    ) -> Ledger:
        """Opens a ledger, or with `create` begins one; without, a missing one is an InputError.

        `engine` is auto, parallel or sequential.
        """

    @staticmethod
    def restore(snapshot: str, path: str) -> None: ...
    def close(self) -> None: ...
    @property
    def height(self) -> int: ...
    @property
    def channel_id(self) -> str | None: ...
    @property
    def last_header_hash(self) -> bytes | None: ...
    @property
    def last_commit_hash(self) -> bytes | None: ...
    def submit(self, block: bytes) -> None:
        """Hands the next block to the pipeline; waits while the pipeline is full.

        Never raises for what is wrong with the block: that is the matter of `result`.
        """

    def result(self) -> CommitResult:
        """The next block's outcome, in order; raises what stopped the pipeline.

        A result means that the block is durable. After a refusal (`BlockRefused`) the blocks
        submitted behind the refused one are dropped, `in_flight` is 0, and the ledger takes a block
        of the refused number again.
        """

    def ready(self) -> int:
        """Results that can be taken without waiting."""

    def in_flight(self) -> int:
        """Blocks submitted whose results were not taken yet."""

    def validate(self, block: bytes) -> CommitResult:
        """Judges the next block without committing it."""

    def get(self, namespace: str, key: str) -> VersionedValue | None: ...
    def get_hash(
        self, namespace: str, collection: str, key_hash: bytes
    ) -> VersionedValue | None: ...
    def range(self, namespace: str, start: str, end: str) -> StateIterator: ...
    def state(self) -> StateIterator:
        """Every key of the state, hashes of private keys included."""

    def history(self, namespace: str, key: str) -> list[tuple[int, int]]:
        """Heights (block, tx) of the valid writes of a key, newest first."""

    def block(self, number: int) -> bytes:
        """Encoded common.Block."""

    def block_by_hash(self, header_hash: bytes) -> bytes | None: ...
    def find(self, tx_id: str) -> Location | None: ...
    def explain(self, block: int, tx: int) -> str | None:
        """JSON of the reason that the ledger kept for an invalid transaction, by its `kind`.

        rule: text. policy: namespace, guards, policy, endorsements [{msp_id, subject, outcome}].
        read: key {namespace, collection, key}, expected, found ("block:tx" or null),
        written_in_block_by. phantom: namespace, start_key, end_key, difference.
        """

    def policy_of(self, namespace: str) -> str | None:
        """A chaincode's endorsement policy in Fabric's policy language."""

    def snapshot(self, path: str) -> None: ...
    def rebuild(self) -> int:
        """Drops every derived store and replays the block files; returns the height."""

@final
class Verifier:
    """Verifies batches of P-256 signatures; its tables of frequent keys live as long as it does."""

    def __new__(cls, *, engine: str = "auto", table_bytes: int | None = None) -> Verifier:
        """`engine` is auto, ifma, portable or library."""

    @property
    def engine(self) -> str:
        """The engine in use."""

    def verify_batch(self, jobs: Sequence[tuple[bytes, bytes, bytes]]) -> list[bool]:
        """One verdict for each (public key, digest, signature).

        An uncompressed SEC1 point, 32 bytes, DER.
        """

@final
class Workload:
    """The blocks of a generated channel, in order."""

    def __new__(cls, spec: str, *, threads: int = 0) -> Workload:
        """`spec` is a JSON object of what differs from the default specification."""

    @property
    def spec(self) -> str:
        """The whole specification as JSON."""

    def __iter__(self) -> Workload: ...
    def __next__(self) -> tuple[int, bytes, bytes, bool]:
        """Number, encoded common.Block, predicted codes, and whether it is measured, not set-up."""

def block_from_record(record: bytes) -> bytes:
    """Turns a block file's record into an encoded common.Block."""

def block_header(block: bytes) -> tuple[int, bytes, bytes, bytes]:
    """Number, previous hash, data hash and header hash of an encoded common.Block."""
