# SPDX-License-Identifier: Apache-2.0
"""``peer.tls``: what a peer shows and trusts, as a server and as a client."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fastledger.comm import ClientTls, TlsConfig
from fastledger.comm.tls import read_file
from fastledger.common.settings import optional_file
from fastledger.node.tls import ServerTls


@dataclass(frozen=True, slots=True)
class PeerTls(ServerTls):
    """Both sides share a certificate unless there is one for the client.

    Raises:
        ValueError: It is enabled without a certificate, a key, or roots.
    """

    root: Path | None = optional_file("rootcert.file", "Certificates trusted for other nodes.")
    client_cert: Path | None = optional_file(
        "clientCert.file", "Shown to other nodes; cert.file without it."
    )
    client_key: Path | None = optional_file("clientKey.file", "Its key; key.file without it.")

    def __post_init__(self) -> None:
        """Look for what TLS cannot do without."""
        ServerTls.__post_init__(self)
        if self.enabled and self.root is None:
            raise ValueError("it is enabled, but there is no rootcert.file")

    def load(self) -> TlsConfig | None:
        """Read what the server needs; roots of clients only where they must show certificates."""
        if not self.enabled or self.cert is None or self.key is None:
            return None
        roots = list(self.client_roots) if self.required else []
        return TlsConfig.load(self.cert, self.key, roots, require=self.required)

    def client(self) -> ClientTls | None:
        """Read what the peer needs as a client; None without TLS.

        Raises:
            ConfigInvalid: A file cannot be read, or holds something else.
        """
        cert, key = self.client_cert or self.cert, self.client_key or self.key
        if not self.enabled or self.root is None or cert is None or key is None:
            return None
        return ClientTls(
            read_file(self.root, "peer.tls.rootcert.file"),
            read_file(cert, "TLS client certificate"),
            read_file(key, "TLS client key"),
        )


def trusting(tls: ClientTls | None, roots: Iterable[bytes]) -> ClientTls | None:
    """Return the same TLS with more roots."""
    if tls is None:
        return None
    return ClientTls(b"\n".join([*roots, tls.roots]), tls.cert, tls.key)
