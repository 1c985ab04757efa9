# SPDX-License-Identifier: Apache-2.0
"""``fastledger inspect``."""

import json
from pathlib import Path
from typing import Any

import click

from fastledger.cli.command import PATH, Command
from fastledger.common.errors import InputError, NotFound
from fastledger.ledger import kvledger, sources
from fastledger.ledger.kvledger import Ledger
from fastledger.protoutil import block as blocks
from fastledger.protoutil import transaction
from fastledger.protoutil.inspect import block_to_dict


@click.command(cls=Command)
@click.argument("path", type=PATH)
@click.option("--block", "number", type=click.IntRange(min=0), help="Show this block alone.")
@click.option("--tx", "tx_id", metavar="TXID", help="Show this transaction alone.")
def inspect(path: Path, number: int | None, tx_id: str | None) -> None:
    """Print the blocks at PATH as readable JSON, decoded down to the innermost message.

    PATH is a ledger, or anything that `validate` takes. Of a ledger without --block and --tx only
    its height and last hashes are shown.
    """
    if number is not None and tx_id is not None:
        raise click.UsageError("--block and --tx exclude each other")
    try:
        ledger = kvledger.open(path, create=False) if path.is_dir() else None
    except InputError:
        ledger = None
    if ledger is None:
        _inspect_source(path, number, tx_id)
    else:
        with ledger:
            _print(_of_ledger(ledger, number, tx_id))


def _of_ledger(ledger: Ledger, number: int | None, tx_id: str | None) -> dict[str, Any]:
    if number is not None:
        return block_to_dict(ledger.block(number).encoded)
    if tx_id is not None:
        place = ledger.transaction(tx_id).version
        return _transaction(ledger.block(place.block).encoded, place.tx)
    header_hash, commit_hash = ledger.last_header_hash, ledger.last_commit_hash
    return {
        "channel": ledger.channel_id,
        "height": ledger.height,
        "last_header_hash": header_hash.hex() if header_hash else None,
        "last_commit_hash": commit_hash.hex() if commit_hash else None,
    }


def _inspect_source(path: Path, number: int | None, tx_id: str | None) -> None:
    shown = 0
    with sources.open(path) as source:
        for encoded in source:
            if tx_id is not None:
                for place, envelope in enumerate(blocks.parse(encoded).envelopes):
                    if transaction.parse(envelope).tx_id == tx_id:
                        _print(_transaction(encoded, place))
                        return
            elif number is None or blocks.parse(encoded).number == number:
                _print(block_to_dict(encoded))
                shown += 1
        if source.torn:
            click.echo(f"fastledger: note: {source.torn}", err=True)
    if tx_id is not None:
        raise NotFound(f"{path}: no transaction {tx_id} there")
    if not shown:
        wanted = "no blocks" if number is None else f"no block {number}"
        raise NotFound(f"{path}: {wanted} there")


def _transaction(encoded: bytes, place: int) -> dict[str, Any]:
    block = block_to_dict(encoded)
    shown: dict[str, Any] = block["data"][place]
    return {"block": block["header"]["number"]} | shown


def _print(value: dict[str, Any]) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
