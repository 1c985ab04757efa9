# SPDX-License-Identifier: Apache-2.0
"""What ``peer node`` does to the ledgers of a stopped peer (Fabric: ``kvledger``).

A peer that runs has its ledgers open; then all of this raises LedgerLocked.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

from fastledger.common import log
from fastledger.common.config import Config
from fastledger.common.errors import InputError
from fastledger.common.settings import read
from fastledger.ledger import kvledger, queryindexes
from fastledger.ledger import rollback as ledgers
from fastledger.node.peer.channels import PAUSED
from fastledger.node.peer.config import Storage

_logger = log.get("kvledger")


def reset(config: Config) -> None:
    """Take every channel back to its genesis block."""
    for folder in _all(config):
        ledgers.reset(folder)
        _logger.info("channel %s is at its genesis block", folder.name)


def rollback(config: Config, channel_id: str, number: int) -> None:
    """Take a channel back to a block."""
    ledgers.rollback(_one(config, channel_id), number)
    _logger.info("channel %s is at block %d", channel_id, number)


def rebuild_dbs(config: Config) -> None:
    """Make state, history and index of every channel again."""
    for folder in _all(config):
        with kvledger.open(folder, create=False) as ledger:
            height = ledger.rebuild()
            queryindexes.drop(folder)
        _logger.info("channel %s is rebuilt from %d blocks", folder.name, height)


def pause(config: Config, channel_id: str) -> None:
    """Let the peer leave a channel closed when it starts."""
    folder = _one(config, channel_id)
    kvledger.open(folder, create=False).close()
    (folder / PAUSED).touch()


def resume(config: Config, channel_id: str) -> None:
    """Let the peer open a channel again when it starts."""
    (_one(config, channel_id) / PAUSED).unlink(missing_ok=True)


def unjoin(config: Config, channel_id: str) -> None:
    """Remove a channel and its private data."""
    folder = _one(config, channel_id)
    kvledger.open(folder, create=False).close()
    shutil.rmtree(_root(config) / "pvtdata" / channel_id, ignore_errors=True)
    shutil.rmtree(folder)


def _root(config: Config) -> Path:
    return read(config, Storage).folder


def _all(config: Config) -> Iterator[Path]:
    folder = _root(config) / "ledgersData"
    if folder.is_dir():
        yield from sorted(path for path in folder.iterdir() if path.is_dir())


def _one(config: Config, channel_id: str) -> Path:
    for folder in _all(config):
        if folder.name == channel_id:
            return folder
    raise InputError(f"ledgerID [{channel_id}] does not exist below {_root(config)}")
