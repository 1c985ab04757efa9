# SPDX-License-Identifier: Apache-2.0
"""Gossip nodes of a recorded network's identities, in this process."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import grpc.aio

from fastledger.channelconfig import Bundle
from fastledger.comm import GrpcServer, dial
from fastledger.gossip.identities import Identities
from fastledger.gossip.node import GossipNode
from fastledger.gossip.settings import GossipSettings
from fastledger.msp import Msp, SigningIdentity, load_msp_config

CHANNEL = "mychannel"
PATIENCE_S = 60
QUICK = GossipSettings(
    endpoint="127.0.0.1:1",
    pull_interval_s=0.17,
    publish_state_info_s=0.1,
    request_state_info_s=0.1,
    digest_wait_s=0.05,
    request_wait_s=0.5,
    response_wait_s=0.1,
    alive_interval_s=0.1,
    alive_expiration_s=1.5,
    reconnect_interval_s=0.3,
    expiration_factor=1000,
)
"""Everything some fifty times as often as by default."""


class PlainDialler:
    """Dials without TLS."""

    server_hash = b""
    client_hash = b""

    async def dial(self, endpoint: str, timeout_s: float) -> tuple[grpc.aio.Channel, bytes]:
        return await dial(endpoint, timeout_s=timeout_s), b""


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

    def identities(self, org: int, name: str, *, on_channel: bool = True) -> Identities:
        config = load_msp_config(self.folder(org, name), f"Org{org}MSP").SerializeToString()
        bundles = {CHANNEL: self.bundle} if on_channel else {}
        return Identities(self.signer(org, name), f"Org{org}MSP", Msp(config), lambda: bundles)


@dataclass
class Peer:
    """A node that runs."""

    node: GossipNode
    server: GrpcServer
    endpoint: str
    orgs: dict[str, list[str]] = field(default_factory=dict)

    def join(self, **anchors: list[str]) -> None:
        self.orgs = {"Org1MSP": [], "Org2MSP": []} | anchors
        self.node.join(CHANNEL, self.orgs)

    def sees(self) -> set[str]:
        """Endpoints of all others that are alive."""
        return {one.preferred_endpoint for one in self.node.alive()} - {self.endpoint}

    def heights(self) -> dict[str, int]:
        return {
            one.endpoint: one.properties.ledger_height
            for one in self.node.of_channel(CHANNEL)
            if one.endpoint
        }

    async def stop(self) -> None:
        await self.node.stop()
        await self.server.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def gossiping(
    identities: Identities,
    *bootstrap: str,
    hidden: bool = False,
    port: int = 0,
    settings: GossipSettings = QUICK,
) -> AsyncIterator[Peer]:
    """Run a node."""
    endpoint = f"127.0.0.1:{port or free_port()}"
    external = "" if hidden else endpoint
    settings = replace(settings, endpoint=endpoint, external_endpoint=external, bootstrap=bootstrap)
    node = GossipNode(settings, identities, PlainDialler())
    server = GrpcServer(endpoint)
    server.add(node.register)
    await server.start()
    node.start()
    peer = Peer(node, server, endpoint)
    try:
        yield peer
    finally:
        await peer.stop()


async def eventually(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.02)
