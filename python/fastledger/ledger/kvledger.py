# SPDX-License-Identifier: Apache-2.0
"""A channel's ledger: commit blocks, read state, ask why."""

from collections.abc import Iterable, Iterator
from os import PathLike, fspath
from pathlib import Path
from types import TracebackType
from typing import Literal

from fastledger import _core
from fastledger.common.codes import TxValidationCode
from fastledger.common.errors import FastledgerError, InputError, LedgerIo, NotFound
from fastledger.ledger import explanation
from fastledger.ledger.explanation import Explanation, ReadConflict
from fastledger.ledger.records import (
    Commit,
    CommittedTransaction,
    Height,
    HistoryEntry,
    StateEntry,
    StateValue,
)
from fastledger.protoutil import block as blocks
from fastledger.protoutil import transaction
from fastledger.protoutil.block import Block

PIPELINE_BLOCKS = 8
"""Blocks that :meth:`Ledger.commit_all` hands in before it waits for the first result.

Fewer starve the stages of the pipeline; more only hold memory.
"""

Engine = Literal["auto", "parallel", "sequential"]


def open(
    path: str | PathLike[str],
    *,
    create: bool = True,
    workers: int = 0,
    durable: bool = True,
    verify_block_signatures: bool = True,
    allow_malformed: bool = False,
    engine: Engine = "auto",
) -> "Ledger":
    """Open a ledger, or begin one in an empty or missing folder.

    Whatever is missing or out of date beside the block files (state, history, index) is brought
    up to them first.

    Args:
        path: The ledger's folder.
        create: Whether an empty or missing folder becomes a new ledger.
        workers: Threads that verify signatures and policies; 0 takes one per core.
        durable: Whether a commit waits until the disk has the block. Without it a power cut can
            cost the newest blocks, but never the order or the soundness of the rest.
        verify_block_signatures: Whether blocks must carry the orderers' signatures.
        allow_malformed: Judge blocks with entries that are no well-formed envelopes, which
            today's Fabric refuses whole. Ledgers of peers older than the fix of CVE-2023-46132
            can hold them.
        engine: How conflicts are found: ``parallel``, ``sequential`` (the slow judge of the
            other), or ``auto``.

    Raises:
        InputError: There is no ledger and `create` is false, or the folder holds something else,
            or an argument is out of range.
        LedgerLocked: Somebody has the ledger open.
        LedgerCorrupted: The ledger's files contradict themselves.
        LedgerIo: The folder cannot be used.

    Example:
        >>> with open(tmp_path / "ledger") as ledger:
        ...     ledger.height
        0
    """
    _check_folder(Path(path), create)
    return Ledger(
        _core.Ledger.open(
            fspath(path),
            create=create,
            workers=workers,
            durable=durable,
            verify_block_signatures=verify_block_signatures,
            allow_malformed=allow_malformed,
            engine=engine,
        )
    )


def _check_folder(path: Path, create: bool) -> None:
    """Keep a mistyped path from being answered with a new ledger, or from being written into."""
    try:
        # A peer's own folders have a `chains`, too, but neither of these.
        if (path / "LOCK").is_file() or (path / "chains" / "blockfile_000000").is_file():
            return
        if not create:
            raise InputError(f"{path}: there is no ledger")
        if path.is_dir() and any(path.iterdir()):
            raise InputError(f"{path}: neither a ledger nor empty; choose another folder")
    except OSError as error:
        raise LedgerIo(f"{path}: cannot be read: {error}") from error


def restore(snapshot: str | PathLike[str], path: str | PathLike[str]) -> None:
    """Begin a ledger with a snapshot, fastledger's or a real Fabric peer's.

    The ledger then has the snapshot's state and takes the block after it; older blocks and
    history it does not have.

    Args:
        snapshot: The snapshot's folder; the sums of its files are checked.
        path: The new ledger's folder, empty or missing.

    Raises:
        InputError: The snapshot is incomplete or its sums do not hold.
        LedgerIo: The folder cannot be used, or holds a ledger.

    Example:
        >>> with open(ledger_path) as ledger:
        ...     ledger.snapshot(tmp_path / "snapshot")
        >>> restore(tmp_path / "snapshot", tmp_path / "copy")
        >>> with open(tmp_path / "copy") as copy:
        ...     copy.height
        84
    """
    _core.Ledger.restore(fspath(snapshot), fspath(path))


class Ledger:
    """One channel's ledger. :func:`open` makes them; use one as a context manager.

    One thread may use a ledger at a time; different ledgers are independent, and the GIL is not
    held while the core works.
    """

    def __init__(self, core: _core.Ledger) -> None:
        """Take over an open ledger of the core."""
        self._core = core

    def __enter__(self) -> "Ledger":
        """Return the ledger."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the ledger."""
        self.close()

    def close(self) -> None:
        """Finish what is in the pipeline and let go of the folder. A second time does nothing."""
        self._core.close()

    @property
    def height(self) -> int:
        """Number of the next block.

        Example:
            >>> with open(ledger_path) as ledger:
            ...     ledger.height
            84
        """
        return self._core.height

    @property
    def channel_id(self) -> str | None:
        """The channel's name, None before the first block."""
        return self._core.channel_id

    @property
    def last_header_hash(self) -> bytes | None:
        """Hash of the newest block's header."""
        return self._core.last_header_hash

    @property
    def last_commit_hash(self) -> bytes | None:
        """Commit hash of the newest block: equal ones mean equal verdicts and writes so far."""
        return self._core.last_commit_hash

    def commit(self, block: bytes) -> Commit:
        """Judge the next block and commit it; it is durable when this returns.

        Args:
            block: An encoded ``common.Block``.

        Raises:
            BlockRefused: Fabric would refuse the block whole; nothing was written.

        Example:
            >>> with open(tmp_path / "ledger") as ledger:
            ...     commit = ledger.commit(genesis)
            >>> commit.number, commit.codes
            (0, (<TxValidationCode.VALID: 0>,))
        """
        self._core.submit(block)
        return Commit.of(self._core.result())

    def commit_all(self, blocks: Iterable[bytes]) -> Iterator[Commit]:
        """Commit blocks with the pipeline kept full; yield the outcomes in order.

        At most PIPELINE_BLOCKS blocks are taken ahead of the outcomes. Whoever stops early leaves
        a ledger that has also committed those.

        Args:
            blocks: Encoded ``common.Block`` messages, the ledger's next one first.

        Raises:
            BlockRefused: Fabric would refuse a block whole. All outcomes before it were yielded,
                none after it is written.

        Example:
            >>> from collections import Counter
            >>> from fastledger.ledger import sources
            >>> with open(tmp_path / "ledger") as ledger, sources.open(corpus) as source:
            ...     codes = Counter(c for commit in ledger.commit_all(source) for c in commit.codes)
            >>> codes[TxValidationCode.VALID], codes[TxValidationCode.MVCC_READ_CONFLICT]
            (160, 23)
        """
        core = self._core
        stopped: FastledgerError | None = None
        try:
            for block in blocks:
                try:
                    core.submit(block)
                except FastledgerError as error:
                    # One of the outcomes that were not taken yet says why.
                    stopped = error
                    break
                if core.in_flight() >= PIPELINE_BLOCKS:
                    yield Commit.of(core.result())
            while core.in_flight():
                yield Commit.of(core.result())
            if stopped:
                raise stopped
        finally:
            self._drain()

    def _drain(self) -> None:
        while self._core.in_flight():
            try:
                self._core.result()
            except FastledgerError:
                # Blocks that nobody asks about any more; the refused one was not written.
                return

    def validate(self, block: bytes) -> Commit:
        """Judge the next block without committing it.

        Raises:
            BlockRefused: Fabric would refuse the block whole.

        Example:
            >>> with open(tmp_path / "ledger") as ledger:
            ...     verdict = ledger.validate(genesis)
            ...     verdict.codes, ledger.height
            ((<TxValidationCode.VALID: 0>,), 0)
        """
        return Commit.of(self._core.validate(block))

    def get(self, namespace: str, key: str) -> StateValue | None:
        """Read a key of a chaincode's public state, None when it does not exist.

        Example:
            >>> with open(ledger_path) as ledger:
            ...     ledger.get("basic", "nothing here")
            ...     ledger.get("anyorg", "nv")
            StateValue(value=b'3', version=Height(block=65, tx=1), metadata=b'...')
        """
        return _state(self._core.get(namespace, key))

    def get_hash(self, namespace: str, collection: str, key_hash: bytes) -> StateValue | None:
        """Read what the channel knows of a private key: the hash of its value.

        Args:
            namespace: Chaincode name.
            collection: Collection name.
            key_hash: SHA-256 of the private key.

        Example:
            >>> from hashlib import sha256
            >>> key = sha256(b"namespaces/fields/basic/Sequence").digest()
            >>> with open(ledger_path) as ledger:
            ...     ledger.get_hash("_lifecycle", "_implicit_org_Org1MSP", key) is None
            True
        """
        return _state(self._core.get_hash(namespace, collection, key_hash))

    def range(self, namespace: str, start: str = "", end: str = "") -> Iterator[StateEntry]:
        """Read a range of a chaincode's public keys in byte order.

        Args:
            namespace: Chaincode name.
            start: First key.
            end: Key after the last one; empty for no end.

        Example:
            >>> with open(ledger_path) as ledger:
            ...     [entry.key for entry in ledger.range("anyorg", "n", "o")]
            [b'n2', b'nv', b'nw']
        """
        for found in self._core.range(namespace, start, end):
            yield _entry(found)

    def state(self) -> Iterator[StateEntry]:
        """Read the whole state: public keys, hashes of private keys, and the configuration.

        Example:
            >>> with open(ledger_path) as ledger:
            ...     sum(1 for entry in ledger.state())
            370
        """
        for found in self._core.state():
            yield _entry(found)

    def history(self, namespace: str, key: str) -> Iterator[HistoryEntry]:
        """Read the valid writes of a public key, newest first.

        Example:
            >>> with open(ledger_path) as ledger:
            ...     [(str(entry.version), entry.value) for entry in ledger.history("anyorg", "nv")]
            [('65:1', b'3'), ...]
        """
        for number, place in self._core.history(namespace, key):
            parts = transaction.parse(self.block(number).envelopes[place])
            written = next(
                (w for w in parts.writes if w.namespace == namespace and w.key == key), None
            )
            yield HistoryEntry(
                tx_id=parts.tx_id,
                version=Height(number, place),
                value=written.value if written else b"",
                # A write of nothing deletes, as in the state.
                is_delete=written is not None and (written.is_delete or not written.value),
                timestamp=parts.timestamp,
            )

    def block(self, number: int) -> Block:
        """Read a block by its number.

        Raises:
            NotFound: The ledger has no such block.

        Example:
            >>> with open(ledger_path) as ledger:
            ...     len(ledger.block(0).envelopes)
            1
        """
        return blocks.parse(self._core.block(number))

    def block_by_hash(self, header_hash: bytes) -> Block:
        """Read a block by the hash of its header.

        Raises:
            NotFound: The ledger has no such block.

        Example:
            >>> with open(ledger_path) as ledger:
            ...     ledger.block_by_hash(ledger.last_header_hash).number
            83
        """
        encoded = self._core.block_by_hash(header_hash)
        if encoded is None:
            raise NotFound(f"the ledger has no block with the header hash {header_hash.hex()}")
        return blocks.parse(encoded)

    def transaction(self, tx_id: str) -> CommittedTransaction:
        """Read a transaction by its id; the first one, where copies are on the ledger.

        Raises:
            NotFound: The ledger has no such transaction.

        Example:
            >>> with open(ledger_path) as ledger:
            ...     str(ledger.transaction(conflict_tx_id).version)
            '30:1'
        """
        found = self._core.find(tx_id)
        if found is None:
            raise NotFound(f"the ledger has no transaction {tx_id}")
        envelope = self.block(found.block).envelopes[found.tx]
        version = Height(found.block, found.tx)
        return CommittedTransaction(tx_id, version, TxValidationCode(found.code), envelope)

    def explain(self, tx_id: str) -> Explanation:
        """Say why a transaction got its verdict.

        Raises:
            NotFound: The ledger has no such transaction.

        Example:
            >>> with open(ledger_path) as ledger:
            ...     why = ledger.explain(conflict_tx_id)
            >>> why.code.name, why.reason.key, str(why.reason.expected)
            ('MVCC_READ_CONFLICT', ...)
        """
        found = self.transaction(tx_id)
        return self.explain_at(found.version.block, found.version.tx)

    def explain_at(self, block: int, tx: int) -> Explanation:
        """Say why the transaction at a place in the chain got its verdict.

        A copy of an earlier transaction has the same id; this finds it all the same.

        Raises:
            NotFound: The ledger has no such block or transaction.

        Example:
            >>> with open(ledger_path) as ledger:
            ...     ledger.explain_at(0, 0).type
            'CONFIG'
        """
        found = self.block(block)
        if not 0 <= tx < len(found.envelopes):
            raise NotFound(f"block {block} has {len(found.envelopes)} transactions, none at {tx}")
        parts = transaction.parse(found.envelopes[tx])
        reason = explanation.read_reason(self._core.explain(block, tx))
        if isinstance(reason, ReadConflict):
            reason = explanation.with_writer(reason, self._writer(block, reason))
        return Explanation(
            tx_id=parts.tx_id,
            version=Height(block, tx),
            code=TxValidationCode(found.codes[tx]),
            type=parts.type,
            channel_id=parts.channel_id,
            timestamp=parts.timestamp,
            creator=parts.creator,
            chaincode=parts.chaincode,
            endorsers=parts.endorsers,
            policies=self._policies((parts.chaincode, *parts.namespaces)),
            reason=reason,
        )

    def _writer(self, block: int, reason: ReadConflict) -> str:
        if reason.written_in_block_by is not None:
            writer = Height(block, reason.written_in_block_by)
        elif reason.found is not None:
            writer = reason.found
        else:
            return ""
        try:
            return transaction.parse(self.block(writer.block).envelopes[writer.tx]).tx_id
        except NotFound:
            # Older than the snapshot that the ledger began with.
            return ""

    def _policies(self, namespaces: Iterable[str]) -> dict[str, str]:
        found = ((namespace, self._core.policy_of(namespace)) for namespace in namespaces)
        return {namespace: policy for namespace, policy in found if policy is not None}

    def snapshot(self, path: str | PathLike[str]) -> None:
        """Export a snapshot of the newest block in Fabric's format; commits can go on meanwhile.

        Args:
            path: The folder to make.

        Raises:
            LedgerIo: The folder exists or cannot be written.
            Unsupported: The ledger is empty.

        Example:
            >>> with open(ledger_path) as ledger:
            ...     ledger.snapshot(tmp_path / "exported")
            >>> (tmp_path / "exported" / "_snapshot_signable_metadata.json").exists()
            True
        """
        self._core.snapshot(fspath(path))

    def rebuild(self) -> int:
        """Throw away state, history and index and make them again from the block files.

        Returns:
            The height.

        Example:
            >>> with open(ledger_path) as ledger:
            ...     ledger.rebuild()
            84
        """
        return self._core.rebuild()


def _state(found: _core.VersionedValue | None) -> StateValue | None:
    if found is None:
        return None
    return StateValue(found.value, Height(*found.version), found.metadata)


def _entry(found: tuple[str, str, bytes, _core.VersionedValue]) -> StateEntry:
    namespace, collection, key, value = found
    return StateEntry(
        namespace, collection, key, StateValue(value.value, Height(*value.version), value.metadata)
    )
