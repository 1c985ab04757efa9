# SPDX-License-Identifier: Apache-2.0
"""What ``fastledger validate`` shows and writes."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table

from fastledger.common.codes import code_name
from fastledger.ledger.excerpt import ExcerptSummary
from fastledger.ledger.records import Commit
from fastledger.ledger.replay import Difference, Summary
from fastledger.ledger.sources import Source

MAX_SHOWN_DIFFERENCES = 20
MAX_SHOWN_NOTES = 20


class ProgressBar:
    """Tells how far a replay is, on a terminal; nothing elsewhere."""

    def __init__(self, source: Source) -> None:
        """Prepare the bar for a source."""
        console = Console(stderr=True)
        self._source = source
        self._transactions = 0
        self._progress = Progress(
            TextColumn("block {task.fields[block]}"),
            BarColumn(),
            TextColumn("{task.fields[rate]} tx/s"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task: TaskID = self._progress.add_task(
            "", total=source.total_bytes, block=0, rate="0"
        )

    def __enter__(self) -> "ProgressBar":
        """Show the bar."""
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the bar."""
        self._progress.stop()

    def update(self, commit: Commit) -> None:
        """Move on by a block."""
        if self._progress.disable:
            return
        self._transactions += len(commit.filter)
        elapsed = self._progress.tasks[0].elapsed or 0.0
        rate = f"{self._transactions / elapsed:,.0f}" if elapsed else "0"
        self._progress.update(
            self._task, completed=self._source.read_bytes, block=commit.number, rate=rate
        )


class JsonReport:
    """Writes the ``--json`` file, block by block, so that its length costs no memory."""

    def __init__(self, path: Path) -> None:
        """Begin the file."""
        self._file = path.open("w", encoding="utf-8")
        self._separator = ""
        self._channel_written = False

    def add(self, channel: str | None, commit: Commit) -> None:
        """Add a block."""
        self._begin(channel)
        commit_hash = commit.commit_hash
        block: dict[str, Any] = {
            "number": commit.number,
            "header_hash": commit.header_hash.hex(),
            "data_hash": commit.data_hash.hex(),
            "commit_hash": commit_hash.hex() if commit_hash else "",
            "codes": list(commit.filter),
            "notes": list(commit.notes),
            "stage_ms": {stage: round(ms, 3) for stage, ms in commit.stage_ms.items()},
        }
        self._file.write(self._separator + json.dumps(block))
        self._separator = ",\n"

    def finish(self, channel: str | None, summary: Summary) -> None:
        """Complete the file."""
        self._begin(channel)
        totals = {
            "transactions": summary.transactions,
            "seconds": round(summary.seconds, 6),
            "tx_per_s": round(summary.tx_per_s, 1),
        }
        self._file.write("\n], " + json.dumps(totals).removeprefix("{") + "\n")
        self._file.close()

    def _begin(self, channel: str | None) -> None:
        if not self._channel_written:
            self._file.write(f'{{"channel": {json.dumps(channel)}, "blocks": [\n')
            self._channel_written = True


def show(channel: str | None, last_commit_hash: bytes | None, summary: Summary) -> None:
    """Print the closing table."""
    console = Console(highlight=False)
    console.print(
        f"channel {channel or '?'}: "
        f"blocks {summary.blocks:,}, transactions {summary.transactions:,}, "
        f"{summary.seconds:.2f} s, {summary.tx_per_s:,.0f} tx/s"
    )
    if summary.already_committed:
        console.print(f"blocks before them that the ledger had: {summary.already_committed:,}")
    if summary.blocks:
        console.print(_codes("verdict", summary.codes), _stages(summary))
    if last_commit_hash is not None:
        console.print(f"last commit hash {last_commit_hash.hex()}", soft_wrap=True)
    _show_notes(console, summary.notes, summary.note_count)
    _show_differences(console, summary.differences, summary.difference_count)
    if summary.compared and not summary.difference_count:
        console.print(f"all verdicts stored in the blocks are ours; blocks: {summary.compared:,}")
    if summary.without_commit_hash:
        console.print(
            "blocks without a commit hash, which Fabric has since 1.4.1: "
            f"{summary.without_commit_hash:,}"
        )
    if summary.older:
        console.print(f"blocks older than the snapshot, not judged: {summary.older:,}")


def show_excerpt(summary: ExcerptSummary, source: Source) -> None:
    """Print what came of blocks whose beginning is missing, and what could not be checked."""
    console = Console(highlight=False)
    last = summary.first + summary.blocks - 1
    began = (
        f"the ledger began with a snapshot of block {source.origin.number}" if source.origin else ""
    )
    console.print(
        f"channel {summary.channel_id or '?'}: blocks {summary.first:,} to {last:,}, "
        f"transactions {summary.transactions:,}; "
        + (began or f"the blocks before {summary.first:,} are missing"),
        soft_wrap=True,
    )
    if summary.codes:
        console.print(_codes("stored verdict", summary.codes))
    checks = Table("checked", _right("blocks"))
    checks.add_row("chain, data hashes, form of transactions", f"{summary.blocks:,}")
    checks.add_row("orderers' signatures", f"{summary.orderers_checked:,}")
    checks.add_row("creators' signatures", f"{summary.creators_checked:,}")
    checks.add_row("commit hash follows from verdicts and writes", f"{summary.commit_hashes:,}")
    console.print(checks)
    _show_notes(console, summary.notes, len(summary.notes))
    _show_differences(console, summary.differences, summary.difference_count)
    console.print(
        f"NOT CHECKED: the verdicts of {summary.unknown:,} transactions, which take the state "
        f"before block {summary.first:,} (endorsement policies, versions read). "
        "With --snapshot DIR, the snapshot that the ledger began with, they are judged, too.",
        soft_wrap=True,
    )


def write_excerpt(path: Path, summary: ExcerptSummary) -> None:
    """Write the ``--json`` file of blocks whose beginning is missing."""
    content = {
        "channel": summary.channel_id,
        "first_block": summary.first,
        "blocks": summary.blocks,
        "transactions": summary.transactions,
        "decided": summary.decided,
        "stored_codes": {code_name(code): count for code, count in sorted(summary.codes.items())},
        "orderers_checked": summary.orderers_checked,
        "creators_checked": summary.creators_checked,
        "commit_hashes_checked": summary.commit_hashes,
        "differences": [str(difference) for difference in summary.differences],
        "notes": summary.notes,
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _show_notes(console: Console, notes: Sequence[str], count: int) -> None:
    for note in notes[:MAX_SHOWN_NOTES]:
        console.print(f"NOTE {note}", soft_wrap=True, markup=False)
    if count > MAX_SHOWN_NOTES:
        console.print(f"… and {count - MAX_SHOWN_NOTES:,} more")


def _show_differences(console: Console, differences: Sequence[Difference], count: int) -> None:
    for difference in differences[:MAX_SHOWN_DIFFERENCES]:
        console.print(f"DIFFERS {difference}", soft_wrap=True, markup=False)
    if count > MAX_SHOWN_DIFFERENCES:
        console.print(f"… and {count - MAX_SHOWN_DIFFERENCES:,} more")


def _codes(title: str, codes: Mapping[int, int]) -> Table:
    table = Table(title, _right("transactions"))
    for code, count in sorted(codes.items()):
        table.add_row(code_name(code), f"{count:,}")
    return table


def _stages(summary: Summary) -> Table:
    table = Table("stage", _right("ms"), _right("µs per transaction"))
    for stage, ms in summary.stage_ms.items():
        each = 1000 * ms / summary.transactions if summary.transactions else 0.0
        table.add_row(stage, f"{ms:,.1f}", f"{each:,.2f}")
    return table


def _right(header: str) -> Column:
    return Column(header, justify="right")
