# SPDX-License-Identifier: Apache-2.0
"""A peer's gossip: fed by its channels, on connections with its TLS certificates."""

import asyncio
import hashlib
from collections.abc import Iterable
from functools import partial

from fastledger.channelconfig import Bundle
from fastledger.comm import GrpcChannel, TlsConfig, certificate_hash, dial
from fastledger.common import log
from fastledger.endorser.channel import Channel
from fastledger.endorser.collectionconfigs import Collection, satisfies
from fastledger.endorser.definitions import Definitions
from fastledger.endorser.packages import PackageStore
from fastledger.endorser.published import published
from fastledger.gossip.identities import Identities
from fastledger.gossip.node import GossipNode
from fastledger.msp import Msp, SigningIdentity
from fastledger.node.peer.channel import PeerChannel
from fastledger.node.peer.channels import PeerChannels
from fastledger.node.peer.config import PeerConfig
from fastledger.node.peer.tls import trusting
from fastledger.protoutil.signed_data import SignedData

REFRESH_S = 1.0
"""Chaincodes are looked up again at most so often while blocks are committed."""

_logger = log.get("gossip.service")


class GossipDialler:
    """Dials peers of all channels."""

    def __init__(self, config: PeerConfig, tls: TlsConfig | None, channels: PeerChannels) -> None:
        """Trust the TLS roots of the channels' organizations and the peer's own."""
        self._channels = channels
        self._limits = config.client_limits(config.peer_keepalive)
        self._own = config.tls.client()
        self.server_hash = certificate_hash(tls.cert) if tls else b""
        self.client_hash = self._own.certificate_hash if self._own else b""

    async def dial(self, endpoint: str, timeout_s: float) -> tuple[GrpcChannel, bytes]:
        """Connect; return the hash of the other side's TLS certificate, too, empty without TLS."""
        channel = await self.connect(endpoint, timeout_s)
        shown = channel.server_certificate
        return channel, hashlib.sha256(shown).digest() if shown else b""

    async def connect(self, endpoint: str, timeout_s: float) -> GrpcChannel:
        """Connect to a peer.

        Raises:
            ConnectionFailed: Nobody there, or nobody to trust.
        """
        tls = trusting(self._own, self._all_roots())
        return await dial(endpoint, tls, timeout_s=timeout_s, limits=self._limits)

    def _all_roots(self) -> Iterable[bytes]:
        roots: dict[bytes, None] = {}
        for channel_id in self._channels.channel_ids():
            channel = self._channels.channel(channel_id)
            for mspid in channel.organizations if channel else ():
                roots |= dict.fromkeys(channel.bundle.tls_cas(mspid) if channel else ())
        return roots


class PeerGossip:
    """Keeps gossip informed about a peer's channels."""

    def __init__(
        self,
        config: PeerConfig,
        tls: TlsConfig | None,
        signer: SigningIdentity,
        local_msp: Msp,
        channels: PeerChannels,
        definitions: Definitions,
        packages: PackageStore,
    ) -> None:
        """Gossip for a peer.

        Raises:
            ConfigInvalid: A setting is wrong.
        """
        self._channels = channels
        self._definitions = definitions
        self._packages = packages
        self._sequences: dict[str, int] = {}
        self._legacy: dict[str, dict[str, str]] = {}
        self._refreshing: dict[str, asyncio.TimerHandle] = {}
        self._dirty: set[str] = set()
        identities = Identities(signer, signer.mspid, local_msp, self._bundles)
        self.dialler = GossipDialler(config, tls, channels)
        self.node = GossipNode(config.gossip, identities, self.dialler)
        channels.opened.subscribe(self._opened)
        definitions.installed.subscribe(self._installed)

    def start(self) -> None:
        """Begin to talk."""
        self.node.start()

    async def stop(self) -> None:
        """Hang up."""
        for timer in self._refreshing.values():
            timer.cancel()
        await self.node.stop()

    def eligible(self, channel: Channel, collection: Collection) -> int:
        """Count the other peers that are alive and may have a collection's values."""
        signed = (
            SignedData(one.envelope.payload, one.identity, one.envelope.signature)
            for one in self.node.gossip.of_channel(channel.id)[:-1]
        )
        return sum(satisfies(channel, collection, who) for who in signed)

    def _bundles(self) -> dict[str, Bundle]:
        found = ((name, self._channels.channel(name)) for name in self._channels.channel_ids())
        return {name: channel.bundle for name, channel in found if channel is not None}

    def _opened(self, channel: PeerChannel) -> None:
        self._join(channel)
        self.node.gossip.set_height(channel.id, channel.height)
        self._refresh(channel)
        channel.committed.subscribe(partial(self._committed, channel))

    def _committed(self, channel: PeerChannel, number: int) -> None:
        if channel.bundle.sequence != self._sequences[channel.id]:
            self._join(channel)
        self.node.gossip.set_height(channel.id, number + 1)
        self._refresh(channel)

    def _join(self, channel: PeerChannel) -> None:
        self._sequences[channel.id] = channel.bundle.sequence
        application = channel.bundle.application
        orgs = application.orgs if application else {}
        anchors = {
            mspid: [f"{anchor.host}:{anchor.port}" for anchor in org.anchor_peers]
            for mspid, org in orgs.items()
        }
        self.node.do(self.node.gossip.join(channel.id, anchors))

    def _installed(self, _installed: None) -> None:
        for channel_id in self._channels.channel_ids():
            channel = self._channels.channel(channel_id)
            if channel is not None:
                self._refresh(channel)

    def _refresh(self, channel: PeerChannel) -> None:
        """Look now which chaincodes the peer has; again when more has happened meanwhile."""
        if channel.id in self._refreshing:
            self._dirty.add(channel.id)
            return
        self._dirty.discard(channel.id)
        legacy = self._legacy.setdefault(channel.id, {})
        found = published(channel, self._definitions, self._packages, legacy)
        self.node.do(self.node.gossip.set_chaincodes(channel.id, found))

        def again() -> None:
            del self._refreshing[channel.id]
            if channel.id in self._dirty:
                self._refresh(channel)

        loop = asyncio.get_running_loop()
        self._refreshing[channel.id] = loop.call_later(REFRESH_S, again)
