# SPDX-License-Identifier: Apache-2.0
"""What ``fastledger validate`` shows and writes."""

import json
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
from fastledger.ledger.records import Commit
from fastledger.ledger.replay import Summary
from fastledger.ledger.sources import Source

MAX_SHOWN_DIFFERENCES = 20


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
        console.print(_codes(summary), _stages(summary))
    if last_commit_hash is not None:
        console.print(f"last commit hash {last_commit_hash.hex()}", soft_wrap=True)
    for difference in summary.differences[:MAX_SHOWN_DIFFERENCES]:
        console.print(f"DIFFERS {difference}", soft_wrap=True, markup=False)
    if summary.difference_count > MAX_SHOWN_DIFFERENCES:
        console.print(f"… and {summary.difference_count - MAX_SHOWN_DIFFERENCES:,} more")
    if summary.compared and not summary.difference_count:
        console.print(f"all verdicts stored in the blocks are ours; blocks: {summary.compared:,}")


def _codes(summary: Summary) -> Table:
    table = Table("verdict", _right("transactions"))
    for code, count in sorted(summary.codes.items()):
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
