# SPDX-License-Identifier: Apache-2.0
"""The place of a channel's chain, which may be replaced while messages come in.

A consenter becomes a follower, or a follower a consenter, when a configuration says so (Fabric:
``Registrar.SwitchChainToFollower``, ``SwitchFollowerToChain``)::

               give ──► chain            give (waits)
                          │                   │
     ──start──► settled ──┴──switch──► halt, drain, make, start ──► settled, with another chain
                                              │
                                              └──► on_failure: there is no chain to go on with
"""

import asyncio
from collections.abc import Awaitable, Callable

from fastledger.common import log
from fastledger.orderer.consensus.chain import Chain, ChainHalted, Prompt

_logger = log.get("orderer.common.multichannel")


class ChainSlot:
    """Holds one channel's chain."""

    def __init__(
        self,
        channel_id: str,
        make: Callable[[], Chain],
        drained: Callable[[int], Awaitable[None]],
        on_settled: Callable[[Exception | None], None],
    ) -> None:
        """Make the channel's first chain.

        Args:
            channel_id: The channel's name.
            make: Makes a chain, by the configuration in force and the last durable block.
            drained: Returns when at most so many blocks are not durable.
            on_settled: Learns that another chain has started, or why there is none.
        """
        self._channel_id = channel_id
        self._make = make
        self._drained = drained
        self._on_settled = on_settled
        self._switching: asyncio.Task[None] | None = None
        self._settled = asyncio.Event()
        self._settled.set()
        self._put(make())

    @property
    def prompt(self) -> Prompt | None:
        """The chain that stays for now, if it takes anything at once."""
        return self._prompt if self._settled.is_set() else None

    @property
    def is_settled(self) -> bool:
        """Whether the chain is the one that stays for now."""
        return self._settled.is_set()

    async def settled(self) -> Chain:
        """Return the chain that stays for now."""
        await self._settled.wait()
        return self.chain

    async def give(self, hand: Callable[[Chain], Awaitable[None]]) -> None:
        """Hand something to the chain; what one refuses that is being replaced, the next one gets.

        Raises:
            ChainHalted: It is not taken.
            FastledgerError: The chain refuses it.
        """
        while True:
            chain = self.chain if self.is_settled else await self.settled()
            try:
                await chain.wait_ready()
                return await hand(chain)
            except ChainHalted:
                if self.is_settled and chain is self.chain:
                    raise

    def switch(self) -> None:
        """Replace the chain, soon; a chain may ask for its own end."""
        if self._switching is None:
            self._settled.clear()
            self._switching = asyncio.get_running_loop().create_task(self._switch())

    async def halt(self) -> None:
        """Halt the chain, once no other is about to take its place."""
        if self._switching is not None:
            await asyncio.wait([self._switching])
        await self.chain.halt()

    def _put(self, chain: Chain) -> None:
        self.chain = chain
        self._prompt = chain if isinstance(chain, Prompt) else None

    async def _switch(self) -> None:
        failure: Exception | None = None
        try:
            await self.chain.halt()
            await self._drained(0)
            self._put(self._make())
            self.chain.start()
        except Exception as error:  # noqa: BLE001 - whatever it is, no chain goes on
            failure = error
        else:
            relation = self.chain.standing.relation
            _logger.info("[channel: %s] goes on as %s", self._channel_id, relation)
        self._switching = None
        self._settled.set()
        self._on_settled(failure)
