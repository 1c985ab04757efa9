# SPDX-License-Identifier: Apache-2.0
"""``peer node start`` and the maintenance of a stopped peer's ledgers."""

import os
import sys

import click

from fastledger.cli.peer.cobra import CobraCommand, UsageFailed
from fastledger.cli.peer.settings import load_config
from fastledger.common import log
from fastledger.common.errors import FastledgerError

_CHANNEL = click.option("-c", "--channelID", "channel_id", default="", help="The channel")
_logger = log.get("nodeCmd")


@click.command(cls=CobraCommand)
@click.argument("args", nargs=-1)
@click.option("--peer-chaincodedev", "dev", is_flag=True, help="Let people start chaincode")
def start(args: tuple[str, ...], dev: bool) -> None:
    """Start a peer."""
    if args:
        raise UsageFailed("trailing args detected")
    if dev:
        os.environ["CORE_CHAINCODE_MODE"] = "dev"
    config = load_config()
    from fastledger.node import process
    from fastledger.node.peer.config import remarks
    from fastledger.node.peer.node import PeerNode

    try:
        for remark in remarks(config):
            _logger.warning("%s", remark)
        process.serve(lambda: PeerNode(config))
    except FastledgerError as error:
        _logger.critical("%s", error)
        sys.exit(1)


@click.command(cls=CobraCommand)
def reset() -> None:
    """Take all channels of a stopped peer back to their genesis blocks."""
    import fastledger.node.peer.maintenance as maintenance

    maintenance.reset(load_config())


@click.command(cls=CobraCommand)
@_CHANNEL
@click.option(
    "-b",
    "--blockNumber",
    "number",
    type=click.IntRange(0),
    default=0,
    help="Number of its last block",
)
def rollback(channel_id: str, number: int) -> None:
    """Take a channel of a stopped peer back to a block."""
    import fastledger.node.peer.maintenance as maintenance

    maintenance.rollback(load_config(), _required(channel_id), number)


@click.command(cls=CobraCommand, name="rebuild-dbs")
def rebuild_dbs() -> None:
    """Make the databases of a stopped peer again from its blocks."""
    import fastledger.node.peer.maintenance as maintenance

    maintenance.rebuild_dbs(load_config())


@click.command(cls=CobraCommand, name="upgrade-dbs")
def upgrade_dbs() -> None:
    """Bring the databases of a stopped peer to this version's format."""
    import fastledger.node.peer.maintenance as maintenance

    maintenance.rebuild_dbs(load_config())


@click.command(cls=CobraCommand)
@_CHANNEL
def pause(channel_id: str) -> None:
    """Let a stopped peer receive no more blocks of a channel."""
    import fastledger.node.peer.maintenance as maintenance

    maintenance.pause(load_config(), _required(channel_id))


@click.command(cls=CobraCommand)
@_CHANNEL
def resume(channel_id: str) -> None:
    """Let a stopped peer receive the blocks of a paused channel again."""
    import fastledger.node.peer.maintenance as maintenance

    maintenance.resume(load_config(), _required(channel_id))


@click.command(cls=CobraCommand)
@_CHANNEL
def unjoin(channel_id: str) -> None:
    """Remove a channel from a stopped peer."""
    import fastledger.node.peer.maintenance as maintenance

    maintenance.unjoin(load_config(), _required(channel_id))


def _required(channel_id: str) -> str:
    if not channel_id:
        raise UsageFailed("Must supply channel ID")
    return channel_id
