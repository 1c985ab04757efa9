# SPDX-License-Identifier: Apache-2.0
"""Where blocks come from."""

import asyncio
import contextlib
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


async def grown(source: BlockSource, height: int, errored: asyncio.Event | None) -> bool:
    """Return when a source has so many blocks; False when none will follow for now."""
    if height <= source.height:
        return True
    if errored is None:
        await source.wait(height)
        return True
    blocks = asyncio.ensure_future(source.wait(height))
    failure = asyncio.ensure_future(errored.wait())
    try:
        await asyncio.wait((blocks, failure), return_when=asyncio.FIRST_COMPLETED)
        if blocks.done():
            blocks.result()
            return True
        return False
    finally:
        for task in (blocks, failure):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(blocks, failure, return_exceptions=True)
