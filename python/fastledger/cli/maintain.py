# SPDX-License-Identifier: Apache-2.0
"""``fastledger snapshot``, ``restore`` and ``rebuild``."""

from pathlib import Path

import click

from fastledger.cli.command import PATH, Command
from fastledger.ledger import kvledger


@click.command(cls=Command)
@click.argument("ledger", type=PATH)
@click.argument("out", type=PATH)
def snapshot(ledger: Path, out: Path) -> None:
    """Export a snapshot of LEDGER's newest block to the new folder OUT, in Fabric's format."""
    with kvledger.open(ledger, create=False) as opened:
        opened.snapshot(out)
        channel, last = opened.channel_id, opened.height - 1
    click.echo(f"{out}: snapshot of channel {channel} at block {last}")


@click.command(cls=Command)
@click.argument("snapshot", type=PATH)
@click.argument("ledger", type=PATH)
def restore(snapshot: Path, ledger: Path) -> None:
    """Begin a ledger in the new folder LEDGER with SNAPSHOT, fastledger's or a Fabric peer's."""
    kvledger.restore(snapshot, ledger)
    with kvledger.open(ledger, create=False) as opened:
        height, channel = opened.height, opened.channel_id
    click.echo(f"{ledger}: channel {channel}, next block {height}")


@click.command(cls=Command)
@click.argument("ledger", type=PATH)
def rebuild(ledger: Path) -> None:
    """Make LEDGER's state, history and index again from its block files."""
    with kvledger.open(ledger, create=False) as opened:
        height = opened.rebuild()
        commit_hash = opened.last_commit_hash
    click.echo(f"{ledger}: rebuilt {height} blocks")
    if commit_hash is not None:
        click.echo(f"last commit hash {commit_hash.hex()}")
