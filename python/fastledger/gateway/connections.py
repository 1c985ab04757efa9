# SPDX-License-Identifier: Apache-2.0
"""The gateway's ways to a channel's orderers and peers: one connection for all calls."""

import asyncio
from collections.abc import Awaitable, Callable
from weakref import WeakValueDictionary

import grpc.aio

from fastledger.comm import Broadcaster, GrpcChannel

DIAL_TIMEOUT_S = 3.0
"""For a connection to another peer to stand."""

Dial = Callable[[str], Awaitable[GrpcChannel]]
"""Connects to an address; raises ConnectionFailed."""

DialPeer = Callable[[str, float], Awaitable[GrpcChannel]]
"""Connects to a peer within some seconds; raises ConnectionFailed."""


class Connections:
    """Those of one channel."""

    def __init__(self, dial_orderer: Dial, dial_peer: DialPeer) -> None:
        """Connect to nobody yet."""
        self._dial_orderer = dial_orderer
        self._dial_peer = dial_peer
        self._orderers: dict[str, GrpcChannel] = {}
        self._broadcasters: dict[str, Broadcaster] = {}
        self._peers: dict[str, GrpcChannel] = {}
        # A node that is suspended must not keep anybody from the others.
        self._dialling: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def broadcaster(self, address: str) -> Broadcaster:
        """The stream to an orderer."""
        found = self._broadcasters.get(address)
        if found is None:
            found = self._broadcasters[address] = Broadcaster(self._orderer, address)
        return found

    async def _orderer(self, address: str) -> GrpcChannel:
        async with self._dialling.setdefault(address, asyncio.Lock()):
            found = self._orderers.get(address)
            if found is None:
                found = self._orderers[address] = await self._dial_orderer(address)
        return found

    async def peer(self, address: str) -> GrpcChannel:
        """The connection to another peer of the channel."""
        async with self._dialling.setdefault(address, asyncio.Lock()):
            found = self._peers.get(address)
            if found is None:
                found = self._peers[address] = await self._dial_peer(address, DIAL_TIMEOUT_S)
        return found

    async def peer_failed(self, address: str) -> None:
        """Forget the connection to a peer if it is gone; others go on to use one that stands."""
        found = self._peers.get(address)
        if found is None:
            return
        try:
            await found.connect(DIAL_TIMEOUT_S)
        except grpc.aio.AioRpcError:
            if self._peers.get(address) is found:
                del self._peers[address]
            await found.close()

    async def close(self) -> None:
        """Hang up."""
        for connection in (*self._orderers.values(), *self._peers.values()):
            await connection.close()
