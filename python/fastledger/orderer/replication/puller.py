# SPDX-License-Identifier: Apache-2.0
"""Pulls a channel's blocks from whichever orderer has them (Fabric: ``cluster.BlockPuller``).

Fabric gives up after some attempts, and panics. Here there is always another attempt, later and
later, and each failure is told.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from fastledger.channelconfig import Bundle
from fastledger.common import log
from fastledger.common.errors import (
    BlockRefused,
    ConnectionFailed,
    FastledgerError,
    InputError,
    Unsupported,
)
from fastledger.orderer.errors import BlockNotNext
from fastledger.orderer.replication.endpoints import Endpoint, endpoints_of
from fastledger.orderer.replication.patience import Patience
from fastledger.orderer.replication.settings import ReplicationSettings
from fastledger.orderer.replication.source import SourceFailed, Sources
from fastledger.protos.common.common_pb2 import Block, Status
from fastledger.protoutil.blocks import last_config_index, number_of

_REFUSALS = (Status.FORBIDDEN, Status.NOT_FOUND)

_logger = log.get("orderer.common.cluster.puller")


class Followed(Protocol):
    """What a puller needs of the channel."""

    @property
    def channel_id(self) -> str:
        """The channel's name."""

    @property
    def bundle(self) -> Bundle:
        """The configuration that says where orderers are; looked at for every attempt."""

    @property
    def height(self) -> int:
        """Number of the block after the last durable one."""

    async def append(self, signed_block: bytes) -> None:
        """Check a block, and store it as it is; see ``ConsenterSupport``."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What an orderer says of a channel.

    Attributes:
        endpoint: Which one.
        height: Of its ledger; 0 where it does not tell.
        status: The ``common.Status`` with which it refuses; 0 where it does not.
        failure: Why there is no height; empty where there is one.
        is_own: Whether it is this orderer.
    """

    endpoint: Endpoint
    height: int = 0
    status: int = 0
    failure: str = ""
    is_own: bool = False

    @property
    def address(self) -> str:
        """``host:port``."""
        return self.endpoint.address


class NoSource(FastledgerError):
    """No other orderer gives what was asked for; the text says what each of them said.

    Attributes:
        is_refusal: Whether somebody answered, and everybody who did refused: this orderer may not
            read the channel, or is none of its orderers any more.
    """

    def __init__(self, text: str, *, is_refusal: bool) -> None:
        """Say so."""
        super().__init__(text)
        self.is_refusal = is_refusal


class BlockPuller:
    """One channel's blocks, as other orderers have them."""

    def __init__(self, channel: Followed, sources: Sources, settings: ReplicationSettings) -> None:
        """Connect to nobody yet."""
        self._channel = channel
        self._sources = sources
        self._settings = settings
        self._avoided = ""
        """Address of the orderer that failed last: another is taken, if there is one."""

    async def pull(self, height: int) -> None:
        """Append the blocks of others, until so many were handed to the disk.

        It goes on until all are there, or it is cancelled. Nobody else writes meanwhile.

        Raises:
            FastledgerError: The blocks cannot be stored; others are not to blame.
        """
        patience = Patience(self._settings)
        wanted = self._channel.height
        while wanted < height:
            reached = await self._pull_some(wanted, height)
            if reached > wanted:
                wanted = reached
                patience.renew()
            elif patience.is_exhausted:
                _logger.error(
                    "[channel: %s] Failed pulling block [%d]: %d attempts failed; going on",
                    self._channel.channel_id,
                    wanted,
                    patience.attempts,
                )
            if wanted < height:
                await asyncio.sleep(patience.next_pause())

    async def probe(self) -> list[Probe]:
        """Ask all orderers of the channel for their newest blocks, at once."""
        return [probe async for probe in self._probes()]

    async def height_above(self, height: int) -> int:
        """Return a height above one, of the first orderer that has it; 0 where nobody has."""
        async with aclosing(self._probes()) as probes:
            async for probe in probes:
                if probe.height > height:
                    return probe.height
        return 0

    async def newest_config(self) -> bytes:
        """Return the configuration block that the highest orderer names as the newest, encoded.

        It is signed as the configuration in force asks, which may be an older one.

        Raises:
            NoSource: Nobody gives it.
        """
        probes = await self.probe()
        for probe in sorted(probes, key=lambda one: one.height, reverse=True):
            if probe.height and not probe.is_own:
                try:
                    return await self._config_of(probe.endpoint)
                except (ConnectionFailed, SourceFailed, BlockRefused, InputError) as error:
                    self._warn(probe.address, str(error))
        raise self._no_source(probes)

    async def _pull_some(self, wanted: int, height: int) -> int:
        """Pull from one orderer what it has; return the number of the block that is next."""
        endpoint, available = await self._choose(wanted)
        if endpoint is None:
            return wanted
        channel = self._channel
        stop = min(height, available)
        try:
            async with (
                self._sources.open(endpoint, channel.channel_id) as source,
                aclosing(source.blocks(wanted, stop)) as blocks,
            ):
                async for block in blocks:
                    await channel.append(block)
                    wanted += 1
        except (ConnectionFailed, SourceFailed) as error:
            self._warn(endpoint.address, str(error))
        except (InputError, BlockRefused, BlockNotNext, Unsupported) as error:
            _logger.error(
                "[channel: %s] Failed verifying block [%d] of %s: %s",
                channel.channel_id,
                wanted,
                endpoint.address,
                error,
            )
        else:
            self._avoided = ""
            return wanted
        self._avoided = endpoint.address
        return wanted

    async def _choose(self, wanted: int) -> tuple[Endpoint | None, int]:
        """Return the first orderer that has a block, and its height."""
        fallback: Probe | None = None
        async with aclosing(self._probes()) as probes:
            async for probe in probes:
                if probe.height <= wanted:
                    continue
                if probe.address != self._avoided:
                    return probe.endpoint, probe.height
                fallback = probe
        if fallback is not None:
            return fallback.endpoint, fallback.height
        _logger.warning(
            "[channel: %s] No orderer of %s has block [%d]",
            self._channel.channel_id,
            [endpoint.address for endpoint in endpoints_of(self._channel.bundle)],
            wanted,
        )
        return None, 0

    async def _probes(self) -> AsyncGenerator[Probe, None]:
        """Ask everybody at once, and yield the answers as they come."""
        endpoints = dict.fromkeys(endpoints_of(self._channel.bundle))
        asked = [asyncio.create_task(self._probe(endpoint)) for endpoint in endpoints]
        try:
            for answer in asyncio.as_completed(asked):
                yield await answer
        finally:
            for one in asked:
                one.cancel()
            await asyncio.gather(*asked, return_exceptions=True)

    async def _probe(self, endpoint: Endpoint) -> Probe:
        channel_id, own = self._channel.channel_id, False
        try:
            async with self._sources.open(endpoint, channel_id) as source:
                own = bool(self._sources.own) and source.shows(self._sources.own)
                newest = number_of(await source.newest())
        except (FastledgerError, OSError) as error:
            status = error.status if isinstance(error, SourceFailed) else 0
            if not own:
                self._warn(endpoint.address, str(error))
            return Probe(endpoint, status=status, failure=str(error), is_own=own)
        _logger.debug("[channel: %s] %s is at block [%d]", channel_id, endpoint.address, newest)
        return Probe(endpoint, height=newest + 1, is_own=own)

    async def _config_of(self, endpoint: Endpoint) -> bytes:
        bundle = self._channel.bundle
        async with self._sources.open(endpoint, self._channel.channel_id) as source:
            newest = await source.newest()
            if number_of(newest):
                bundle.verify_block(newest)
            config = await source.block(last_config_index(Block.FromString(newest)))
        if number_of(config):
            bundle.verify_block(config)
        return config

    def _no_source(self, probes: list[Probe]) -> NoSource:
        others = [probe for probe in probes if not probe.is_own]
        answers = [probe for probe in others if probe.height or probe.status]
        refused = bool(answers) and all(probe.status in _REFUSALS for probe in answers)
        told = "; ".join(f"{probe.address}: {probe.failure or 'no use'}" for probe in others)
        return NoSource(
            f"channel {self._channel.channel_id}: no other orderer gives its configuration: "
            f"{told or 'the configuration names none'}",
            is_refusal=refused,
        )

    def _warn(self, address: str, text: str) -> None:
        _logger.warning("[channel: %s] %s: %s", self._channel.channel_id, address, text)
