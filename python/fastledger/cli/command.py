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

LEDGER = click.Path(path_type=Path)
"""Type of an argument that names an existing ledger."""


class Command(click.Command):
    """A command that turns expected errors into one line and an exit code."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Add the option that shows where an error came from."""
        super().__init__(*args, **kwargs)
        option = click.Option(["--debug"], is_flag=True, help="Show tracebacks of errors.")
        self.params.append(option)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        if ctx.params.pop("debug"):
            return super().invoke(ctx)
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # Whoever read the output, such as head, has enough of it; click leaves quietly.
            raise
        except (FastledgerError, OSError) as error:
            fail(str(error), INCONSISTENT if isinstance(error, BlockRefused) else UNUSABLE)
        except KeyboardInterrupt:
            fail("interrupted; what was committed stays", INTERRUPTED)


def fail(text: str, exit_code: int) -> NoReturn:
    """Say what is wrong in one line and leave."""
    one_line = " ".join(text.split())
    click.echo(f"fastledger: {one_line}", err=True)
    sys.exit(exit_code)
