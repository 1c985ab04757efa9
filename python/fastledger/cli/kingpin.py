# SPDX-License-Identifier: Apache-2.0
"""Commands that take arguments, and fail, as those of cryptogen, configtxlator and osnadmin do.

Their flags are long ones, a wrong argument costs exit code 1, and errors read
``<program>: error: <what>, try --help``.
"""

import sys
from typing import Any, NoReturn

import click

from fastledger.cli.command import Group


class KingpinGroup(Group):
    """A program with commands."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Leave the case without arguments to this class, and ``-h`` unknown."""
        kwargs.setdefault("context_settings", {"help_option_names": ["--help"]})
        kwargs.setdefault("no_args_is_help", False)
        super().__init__(*args, **kwargs)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Take the program's own flags."""
        try:
            return super().make_context(*args, **kwargs)
        except click.UsageError as error:
            self.fail(_reason(error))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Show the help when there is nothing to do."""
        if not args:
            click.echo(ctx.get_help())
            ctx.exit(0)
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Find the command, ``help`` included."""
        if args[0] == "help":
            args = [*args[1:2], "--help"]
            if len(args) == 1:
                click.echo(ctx.get_help())
                ctx.exit(0)
        if self.get_command(ctx, args[0]) is None:
            self.fail(f'expected command but got "{args[0]}", try --help')
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            self.fail(_reason(error))

    def fail(self, reason: str) -> NoReturn:
        """Say what is wrong and leave."""
        click.echo(f"{self.name}: error: {reason}", err=True)
        sys.exit(1)


def _reason(error: click.UsageError) -> str:
    return f"{_what(error)}, try --help"


def _what(error: click.UsageError) -> str:
    if isinstance(error, click.NoSuchOption):
        kind = "long" if error.option_name.startswith("--") else "short"
        return f"unknown {kind} flag '{error.option_name}'"
    if isinstance(error, click.MissingParameter) and error.param is not None:
        return f"required flag {error.param.opts[0]} not provided"
    if isinstance(error, click.BadOptionUsage):
        return f"expected argument for flag '{error.option_name}'"
    if isinstance(error, click.BadParameter):
        return error.message
    extra = error.message.partition("(")[2].rstrip(")")
    return f"unexpected {extra.split()[0]}" if extra else error.message
