# SPDX-License-Identifier: Apache-2.0
"""Where blocks come from."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from fastledger.deliver.prepared import PreparedBlocks


class BlockSource(Protocol):
    """One channel's blocks as they grow (Fabric: ``deliver.Chain``)."""

    @property
    def first(self) -> int:
        """Number of the first block that is there, or will be: older ones are in a snapshot."""

    @property
    def height(self) -> int:
        """Number of the next block."""

    @property
    def sequence(self) -> int:
        """Sequence of the channel's configuration, by which a change of it is noticed."""

    @property
    def errored(self) -> asyncio.Event | None:
        """Set when no block will follow, for now; None where that cannot be."""

    async def wait(self, height: int) -> None:
        """Return when there are blocks up to ``height``."""

    @property
    def blocks(self) -> PreparedBlocks:
        """The blocks below the height."""


Sources = Callable[[str], BlockSource | None]
"""Finds a channel by its name."""
