# SPDX-License-Identifier: Apache-2.0
"""Entry point of the ``fastledger`` command."""

import importlib
import io
import os
import sys
from typing import Any, cast

import click

import fastledger
from fastledger.cli.command import DEBUG, UNUSABLE, Group, fail

# gRPC's own lines about clients that hang up belong into no log of ours.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")

DEBUG_VARIABLE = "FASTLEDGER_DEBUG"

COMMANDS = {
    "up": "fastledger.cli.network.up:up",
    "down": "fastledger.cli.network.up:down",
    "status": "fastledger.cli.network.status:status",
    "logs": "fastledger.cli.network.up:logs",
    "invoke": "fastledger.cli.network.transact:invoke",
    "query": "fastledger.cli.network.transact:query",
    "events": "fastledger.cli.network.chain:events",
    "blocks": "fastledger.cli.network.chain:blocks",
    "validate": "fastledger.cli.validate:validate",
    "explain": "fastledger.cli.explain:explain",
    "inspect": "fastledger.cli.inspect:inspect",
    "snapshot": "fastledger.cli.maintain:snapshot",
    "restore": "fastledger.cli.maintain:restore",
    "rebuild": "fastledger.cli.maintain:rebuild",
    "bench": "fastledger.cli.bench:bench",
    "peer": "fastledger.cli.peer.main:peer",
    "orderer": "fastledger.cli.orderer:orderer",
    "discover": "fastledger.cli.discover.main:discover",
    "osnadmin": "fastledger.cli.osnadmin:osnadmin",
    "cryptogen": "fastledger.cli.cryptogen:cryptogen",
    "configtxgen": "fastledger.cli.configtxgen:configtxgen",
    "configtxlator": "fastledger.cli.configtxlator:configtxlator",
}
"""Where each command is; its module is loaded when the command is asked for."""


class LazyGroup(Group):
    """A group that loads only the command that runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the commands in the order of help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Load a command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        return cast(click.Command, getattr(importlib.import_module(module), name))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a mistake of ours is one line, too."""
        if isinstance(sys.stdout, io.TextIOWrapper):
            # A terminal that lacks a letter gets its number.
            sys.stdout.reconfigure(errors="backslashreplace")
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit, BrokenPipeError):
            raise
        except Exception as error:
            if ctx.meta.get(DEBUG) or os.environ.get(DEBUG_VARIABLE):
                raise
            fail(
                f"{type(error).__name__}: {error} (fastledger did not expect this; to report it, "
                f"call again with {DEBUG_VARIABLE}=1, which shows where it comes from)",
                UNUSABLE,
            )


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(fastledger.__version__, prog_name="fastledger")
def main() -> None:
    """Run networks of Hyperledger Fabric's kind; validate and explain their ledgers."""
