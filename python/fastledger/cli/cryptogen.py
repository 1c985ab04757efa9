# SPDX-License-Identifier: Apache-2.0
"""``fastledger cryptogen``."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import click

from fastledger.cli.command import PATH
from fastledger.cli.kingpin import KingpinGroup
from fastledger.common.errors import FastledgerError

CONFIG_UNREADABLE = 255
"""Exit code when the configuration cannot be read."""


@click.group(cls=KingpinGroup)
def cryptogen() -> None:
    """Make the keys and certificates of test networks."""


@cryptogen.command()
@click.option("--output", type=PATH, default="crypto-config", help="Folder.")
@click.option("--config", type=PATH, help="A crypto-config.yaml.")
def generate(output: Path, config: Path | None) -> None:
    """Generate key material."""
    from fastledger.tools.cryptogen import generate as tool

    _run(tool.generate, config, output)


@cryptogen.command()
def showtemplate() -> None:
    """Show the default configuration template."""
    from fastledger.tools.cryptogen import spec

    click.echo(spec.DEFAULT.read_text(), nl=False)


@cryptogen.command()
def version() -> None:
    """Show version information."""
    from fastledger.tools.version import version_info

    click.echo(version_info("cryptogen"))


@cryptogen.command()
@click.option(
    "--input",
    "network",
    type=PATH,
    default="crypto-config",
    help="Folder of the network.",
)
@click.option("--config", type=PATH, help="A crypto-config.yaml.")
def extend(network: Path, config: Path | None) -> None:
    """Extend an existing network."""
    from fastledger.tools.cryptogen import generate as tool

    _run(tool.extend, config, network)


def _run(work: Callable[..., None], config: Path | None, folder: Path) -> None:
    from fastledger.tools.cryptogen import spec

    if config is not None and not config.exists():
        cryptogen.fail(f"open {config}: no such file or directory, try --help")
    try:
        parsed = spec.load(config or spec.DEFAULT)
    except (FastledgerError, OSError) as error:
        _fail(f"Error reading config: {error}", CONFIG_UNREADABLE)
    try:
        work(parsed, folder, click.echo)
    except (FastledgerError, OSError) as error:
        _fail(f"Error generating key material: {error}", 1)


def _fail(text: str, exit_code: int) -> NoReturn:
    click.echo(text)
    sys.exit(exit_code)
