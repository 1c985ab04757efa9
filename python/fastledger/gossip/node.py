# SPDX-License-Identifier: Apache-2.0
"""One peer's gossip on sockets and timers: does what the machine in ``gossip.py`` wants done."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from fastledger.common import log
from fastledger.common.errors import FastledgerError
from fastledger.gossip.comm import Dialler, GossipComm
from fastledger.gossip.connection import BROKEN, Connection
from fastledger.gossip.effects import Connect, Effects, Every, HangUp, Later, Ping, Send
from fastledger.gossip.gossip import Gossip
from fastledger.gossip.identities import Identities
from fastledger.gossip.messages import MessageRefused, Sealed
from fastledger.gossip.settings import GossipSettings
from fastledger.protos.gossip import message_pb2_grpc

_logger = log.get("gossip.gossip")


class GossipNode:
    """Carries messages to a peer's gossip, and its effects out.

    Attributes:
        gossip: What is known, and what decides; what it returns goes to :meth:`do`.
    """

    def __init__(self, settings: GossipSettings, identities: Identities, dialler: Dialler) -> None:
        """Say nothing yet."""
        self.gossip = Gossip(settings, identities)
        self._comm = GossipComm(identities, dialler, settings, self._handle, self._unreachable)
        self._tasks: set[asyncio.Task[None]] = set()

    def register(self, server: Any) -> None:
        """Add the service ``gossip.Gossip`` to a server."""
        message_pb2_grpc.add_GossipServicer_to_server(self._comm, server)

    def start(self) -> None:
        """Begin to talk."""
        self.do(self.gossip.start())

    async def stop(self) -> None:
        """Hang up on everybody."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._comm.stop()

    def do(self, effects: Effects) -> None:
        """Carry out what the gossip wants; never waits."""
        for effect in effects:
            match effect:
                case Send():
                    self._comm.send(effect.envelope, effect.to, effect.endpoint)
                case HangUp():
                    self._comm.hang_up(effect.peer)
                case Ping():
                    self._spawn(self._ping(effect))
                case Connect():
                    self._spawn(self._connect(effect))
                case Later():
                    self._spawn(self._later(effect))
                case Every():
                    self._spawn(self._every(effect))

    def _handle(self, connection: Connection, sealed: Sealed) -> None:
        self.do(self.gossip.handle(connection.pki_id, sealed))

    def _unreachable(self, pki_id: bytes) -> None:
        self.do(self.gossip.unreachable(pki_id))

    async def _ping(self, ping: Ping) -> None:
        if await self._comm.ping(ping.endpoint):
            self.do(self.gossip.answers(ping.peer))

    async def _connect(self, wanted: Connect) -> None:
        try:
            connection = await self._comm.connect(wanted.endpoint)
        except (FastledgerError, TimeoutError, *BROKEN) as error:
            self.do(self.gossip.missed(wanted.endpoint, wanted.org, str(error)))
        else:
            self.do(self.gossip.reached(wanted.endpoint, wanted.org, connection.pki_id))

    async def _later(self, later: Later) -> None:
        await asyncio.sleep(later.pause_s)
        self._due(later)

    async def _every(self, every: Every) -> None:
        while True:
            await asyncio.sleep(every.pause_s)
            self._due(every)

    def _due(self, effect: Later | Every) -> None:
        try:
            self.do(self.gossip.due(effect))
        except MessageRefused as error:
            _logger.warning("%s", error)

    def _spawn(self, work: Awaitable[None]) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _logger.error("defect: %r", error, exc_info=error)
