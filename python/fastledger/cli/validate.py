# SPDX-License-Identifier: Apache-2.0
"""``fastledger validate``."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from fastledger.cli.command import INCONSISTENT, PATH, Command, fail
from fastledger.cli.report import JsonReport, ProgressBar, show, show_excerpt, write_excerpt
from fastledger.common.errors import BlockRefused, FastledgerError, InputError
from fastledger.ledger import kvledger, sources
from fastledger.ledger.excerpt import Examination, ExcerptSummary, begins_late
from fastledger.ledger.kvledger import MAX_WORKERS, Ledger
from fastledger.ledger.records import Commit
from fastledger.ledger.replay import Replay, Summary
from fastledger.ledger.sources import Source
from fastledger.ledger.state_dump import write_state

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(cls=Command)
@click.argument("path", type=PATH)
@click.option(
    "--ledger",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Keep the committed ledger in DIR; continue the one that is there.",
)
@click.option(
    "--snapshot",
    "snapshot",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Begin with the snapshot in DIR, for blocks of a peer that joined by one.",
)
@click.option(
    "--workers",
    type=click.IntRange(0, MAX_WORKERS),
    default=0,
    metavar="N",
    help="Threads that verify; 0 takes one per core.",
)
@click.option("--no-commit", is_flag=True, help="Only check; DIR stays as it is.")
@click.option(
    "--allow-malformed",
    is_flag=True,
    help="Judge entries for which today's Fabric refuses the whole block.",
)
@click.option("--json", "json_file", type=_FILE, metavar="FILE", help="Write verdicts as JSON.")
@click.option("--state", "state_file", type=_FILE, metavar="FILE", help="Write the final state.")
def validate(
    path: Path,
    folder: Path | None,
    snapshot: Path | None,
    workers: int,
    no_commit: bool,
    allow_malformed: bool,
    json_file: Path | None,
    state_file: Path | None,
) -> None:
    """Decide every transaction of the blocks at PATH as a Fabric peer does, and commit them.

    PATH is a peer's chains/<channel> folder, a folder of NNNNNN.block files, a file of blocks with
    a length before each, or a folder that holds one of these, also as .tar.zst. Blocks of every
    Fabric from 1.0 on are judged; an orderer's system channel, too.

    A peer that joined by a snapshot has only the blocks after it. With --snapshot they are judged
    like any others. Without it they are examined as far as they alone allow: hashes, the form of
    transactions, signatures where a configuration block is among them, commit hashes.

    Exit code 0: all consistent. 1: a stored verdict or hash differs from ours, or a block is
    refused; what came before it stays committed. 2: unusable input or arguments.
    """
    with ExitStack() as stack:
        source = stack.enter_context(sources.open(path))
        if snapshot is None and _is_excerpt(source, folder):
            _examine(path, source, allow_malformed, json_file, state_file)
            return
        where, durable = stack.enter_context(_place(folder, no_commit))
        if snapshot is not None:
            _begin_with(snapshot, where)
        ledger = stack.enter_context(
            kvledger.open(where, workers=workers, durable=durable, allow_malformed=allow_malformed)
        )
        _run(path, source, ledger, json_file, state_file)


@contextmanager
def _place(folder: Path | None, no_commit: bool) -> Iterator[tuple[Path, bool]]:
    """Yield where the ledger goes, and whether it must survive."""
    if folder is not None and not no_commit:
        yield folder, True
        return
    with tempfile.TemporaryDirectory(prefix="fastledger-") as temporary:
        copy = Path(temporary) / "ledger"
        if folder is not None and folder.is_dir() and any(folder.iterdir()):
            _copy_state(folder, Path(temporary) / "snapshot", copy)
        yield copy, not no_commit


def _begin_with(snapshot: Path, where: Path) -> None:
    if where.is_dir() and any(where.iterdir()):
        raise InputError(
            f"{where}: there is a ledger already, and only a new one begins with a snapshot; "
            "leave --snapshot out to continue it"
        )
    kvledger.restore(snapshot, where)


def _is_excerpt(source: Source, folder: Path | None) -> bool:
    """Say whether the blocks before the source's first are nowhere."""
    if not begins_late(source):
        return False
    return folder is None or not folder.is_dir() or not any(folder.iterdir())


def _examine(
    path: Path,
    source: Source,
    allow_malformed: bool,
    json_file: Path | None,
    state_file: Path | None,
) -> None:
    if state_file:
        raise InputError("--state takes the state before the first block; give it with --snapshot")
    examination = Examination(source, allow_malformed=allow_malformed)
    stopped: FastledgerError | None = None
    try:
        examination.run()
    except FastledgerError as error:
        stopped = error
    summary = examination.summary
    show_excerpt(summary, source)
    if json_file:
        write_excerpt(json_file, summary)
    _conclude(path, summary, stopped)


def _copy_state(folder: Path, snapshot: Path, copy: Path) -> None:
    """Begin a ledger where another one stands, without touching that one's blocks."""
    with kvledger.open(folder, create=False) as ledger:
        if not ledger.height:
            return
        ledger.snapshot(snapshot)
    kvledger.restore(snapshot, copy)


def _run(
    path: Path, source: Source, ledger: Ledger, json_file: Path | None, state_file: Path | None
) -> None:
    report = JsonReport(json_file) if json_file else None
    with ProgressBar(source) as bar:

        def on_commit(commit: Commit) -> None:
            bar.update(commit)
            if report:
                report.add(ledger.channel_id, commit)

        replay = Replay(ledger, source, on_commit)
        stopped: FastledgerError | None = None
        try:
            replay.run()
        except FastledgerError as error:
            stopped = error
    summary = replay.summary
    if report:
        report.finish(ledger.channel_id, summary)
    if state_file:
        with state_file.open("w", encoding="utf-8") as out:
            write_state(ledger, out)
    if not (summary.blocks or summary.already_committed or stopped):
        raise InputError(f"{path}: no blocks there")
    show(ledger.channel_id, ledger.last_commit_hash, summary)
    if source.torn:
        click.echo(f"fastledger: note: {source.torn}; the blocks before it are sound", err=True)
    _conclude(path, summary, stopped)


def _conclude(
    path: Path, summary: Summary | ExcerptSummary, stopped: FastledgerError | None
) -> None:
    if isinstance(stopped, BlockRefused):
        committed = (
            "" if isinstance(summary, ExcerptSummary) else "; the blocks before it stay committed"
        )
        fail(f"{path}: {stopped}{committed}", INCONSISTENT)
    if stopped:
        raise stopped
    if summary.difference_count:
        first = summary.differences[0]
        fail(
            f"{path}: {summary.difference_count:,} differences, the first in {first}", INCONSISTENT
        )
