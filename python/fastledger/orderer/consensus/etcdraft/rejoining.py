# SPDX-License-Identifier: Apache-2.0
"""A consenter that may have been left behind: what do the others say?

It has had no leader for long, or somebody speaks to it under another raft id. It may have been
evicted, or evicted and added again, while it was away; then nobody sends it the configuration that
says so. It asks for the newest one, pulls the blocks up to there, and has its chain made anew: that
is a follower's, or a consenter's under the id that it has now (Fabric: ``etcdraft/eviction.go``).

Whoever was evicted together with its organization may not read the channel any more: all refuse, as
those do who do not have the channel yet. That proves nothing, so it asks on, less and less often.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from fastledger.common import log
from fastledger.common.errors import FastledgerError
from fastledger.orderer.consensus.chain import ConsenterSupport
from fastledger.orderer.consensus.clock import Clock
from fastledger.orderer.replication.puller import NoSource
from fastledger.protoutil.blocks import number_of

MAX_PAUSE_S = 600.0
"""Between two times of asking those who refuse: what Fabric waits before it asks at all."""

_logger = log.get("orderer.consensus.etcdraft")


class Puller(Protocol):
    """Brings blocks of other orderers; see ``replication.BlockPuller``."""

    async def pull(self, height: int) -> None:
        """Append blocks until there are so many."""

    async def newest_config(self) -> bytes:
        """Return the newest configuration block that others have."""


class Rejoining:
    """One consenter's doubt."""

    def __init__(
        self,
        support: ConsenterSupport,
        puller: Puller,
        stop: Callable[[], Awaitable[None]],
        is_named: Callable[[], bool],
        *,
        pause_s: float,
        clock: Clock,
    ) -> None:
        """Have none.

        Args:
            support: The channel.
            puller: Asks the others.
            stop: Ends this consenter's part in raft, so that nobody else writes blocks.
            is_named: Whether the configuration in force names this consenter.
            pause_s: Between two times of asking, unless all refuse.
            clock: Tells the time.
        """
        self._support = support
        self._puller = puller
        self._stop = stop
        self._is_named = is_named
        self._least_s = self._pause_s = pause_s
        self._clock = clock
        self._asked_at = float("-inf")
        self._asking: asyncio.Task[None] | None = None

    def doubt(self, *, is_spoken_to: bool = False) -> None:
        """Ask the others, unless they are being asked, or were not long ago.

        Args:
            is_spoken_to: Whether one of them takes it for a consenter, and so would not refuse.
        """
        pause_s = self._least_s if is_spoken_to else self._pause_s
        now = self._clock.time()
        if self._asking is None and now - self._asked_at >= pause_s:
            self._asked_at = now
            self._asking = asyncio.get_running_loop().create_task(self._ask())

    async def cease(self) -> None:
        """Ask no more."""
        asking = self._asking
        if asking is not None and asking is not asyncio.current_task():
            asking.cancel()
            await asyncio.wait([asking])

    async def _ask(self) -> None:
        channel_id = self._support.channel_id
        try:
            _logger.info("[channel: %s] Suspecting our own eviction from the channel", channel_id)
            if not self._is_named():
                _logger.warning("[channel: %s] Detected our own eviction", channel_id)
                await self._stop()
                self._support.switch_chain()
                return
            number = number_of(await self._puller.newest_config())
            self._pause_s = self._least_s
            if number < self._support.height:
                _logger.info(
                    "[channel: %s] Cannot confirm our own eviction from the channel: its last "
                    "config block [%d] is here",
                    channel_id,
                    number,
                )
                return
            _logger.warning(
                "[channel: %s] Last config block was found to be block [%d], which is not here; "
                "pulling the blocks up to it",
                channel_id,
                number,
            )
            await self._stop()
            await self._puller.pull(number + 1)
            await self._support.drained(0)
            self._support.switch_chain()
        except FastledgerError as error:
            if isinstance(error, NoSource) and error.is_refusal:
                self._pause_s = min(2 * self._pause_s, MAX_PAUSE_S)
                _logger.warning(
                    "[channel: %s] No other orderer lets this one read the channel: if it was "
                    "evicted with its organization, remove the channel here; asking again in %g s",
                    channel_id,
                    self._pause_s,
                )
            _logger.error(
                "[channel: %s] Failed pulling the last config block: %s", channel_id, error
            )
        finally:
            self._asking = None
