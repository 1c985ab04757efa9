# SPDX-License-Identifier: Apache-2.0
"""Another orderer of a channel, and by what it is known."""

from dataclasses import dataclass

from fastledger._core import Certificate


@dataclass(frozen=True, slots=True)
class RemoteNode:
    """A consenter that is not this node (Fabric: ``cluster.RemoteNode``).

    Certificates are compared by their keys, so that one that was renewed with the same key needs no
    update of the configuration (``crypto.CertificatesWithSamePublicKey``). Keys are the DER of
    ``SubjectPublicKeyInfo``.

    Attributes:
        number: Its number among the channel's consenters.
        address: ``host:port`` where it serves other orderers.
        server_key: What it proves to have when it is dialed.
        client_key: What it proves to have when it dials.
    """

    number: int
    address: str
    server_key: bytes
    client_key: bytes

    @staticmethod
    def of(number: int, host: str, port: int, server_pem: bytes, client_pem: bytes) -> "RemoteNode":
        """Read a consenter of a configuration.

        Raises:
            InputError: A certificate is none.
            IdentityRefused: A certificate cannot be read.
        """
        server, client = (Certificate(pem).public_key for pem in (server_pem, client_pem))
        host = f"[{host}]" if ":" in host else host
        return RemoteNode(number, f"{host}:{port}", server, client)
