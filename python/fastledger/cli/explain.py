# SPDX-License-Identifier: Apache-2.0
"""``fastledger explain``."""

import json
from pathlib import Path

import click

from fastledger.cli.command import PATH, Command
from fastledger.ledger import kvledger


@click.command(cls=Command)
@click.argument("ledger", type=PATH)
@click.argument("txid")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def explain(ledger: Path, txid: str, as_json: bool) -> None:
    """Say why transaction TXID on LEDGER got its verdict.

    Names the identity, policy, key, expected and found version that decided it.
    """
    with kvledger.open(ledger, create=False) as opened:
        why = opened.explain(txid)
    click.echo(json.dumps(why.to_dict(), indent=2) if as_json else str(why))
