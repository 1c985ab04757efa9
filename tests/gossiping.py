# SPDX-License-Identifier: Apache-2.0
"""Peers that gossip, of a recorded network's identities, and nodes of them in this process."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import grpc.aio

from fastledger.channelconfig import Bundle
from fastledger.comm import GrpcServer, dial
from fastledger.gossip.clock import Clock
from fastledger.gossip.effects import Effects
from fastledger.gossip.gossip import Gossip
from fastledger.gossip.identities import Identities
from fastledger.gossip.node import GossipNode
from fastledger.gossip.settings import GossipSettings
from fastledger.msp import Msp, SigningIdentity, load_msp_config

CHANNEL = "mychannel"
PATIENCE_S = 60
USUAL = GossipSettings(endpoint="")
"""Fabric's intervals: in a world of its own, minutes pass at once."""

QUICK = replace(
    USUAL,
    publish_state_info_s=0.1,
    request_state_info_s=0.1,
    alive_interval_s=0.1,
)
"""For nodes that have to wait for the machine's clock."""


class Cast:
    """The identities of a corpus, and the channel that its organizations are on."""

    def __init__(self, corpus: Path) -> None:
        self._crypto = corpus / "crypto-config" / "peerOrganizations"
        self.bundle = Bundle.from_block((corpus / CHANNEL / "peer_000.block").read_bytes())

    def folder(self, org: int, name: str) -> Path:
        domain = f"org{org}.example.com"
        kind, separator = ("peers", ".") if name.startswith("peer") else ("users", "@")
        return self._crypto / domain / kind / f"{name}{separator}{domain}" / "msp"

    def signer(self, org: int, name: str) -> SigningIdentity:
        return SigningIdentity.load(self.folder(org, name), f"Org{org}MSP")

    def identities(
        self,
        org: int,
        name: str,
        *,
        bundles: Mapping[str, Bundle] | None = None,
        clock: Clock | None = None,
    ) -> Identities:
        """A peer's view; without bundles it is on the recorded channel."""
        config = load_msp_config(self.folder(org, name), f"Org{org}MSP").SerializeToString()
        on = {CHANNEL: self.bundle} if bundles is None else bundles
        signer = self.signer(org, name)
        return Identities(signer, signer.mspid, Msp(config), lambda: on, clock)


def sees(gossip: Gossip) -> set[str]:
    """Endpoints of all others that are alive."""
    return {one.preferred_endpoint for one in gossip.alive()[:-1]}


def heights(gossip: Gossip) -> dict[str, int]:
    """Blocks of the others on the channel, by their endpoints."""
    return {one.endpoint: one.properties.ledger_height for one in gossip.of_channel(CHANNEL)[:-1]}


def join(gossip: Gossip, **anchors: list[str]) -> Effects:
    """Take part in the recorded channel."""
    everybody: dict[str, list[str]] = {"Org1MSP": [], "Org2MSP": []}
    return gossip.join(CHANNEL, everybody | anchors)


class PlainDialler:
    """Dials without TLS."""

    server_hash = b""
    client_hash = b""

    async def dial(self, endpoint: str, timeout_s: float) -> tuple[grpc.aio.Channel, bytes]:
        return await dial(endpoint, timeout_s=timeout_s), b""


class WatchedNode(GossipNode):
    """A node that tells when anything has happened to it."""

    happened: asyncio.Event

    def do(self, effects: Effects) -> None:
        super().do(effects)
        self.happened.set()


@dataclass
class Node:
    """A node that runs."""

    node: WatchedNode
    server: GrpcServer
    endpoint: str
    happened: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.node.happened = self.happened

    @property
    def gossip(self) -> Gossip:
        return self.node.gossip

    def join(self, **anchors: list[str]) -> None:
        self.node.do(join(self.gossip, **anchors))

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait for something that happens to this node."""
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                self.happened.clear()
                await self.happened.wait()

    async def stop(self) -> None:
        await self.node.stop()
        await self.server.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def gossiping(
    identities: Identities, *bootstrap: str, settings: GossipSettings = QUICK
) -> AsyncIterator[Node]:
    """Run a node."""
    endpoint = f"127.0.0.1:{free_port()}"
    settings = replace(settings, endpoint=endpoint, external_endpoint=endpoint, bootstrap=bootstrap)
    node = WatchedNode(settings, identities, PlainDialler())
    server = GrpcServer(endpoint)
    running = Node(node, server, endpoint)
    server.add(node.register)
    await server.start()
    node.start()
    try:
        yield running
    finally:
        await running.stop()
