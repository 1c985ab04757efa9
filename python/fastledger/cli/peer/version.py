# SPDX-License-Identifier: Apache-2.0
"""``peer version``."""

import platform

import click

import fastledger
from fastledger.cli.peer.cobra import CobraCommand, UsageFailed

_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


@click.command(cls=CobraCommand)
@click.argument("args", nargs=-1)
def version(args: tuple[str, ...]) -> None:
    """Print the version of the peer."""
    if args:
        raise UsageFailed("trailing args detected")
    machine = _MACHINES.get(platform.machine(), platform.machine())
    click.echo(
        f"peer:\n Version: {fastledger.__version__}\n Commit SHA: fastledger\n"
        f" Python version: {platform.python_version()}\n"
        f" OS/Arch: {platform.system().lower()}/{machine}\n"
        " Chaincode:\n  Base Docker Label: org.hyperledger.fabric\n"
        "  Docker Namespace: hyperledger\n"
    )
