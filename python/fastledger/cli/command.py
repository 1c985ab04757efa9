# SPDX-License-Identifier: Apache-2.0
"""What all commands share: errors in one clear line, and exit codes.

====  =====================================================================
0     all consistent
1     a stored verdict or hash differs from ours, or a block is refused
2     unusable input or arguments, or the machine failed
130   interrupted
====  =====================================================================
"""

import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from fastledger.common.errors import BlockRefused, FastledgerError

INCONSISTENT = 1
UNUSABLE = 2
INTERRUPTED = 130

DEBUG = "fastledger.debug"
"""Key of a context's ``meta``: whether errors show where they came from."""

_WHOLE = 200
"""The most characters in a command's line of its group's help; longer ones are folded."""

PATH = click.Path(path_type=Path)
"""Type of an argument or option that names a file or folder."""


class Group(click.Group):
    """A group whose help tells each command's whole first sentence."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, known.get_short_help_str(_WHOLE)) for name, known in commands if known]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class Command(click.Command):
    """A command that turns expected errors into one line and an exit code."""

    on_interrupt = "interrupted; what was committed stays"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Add the option that shows where an error came from."""
        super().__init__(*args, **kwargs)
        option = click.Option(["--debug"], is_flag=True, help="Show tracebacks of errors.")
        self.params.append(option)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        if ctx.params.pop("debug"):
            ctx.meta[DEBUG] = True
            return super().invoke(ctx)
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # Whoever read the output, such as head, has enough of it; click leaves quietly.
            raise
        except FastledgerError as error:
            fail(str(error), INCONSISTENT if isinstance(error, BlockRefused) else UNUSABLE)
        except OSError as error:
            fail(_system_error(error), UNUSABLE)
        except KeyboardInterrupt:
            fail(self.on_interrupt, INTERRUPTED)


class LiveCommand(Command):
    """A command at a running network, which an interrupt ends without a word."""

    on_interrupt = ""


def fail(text: str, exit_code: int) -> NoReturn:
    """Say what is wrong in one line, where there is something to say, and leave."""
    one_line = " ".join(text.split())
    if one_line:
        click.echo(f"fastledger: {one_line}", err=True)
    sys.exit(exit_code)


def _system_error(error: OSError) -> str:
    reason = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {reason}" if error.filename else reason
