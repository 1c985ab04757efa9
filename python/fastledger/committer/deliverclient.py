# SPDX-License-Identifier: Apache-2.0
"""Blocks of the orderers for one channel, switched on and off (Fabric: ``core/deliverservice``).

A peer that needs no orderer, because another one of its organization has its blocks, switches it
off, and on again when that one is gone.
"""

import asyncio
import logging

from fastledger.committer.intake import Intake, TooFarAhead
from fastledger.committer.puller import BlockPuller
from fastledger.common import log
from fastledger.common.errors import InputError
from fastledger.protoutil.blocks import EncodedBlock, number_of

CANCEL_S = 1.0
"""The puller gets so long to let go before it is told once more."""

_logger = log.get("deliveryClient")


class DeliverClient:
    """Puts what a puller brings into a channel's intake."""

    def __init__(self, channel_id: str, puller: BlockPuller, intake: Intake) -> None:
        """Pull nothing yet."""
        self._channel_id = channel_id
        self._puller = puller
        self._intake = intake
        self._expected = 0
        self._pulling: asyncio.Task[None] | None = None
        self._complained = ""

    @property
    def is_on(self) -> bool:
        """Whether blocks are being pulled."""
        return self._pulling is not None

    def start(self) -> None:
        """Pull from the block on that the intake wants; no second time while that is done."""
        if self._pulling is None:
            self._pulling = asyncio.create_task(self._pull())

    async def stop(self) -> None:
        """Pull no more; what was pulled is committed."""
        pulling, self._pulling = self._pulling, None
        # A stream that ends at the same moment can take a cancellation for its own.
        while pulling is not None and not pulling.done():
            pulling.cancel()
            await asyncio.wait([pulling], timeout=CANCEL_S)

    def reject(self) -> None:
        """Leave the orderer in use: what it sent does not hold."""
        self._puller.reject()

    def restart(self) -> None:
        """Ask again for what is wanted: the blocks that came were dropped."""
        self._puller.restart()

    async def _pull(self) -> None:
        async for block in self._puller.blocks(self._wanted):
            try:
                self._check_order(block)
                await self._intake.put(block)
            except (InputError, TooFarAhead) as error:
                self._complain(str(error))
                self.reject()

    async def _wanted(self) -> int:
        self._expected = await self._intake.wanted()
        return self._expected

    def _check_order(self, block: EncodedBlock) -> None:
        """An orderer sends one block after the other; one that does not is left at once."""
        number = number_of(block)
        if number != self._expected:
            raise InputError(f"block [{number}] came where [{self._expected}] was asked for")
        self._expected += 1

    def _complain(self, text: str) -> None:
        # The same orderer sends the same again and again.
        level = logging.DEBUG if text == self._complained else logging.ERROR
        self._complained = text
        _logger.log(level, "[%s] %s", self._channel_id, text)
