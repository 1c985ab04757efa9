# SPDX-License-Identifier: Apache-2.0
"""Where in a message something is wrong."""

from collections.abc import Callable
from typing import Any, TypeVar

from fastledger.common.errors import InputError

_T = TypeVar("_T")

MAX_NESTING = 100
"""Messages inside messages; a configuration block needs less than 25.

A configuration can hold another one as its last update, so the nesting is the sender's choice.
"""


class Fault(InputError):
    """Something is wrong in a message; the text leads there from the outermost message."""

    def __init__(self, reason: str, place: str = "") -> None:
        """Say what is wrong, and where if it is not the message itself."""
        super().__init__(reason, place)
        self.reason = reason
        self.place = place

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.place}: {self.reason}" if self.place else self.reason


def at(step: str | int | list[str], work: Callable[..., _T], *arguments: Any) -> _T:
    """Do something with a part of a message; if that is at fault, say where it is.

    Args:
        step: A field's name, a place in a list, or a map's key as the only element of a list.
        work: What to do.
        *arguments: With what.

    Raises:
        Fault: What ``work`` raised, with the step before its place.
    """
    try:
        return work(*arguments)
    except InputError as error:
        inner = error if isinstance(error, Fault) else Fault(str(error))
        head = step if isinstance(step, str) else f"[{step if isinstance(step, int) else step[0]}]"
        joint = "" if not inner.place or inner.place.startswith("[") else "."
        raise Fault(inner.reason, f"{head}{joint}{inner.place}") from error


def check_depth(depth: int) -> None:
    """Refuse messages that are nested too deep.

    Raises:
        Fault: They are.
    """
    if depth > MAX_NESTING:
        raise Fault(f"messages are nested deeper than {MAX_NESTING}")
