# SPDX-License-Identifier: Apache-2.0
"""Follows the orderers of a channel, until it is one of its consenters.

::

    start ──► up to the join block ──► is it a consenter? ──yes──► another chain takes its place
              onboarding                 ▲        │ no
                                         │        ▼
                                      pulled ◄── somebody is higher; asked again and again

Whoever joins with a later block is a follower first, even as a consenter: it has to have the blocks
before it can take part.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn, Protocol

from fastledger.channelconfig import Bundle, Orderer
from fastledger.common import log
from fastledger.orderer.blockcutter import Message
from fastledger.orderer.consensus.chain import (
    ChainHalted,
    ConsenterSupport,
    NobodyElse,
    Relation,
    Standing,
    Status,
)

MIN_POLL_S = 0.5
MAX_POLL_S = 10.0
"""How often others are asked whether they are higher (Fabric: ``follower.Options``)."""

POLL_FACTOR = 1.5

_logger = log.get("orderer.common.follower")


class Puller(Protocol):
    """Brings blocks of other orderers into the channel; see ``replication.BlockPuller``."""

    async def pull(self, height: int) -> None:
        """Append blocks until there are so many."""

    async def height_above(self, height: int) -> int:
        """Return a height above one, that an orderer has; 0 where none has."""


class FollowerChain:
    """The chain of a channel whose blocks are pulled."""

    def __init__(
        self,
        support: ConsenterSupport,
        puller: Puller,
        is_member: Callable[[Orderer], bool],
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Prepare; `start` begins to pull.

        Args:
            support: The channel.
            puller: Where its blocks come from.
            is_member: Whether a configuration makes this orderer a consenter.
            pause: Waits so many seconds.
        """
        self._support = support
        self._puller = puller
        self._is_member = is_member
        self._pause = pause
        self._following: asyncio.Task[None] | None = None
        self._has_failed = False

    @property
    def standing(self) -> Standing:
        """A consenter that is not there yet, or a follower."""
        is_member = self._is_member(self._support.orderer)
        relation = Relation.CONSENTER if is_member else Relation.FOLLOWER
        if self._has_failed:
            return Standing(relation, Status.FAILED)
        onboarding = self._support.is_onboarding
        return Standing(relation, Status.ONBOARDING if onboarding else Status.ACTIVE)

    @property
    def errored(self) -> bool:
        """Always: who reads blocks should ask those who order them."""
        return True

    def start(self) -> None:
        """Begin to follow."""
        self._following = asyncio.get_running_loop().create_task(self._follow())

    async def resign(self) -> None:
        """Do nothing: nobody waits for it."""

    async def halt(self) -> None:
        """Pull no more; return when what was pulled is durable."""
        following, self._following = self._following, None
        if following is not None:
            following.cancel()
            await asyncio.wait([following])
        await self._support.drained(0)

    def check_update(self, following: Bundle) -> None:
        """Allow: who orders will judge."""

    async def wait_ready(self) -> None:
        """Refuse: nothing is taken."""
        self._refuse()

    async def order(self, message: Message, sequence: int) -> None:
        """Refuse."""
        del message, sequence
        self._refuse()

    async def configure(self, envelope: bytes, sequence: int) -> None:
        """Refuse."""
        del envelope, sequence
        self._refuse()

    async def step(self, sender: int, message: bytes) -> None:
        """Refuse: it takes no part in consensus."""
        raise NobodyElse(
            f"channel {self._support.channel_id} is only followed by this orderer; it takes no "
            f"{len(message)} bytes of consenter {sender}"
        )

    def _refuse(self) -> NoReturn:
        raise ChainHalted(
            f"channel {self._support.channel_id} is followed, not ordered, by this orderer"
        )

    async def _follow(self) -> None:
        support = self._support
        try:
            if support.is_onboarding:
                _logger.info(
                    "[channel: %s] pulling blocks from %d up to the join block %d",
                    support.channel_id,
                    support.height,
                    support.join_height - 1,
                )
                await self._puller.pull(support.join_height)
                _logger.info(
                    "[channel: %s] onboarding is done: the join block is there",
                    support.channel_id,
                )
            await self._until_member()
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing is pulled any more
            _logger.critical("[channel: %s] not followed: %s", support.channel_id, error)
            self._has_failed = True
        else:
            support.switch_chain()

    async def _until_member(self) -> None:
        """Follow until the configuration in force makes this orderer a consenter."""
        support, poll_s = self._support, MIN_POLL_S
        while not self._is_member(support.orderer):
            height = await self._puller.height_above(support.height)
            if height:
                await self._puller.pull(height)
                await support.drained(0)
                poll_s = max(poll_s - MIN_POLL_S, MIN_POLL_S)
            else:
                await self._pause(poll_s)
                poll_s = min(poll_s * POLL_FACTOR, MAX_POLL_S)
