# SPDX-License-Identifier: Apache-2.0
"""``fastledger orderer``: the orderer daemon, with the flags of Fabric's ``orderer``."""

import sys

import click

from fastledger.cli.kingpin import KingpinGroup
from fastledger.common.errors import FastledgerError


class _Program(KingpinGroup):
    """The program, which starts when it is told nothing."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Start by default."""
        return super().parse_args(ctx, args or ["start"])


@click.group(cls=_Program)
def orderer() -> None:
    """Hyperledger Fabric orderer node."""


@orderer.command()
def start() -> None:
    """Start the orderer node."""
    from fastledger.common import config, log
    from fastledger.node import process
    from fastledger.node.orderer.config import remarks
    from fastledger.node.orderer.node import OrdererNode

    try:
        log.start()
        settings = config.load("orderer")
        for remark in remarks(settings):
            log.get("orderer.common.server").warning("%s", remark)
        process.serve(lambda: OrdererNode(settings))
    except FastledgerError as error:
        log.get("orderer.common.server").critical("%s", error)
        sys.exit(1)


@orderer.command()
def version() -> None:
    """Show version information."""
    from fastledger.tools.version import version_info

    click.echo(version_info("orderer"))
