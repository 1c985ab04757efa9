# SPDX-License-Identifier: Apache-2.0
"""Entry point of the ``fastledger`` command."""

import click

import fastledger
from fastledger.cli.bench import bench
from fastledger.cli.explain import explain
from fastledger.cli.inspect import inspect
from fastledger.cli.maintain import rebuild, restore, snapshot
from fastledger.cli.validate import validate


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(fastledger.__version__, prog_name="fastledger")
def main() -> None:
    """Validate, commit and explain the ledgers of Hyperledger Fabric networks."""


for _command in (validate, explain, inspect, snapshot, restore, rebuild, bench):
    main.add_command(_command)
