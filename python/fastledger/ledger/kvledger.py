# SPDX-License-Identifier: Apache-2.0
"""A channel's ledger: open it, commit blocks to it, take snapshots of it."""

from collections.abc import Iterable, Iterator
from os import PathLike, fspath
from pathlib import Path
from types import TracebackType
from typing import Literal

from fastledger import _core
from fastledger.common import corelog, log
from fastledger.common.errors import FastledgerError, InputError, LedgerIo
from fastledger.ledger.queryexecutor import QueryExecutor
from fastledger.ledger.records import Commit
from fastledger.protoutil.blocks import EncodedBlock

Engine = Literal["auto", "parallel", "sequential"]

MAX_WORKERS = 1024
MAX_BLOCKS_AHEAD = 128

_logger = log.get("kvledger")


def open(
    path: str | PathLike[str],
    *,
    create: bool = True,
    workers: int = 0,
    blocks_ahead: int = 128,
    durable: bool = True,
    verify_block_signatures: bool = True,
    allow_malformed: bool = False,
    delivered: bool = False,
    engine: Engine = "auto",
) -> "Ledger":
    """Open a ledger, or begin one in an empty or missing folder.

    Whatever is missing or out of date beside the block files (state, history, index) is brought
    up to them first.

    Args:
        path: The ledger's folder.
        create: Whether an empty or missing folder becomes a new ledger.
        workers: Threads that verify signatures and policies, to 1024; 0 takes one per core.
        blocks_ahead: Most blocks between intake and disk, 1 to 128. It bounds how long a block
            waits behind others; small blocks need many for throughput.
        durable: Whether a commit waits until the disk has the block. Without it a power cut can
            cost the newest blocks, but never the order or the soundness of the rest.
        verify_block_signatures: Whether blocks must carry the orderers' signatures.
        allow_malformed: Judge blocks with entries that are no well-formed envelopes, which
            today's Fabric refuses whole. Ledgers of peers older than the fix of CVE-2023-46132
            can hold them.
        delivered: Blocks come from an orderer, so that verdicts and commit hashes in their metadata
            mean nothing, as to a Fabric peer. Otherwise blocks may be a peer's copies: where that
            peer judged by the rules of an older release of Fabric, its verdicts stand (see
            :attr:`Commit.notes`), and a commit hash is computed where it computed one.
        engine: How conflicts are found: ``parallel``, ``sequential`` (the slow judge of the
            other), or ``auto``.

    Raises:
        InputError: There is no ledger and `create` is false, or the folder holds something else,
            or an argument is out of range.
        LedgerLocked: Somebody has the ledger open.
        LedgerCorrupted: The ledger's files contradict themselves.
        LedgerIo: The folder cannot be used.

    Example:
        >>> with fastledger.open(tmp_path / "ledger") as ledger:
        ...     ledger.height
        0
    """
    _check_range("workers", workers, 0, MAX_WORKERS)
    _check_range("blocks_ahead", blocks_ahead, 1, MAX_BLOCKS_AHEAD)
    _check_folder(Path(path), create)
    corelog.follow()
    core = _core.Ledger.open(
        fspath(path),
        create=create,
        workers=workers,
        blocks_ahead=blocks_ahead,
        durable=durable,
        verify_block_signatures=verify_block_signatures,
        allow_malformed=allow_malformed,
        delivered=delivered,
        engine=engine,
    )
    if core.torn is not None:
        _logger.warning(
            "%s: cut at %d, %d bytes of blocks dropped whose writing a crash cut short", *core.torn
        )
    if core.rebuilt is not None:
        _logger.warning(
            "%s: state, history and index were made again from the blocks: %s", path, core.rebuilt
        )
    return Ledger(core)


def _check_range(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise InputError(f"{name} is {value}, it must be from {least} to {most}")


def _check_folder(path: Path, create: bool) -> None:
    """Keep a mistyped path from being answered with a new ledger, or from being written into."""
    try:
        # A peer's own folders have a `chains`, too, but neither of these.
        if (path / "LOCK").is_file() or (path / "chains" / "blockfile_000000").is_file():
            return
        if not create:
            raise InputError(f"{path}: there is no ledger")
        if path.is_file():
            raise InputError(f"{path}: a file; a ledger is a folder")
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
        >>> with fastledger.open(ledger_path) as ledger:
        ...     ledger.snapshot(tmp_path / "snapshot")
        >>> fastledger.restore(tmp_path / "snapshot", tmp_path / "copy")
        >>> with fastledger.open(tmp_path / "copy") as copy:
        ...     copy.height
        84
    """
    corelog.follow()
    _core.Ledger.restore(fspath(snapshot), fspath(path))


class Ledger(QueryExecutor):
    """One channel's ledger. :func:`open` makes them; use one as a context manager.

    One thread may use a ledger at a time; different ledgers are independent, and the GIL is not
    held while the core works.
    """

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

    def commit(self, block: bytes) -> Commit:
        """Judge the next block and commit it; it is durable when this returns.

        Args:
            block: An encoded ``common.Block``.

        Raises:
            BlockRefused: Fabric would refuse the block whole; nothing was written.

        Example:
            >>> with fastledger.open(tmp_path / "ledger") as ledger:
            ...     commit = ledger.commit(genesis)
            >>> commit.number, commit.codes
            (0, (<TxValidationCode.VALID: 0>,))
        """
        self._core.submit(block)
        return Commit.of(self._core.result())

    def commit_all(self, blocks: Iterable[bytes]) -> Iterator[Commit]:
        """Commit blocks with the pipeline kept full; yield the outcomes in order.

        Blocks are taken ahead of the outcomes, as many as the core lets in. Whoever stops early
        leaves a ledger that has also committed those.

        Args:
            blocks: Encoded ``common.Block`` messages, the ledger's next one first.

        Raises:
            BlockRefused: Fabric would refuse a block whole. All outcomes before it were yielded,
                none after it is written.

        Example:
            >>> from collections import Counter
            >>> from fastledger.ledger import sources
            >>> with fastledger.open(tmp_path / "ledger") as ledger, sources.open(corpus) as source:
            ...     codes = Counter(c for commit in ledger.commit_all(source) for c in commit.codes)
            >>> codes[fastledger.TxValidationCode.VALID]
            160
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
                while core.ready():
                    yield Commit.of(core.result())
            while core.in_flight():
                yield Commit.of(core.result())
            if stopped:
                raise stopped
        finally:
            self._drain()

    def submit(self, block: EncodedBlock) -> None:
        """Hand in the next block; waits while the pipeline is full.

        What is wrong with it, :meth:`result` says.

        Args:
            block: An encoded ``common.Block``.
        """
        self._core.submit(block)

    def result(self) -> Commit:
        """Take the outcome of the oldest block that was handed in; waits until it is durable.

        Raises:
            BlockRefused: Fabric would refuse the block whole. It and those behind it are dropped.
        """
        return Commit.of(self._core.result())

    def ready(self, longest_s: float = 0.0) -> int:
        """Outcomes that can be taken without waiting; waits for one, but no longer than this."""
        return self._core.ready(longest_s)

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
            >>> with fastledger.open(tmp_path / "ledger") as ledger:
            ...     verdict = ledger.validate(genesis)
            ...     verdict.codes, ledger.height
            ((<TxValidationCode.VALID: 0>,), 0)
        """
        return Commit.of(self._core.validate(block))

    def snapshot(self, path: str | PathLike[str]) -> None:
        """Export a snapshot of the newest block in Fabric's format; commits can go on meanwhile.

        Args:
            path: The folder to make.

        Raises:
            LedgerIo: The folder exists or cannot be written.
            Unsupported: The ledger is empty.

        Example:
            >>> with fastledger.open(ledger_path) as ledger:
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
            >>> with fastledger.open(ledger_path) as ledger:
            ...     ledger.rebuild()
            84
        """
        return self._core.rebuild()

    def reopen(self) -> int:
        """Close the ledger and open it again, as after a crash: what broke it may be over.

        Returns:
            The height.

        Raises:
            FastledgerError: It cannot be opened yet; this may be tried again.
        """
        return self._core.reopen()
