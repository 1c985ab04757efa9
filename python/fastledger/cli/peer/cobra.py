# SPDX-License-Identifier: Apache-2.0
"""Commands that take arguments, and fail, as the peer's do.

Flags are pflag's: ``--tls=true`` as well as ``--tls``, a group's flags before or after its command,
surplus arguments allowed. Errors are ``Error: …`` on stderr with exit code 1; the usage follows
when the arguments are at fault.
"""

import asyncio
import importlib
import inspect
import re
import sys
from collections.abc import Callable
from typing import Any, NoReturn, cast

import click

from fastledger.cli.command import Group
from fastledger.common.durations import parse_duration
from fastledger.common.errors import FastledgerError

FAILED = 1


class UsageFailed(FastledgerError):
    """The arguments are at fault; the usage helps."""


class Duration(click.ParamType[float]):
    """A duration as Go's flags take it, handed on in seconds."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Parse it."""
        if isinstance(value, float):
            return value
        try:
            return parse_duration(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


DURATION = Duration()

_TRUE_OR_FALSE = re.compile(r"(--[\w-]+)=(true|false|1|0|t|f|True|False|TRUE|FALSE)")


class CobraCommand(click.Command):
    """A command that does something; its callback may be a coroutine function."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Allow what pflag allows."""
        kwargs.setdefault("context_settings", {"help_option_names": ["-h", "--help"]})
        super().__init__(*args, **kwargs)
        if not any(isinstance(param, click.Argument) for param in self.params):
            self.params.append(click.Argument(["_surplus"], nargs=-1, expose_value=False))

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Write the usage line as cobra does: what stands for itself, then flags."""
        named = [param for param in self.get_params(ctx) if isinstance(param, click.Argument)]
        return [*(param.metavar for param in named if param.metavar), "[flags]"]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the arguments, or leave with exit code 1."""
        try:
            return super().parse_args(ctx, self._plain_flags(args))
        except click.UsageError as error:
            fail_with_usage(ctx, describe(error))

    def _plain_flags(self, args: list[str]) -> list[str]:
        """Turn ``--flag=true`` into ``--flag``, and ``--flag=false`` into nothing."""
        flags = {
            name: param
            for param in self.params
            if isinstance(param, click.Option) and param.is_flag
            for name in param.opts
        }
        plain = []
        for arg in args:
            match = _TRUE_OR_FALSE.fullmatch(arg)
            if not match or match[1] not in flags:
                plain.append(arg)
                continue
            wanted = match[2][0] in "tT1"
            off = flags[match[1]].secondary_opts
            if wanted or off:
                plain.append(match[1] if wanted else off[0])
        return plain

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an expected error is one line and exit code 1."""
        try:
            result = super().invoke(ctx)
            if inspect.iscoroutine(result):
                result = asyncio.run(result)
        except UsageFailed as error:
            fail_with_usage(ctx, str(error))
        except FastledgerError as error:
            fail(str(error))
        except OSError as error:
            fail(_system_error(error))
        except KeyboardInterrupt:
            sys.exit(130)
        return result


class CobraGroup(Group):
    """Commands that are loaded when they are asked for, and flags that all of them have."""

    command_class = CobraCommand

    def __init__(self, *args: Any, lazy: dict[str, str] | None = None, **kwargs: Any) -> None:
        """Take ``lazy``, module and name of each command."""
        kwargs.setdefault("context_settings", {"help_option_names": ["-h", "--help"]})
        super().__init__(*args, **kwargs)
        self._lazy = lazy or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted({*self._lazy, *super().list_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command."""
        if cmd_name not in self._lazy:
            return super().get_command(ctx, cmd_name)
        module, _, name = self._lazy[cmd_name].partition(":")
        return cast(click.Command, getattr(importlib.import_module(module), name))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Let a command's flags stand before its name."""
        if not args:
            click.echo(ctx.get_help())
            ctx.exit(0)
        args = self._command_first(ctx, args)
        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            fail(f'unknown command "{args[0]}" for "{ctx.command_path}"')
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            fail_with_usage(ctx, describe(error))

    def _command_first(self, ctx: click.Context, args: list[str]) -> list[str]:
        values: set[str] | None = None
        place = 0
        while place < len(args) and args[place].startswith("-"):
            if args[place] in ("-h", "--help"):
                return args
            values = self._value_flags(ctx) if values is None else values
            place += 2 if args[place] in values else 1
        if not 0 < place < len(args):
            return args
        return [args[place], *args[:place], *args[place + 1 :]]

    def _value_flags(self, ctx: click.Context) -> set[str]:
        """Return the flags of all commands that have values."""
        commands = [self.get_command(ctx, name) for name in self.list_commands(ctx)]
        params = [param for command in commands if command for param in command.params]
        valued = [each for each in params if isinstance(each, click.Option) and not each.is_flag]
        return {name for param in valued for name in param.opts}


def describe(error: click.UsageError) -> str:
    """Say what is wrong with the arguments, in pflag's words."""
    if isinstance(error, click.NoSuchOption):
        name = error.option_name
        if name.startswith("--"):
            return f"unknown flag: {name}"
        return f"unknown shorthand flag: '{name[1:2]}' in {name}"
    if isinstance(error, click.BadOptionUsage):
        return f"flag needs an argument: {error.option_name}"
    return error.format_message()


def fail(text: str) -> NoReturn:
    """Say what is wrong and leave."""
    click.echo(f"Error: {text}", err=True)
    sys.exit(FAILED)


def fail_with_usage(ctx: click.Context, text: str) -> NoReturn:
    """Say what is wrong, show the usage, and leave."""
    click.echo(f"Error: {text}\n{ctx.get_help()}", err=True)
    sys.exit(FAILED)


def options(*decorators: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return several options as one decorator, in the order given."""

    def decorate(function: Any) -> Any:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def _system_error(error: OSError) -> str:
    """Name the file as Go does: ``open x: no such file or directory``."""
    reason = (error.strerror or str(error)).lower()
    return f"open {error.filename}: {reason}" if error.filename else reason
