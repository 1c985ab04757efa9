# SPDX-License-Identifier: Apache-2.0
"""A channel to a node, and its end."""

from types import TracebackType
from typing import Self

from fastledger.client.target import Target
from fastledger.comm import GrpcChannel


class Connection:
    """A connection to a node; use it as a context, or close it."""

    def __init__(self, target: Target, channel: GrpcChannel) -> None:
        """Take over a channel."""
        self.target = target
        self.channel = channel

    async def __aenter__(self) -> Self:
        """Use the connection."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        await self.close()

    async def close(self) -> None:
        """Close the connection; what is under way is cancelled."""
        await self.channel.close()
