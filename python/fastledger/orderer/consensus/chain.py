# SPDX-License-Identifier: Apache-2.0
"""The interface of consensus (Fabric: ``orderer/consensus/consensus.go``)."""

import asyncio
from typing import Protocol

from fastledger.channelconfig import Orderer
from fastledger.common.errors import FastledgerError
from fastledger.orderer.blockcutter import Message
from fastledger.orderer.blockwriter import Draft


class ChainHalted(FastledgerError):
    """The chain takes no messages: it was halted, or cannot write."""


class ChainSupport(Protocol):
    """What a chain needs of its channel (Fabric: ``consensus.ConsenterSupport``)."""

    @property
    def channel_id(self) -> str:
        """The channel's name."""

    @property
    def sequence(self) -> int:
        """Sequence of the channel's configuration."""

    @property
    def orderer(self) -> Orderer:
        """The channel's orderer values, as they are now."""

    def process_normal(self, envelope: bytes) -> None:
        """Judge a message anew, after the configuration changed; raises what refuses it."""

    def process_config(self, envelope: bytes) -> bytes:
        """Make a configuration message anew after the configuration changed; raises likewise."""

    def write(self, draft: Draft) -> None:
        """Hand over the content of the next block."""

    async def write_config(self, draft: Draft) -> None:
        """Write a configuration block, and return when it is durable and in effect."""

    async def drained(self, blocks: int) -> None:
        """Return when at most so many blocks handed over are not durable."""

    @property
    def unwritten(self) -> int:
        """Blocks handed over that are not durable."""


class Chain(Protocol):
    """One channel's consensus."""

    @property
    def errored(self) -> asyncio.Event:
        """Set while the chain can write no blocks."""

    def start(self) -> None:
        """Begin to take messages."""

    async def halt(self) -> None:
        """Take no more messages, and write what was taken."""

    async def wait_ready(self) -> None:
        """Return when messages are taken; raises ChainHalted when they are not."""

    async def order(self, message: Message, sequence: int) -> None:
        """Accept a message that was judged by the configuration of that sequence.

        Raises:
            ChainHalted: Nothing is taken.
            FastledgerError: The configuration has changed, and the message is not valid any more.
        """

    async def configure(self, envelope: bytes, sequence: int) -> None:
        """Accept a configuration message; raises likewise."""
