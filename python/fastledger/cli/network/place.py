# SPDX-License-Identifier: Apache-2.0
"""Where the network is that a command means."""

import os
from pathlib import Path

import click

from fastledger.common.errors import NotFound
from fastledger.network import processes
from fastledger.network.plan import Plan, find

VARIABLE = "FASTLEDGER_NETWORK"

DIRECTORY = click.option(
    "--dir",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    help=f"The network's folder; without it ${VARIABLE}, or the working folder.",
)


def folder_of(directory: Path | None) -> Path:
    """Return the folder where a network is, or will be."""
    return (directory or Path(os.environ.get(VARIABLE) or Path.cwd())).absolute()


def network(directory: Path | None) -> Plan:
    """Return the network of a folder, or of one above it; raises NotFound."""
    return find(folder_of(directory))


def running(directory: Path | None) -> Plan:
    """Return the network as `network` does; raises NotFound when all of it is down."""
    plan = network(directory)
    if not any(processes.running(node.folder) for node in plan.nodes):
        raise NotFound(f"the network in {plan.folder} is down; start it with fastledger up")
    return plan
