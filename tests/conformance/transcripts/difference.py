# SPDX-License-Identifier: Apache-2.0
"""What is not as it was recorded."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_SHOWN = 400
"""Characters of a value that are shown."""


@dataclass(frozen=True)
class Difference:
    """One value that differs.

    Attributes:
        where: The step's number, or the name of a block or artifact.
        what: ``exit code``, ``stdout``, ``error`` or a block's part, and the way down to the value.
        theirs: What the real network had.
        ours: What ours has.
    """

    where: str
    what: str
    theirs: Any
    ours: Any

    @property
    def name(self) -> str:
        """What the documentation calls it."""
        return f"{self.where} {self.what}"

    def __str__(self) -> str:
        """Show both values."""
        theirs, ours = repr(self.theirs)[:_SHOWN], repr(self.ours)[:_SHOWN]
        return f"{self.name}\n  theirs: {theirs}\n  ours:   {ours}"


def differences(where: str, what: str, theirs: Any, ours: Any) -> Iterator[Difference]:
    """Compare two values, down to where they differ."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for name in sorted(theirs.keys() | ours.keys()):
            yield from differences(where, f"{what}.{name}", theirs.get(name), ours.get(name))
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for index, (one, other) in enumerate(zip(theirs, ours, strict=True)):
            yield from differences(where, f"{what}[{index}]", one, other)
    elif theirs != ours:
        yield Difference(where, what, theirs, ours)
