# SPDX-License-Identifier: Apache-2.0
"""How a peer dials the orderers of a channel."""

from fastledger.comm import ClientTls, GrpcChannel, dial
from fastledger.endorser.channel import Channel
from fastledger.node.peer.config import PeerConfig
from fastledger.node.peer.tls import trusting


class OrdererConnector:
    """Trusts the TLS roots of the organizations that the channel's configuration names."""

    def __init__(self, config: PeerConfig, channel: Channel) -> None:
        """Dial for a channel, with the peer's own TLS settings."""
        self._channel = channel
        self._timeout_s = config.deliveryclient.timeout_s
        self._limits = config.client_limits(config.orderer_keepalive)
        self._own = config.tls.client()
        self._given_roots = config.deliveryclient.roots()

    async def connect(self, address: str) -> GrpcChannel:
        """Dial; raises ConnectionFailed."""
        return await dial(
            address, self._tls(address), timeout_s=self._timeout_s, limits=self._limits
        )

    @property
    def certificate_hash(self) -> bytes:
        """SHA-256 of the peer's TLS certificate; empty without TLS."""
        return self._own.certificate_hash if self._own else b""

    def _tls(self, address: str) -> ClientTls | None:
        if given := self._given_roots.get(address):
            return trusting(self._own, [given])
        bundle = self._channel.bundle
        named = bundle.orderer.orgs if bundle.orderer is not None else ()
        return trusting(self._own, [root for mspid in named for root in bundle.tls_cas(mspid)])
