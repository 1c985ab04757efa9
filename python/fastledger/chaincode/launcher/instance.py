# SPDX-License-Identifier: Apache-2.0
"""A chaincode that was started or dialled."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from fastledger.chaincode.stream import Stream


class Serve(Protocol):
    """Converses with a chaincode until its stream ends."""

    async def __call__(self, stream: Stream, expected_ccid: str | None = None) -> None:
        """Take the stream; only ``expected_ccid`` may register on it when that is given."""


class Instance(Protocol):
    """One running chaincode."""

    async def wait(self) -> str:
        """Wait for its end, and say how it ended; may be called many times."""

    async def stop(self) -> None:
        """End it, and free what it held; harmless when it has ended."""


Start = Callable[[Serve], Awaitable[Instance]]
"""Starts, or dials, what is built; raises ChaincodeError when that cannot be."""
