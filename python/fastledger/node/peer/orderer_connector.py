# SPDX-License-Identifier: Apache-2.0
"""How a peer dials the orderers of a channel."""

from fastledger.comm import ClientTls, GrpcChannel, dial
from fastledger.comm.client import DEFAULT_TIMEOUT_S
from fastledger.comm.tls import read_file
from fastledger.common.config import Config
from fastledger.common.errors import ConfigInvalid
from fastledger.endorser.channel import Channel


class OrdererConnector:
    """Trusts the TLS roots of the organizations that the channel's configuration names."""

    def __init__(self, config: Config, channel: Channel) -> None:
        """Dial for a channel, with the peer's own TLS settings."""
        self._channel = channel
        self._timeout_s = config.duration("peer.deliveryclient.connTimeout", DEFAULT_TIMEOUT_S)
        self._enabled = config.boolean("peer.tls.enabled")
        self._roots = b""
        self._cert = self._key = b""
        if self._enabled:
            self._roots = _read(config, "peer.tls.rootcert.file")
            self._cert = _read(config, "peer.tls.clientCert.file", "peer.tls.cert.file")
            self._key = _read(config, "peer.tls.clientKey.file", "peer.tls.key.file")

    async def connect(self, address: str) -> GrpcChannel:
        """Dial; raises ConnectionFailed."""
        return await dial(address, self._tls(), timeout_s=self._timeout_s)

    @property
    def certificate_hash(self) -> bytes:
        """SHA-256 of the peer's TLS certificate; empty without TLS."""
        tls = self._tls()
        return tls.certificate_hash if tls else b""

    def _tls(self) -> ClientTls | None:
        if not self._enabled:
            return None
        bundle = self._channel.bundle
        named = bundle.orderer.orgs if bundle.orderer is not None else ()
        roots = [root for mspid in named for root in bundle.tls_cas(mspid)]
        return ClientTls(b"\n".join([*roots, self._roots]), self._cert, self._key)


def _read(config: Config, *keys: str) -> bytes:
    for key in keys:
        path = config.path(key)
        if path is not None:
            return read_file(path, key)
    raise ConfigInvalid(f"{config.file}: peer.tls is enabled, but there is no {keys[-1]}")
