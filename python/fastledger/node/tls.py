# SPDX-License-Identifier: Apache-2.0
"""TLS of a node's servers, as core.yaml and orderer.yaml say it in their ways."""

from dataclasses import dataclass
from pathlib import Path

from fastledger.comm import TlsConfig
from fastledger.common.settings import files, flag, optional_file, seconds

_ENABLED = "Serve with TLS."
_CERT = "The server's certificate chain."
_KEY = "Its private key."
_REQUIRED = "Let in only clients with a certificate: mutual TLS."
_ROOTS = "Certificates that clients' certificates have to come from."


@dataclass(frozen=True, slots=True)
class ServerTls:
    """One server of a peer: ``operations.tls``, ``peer.tls``.

    Raises:
        ValueError: It is enabled without a certificate or a key.
    """

    enabled: bool = flag("enabled", False, _ENABLED)
    cert: Path | None = optional_file("cert.file", _CERT)
    key: Path | None = optional_file("key.file", _KEY)
    required: bool = flag("clientAuthRequired", False, _REQUIRED)
    client_roots: tuple[Path, ...] = files("clientRootCAs.files", _ROOTS)

    def __post_init__(self) -> None:
        """Look for what TLS cannot do without."""
        if self.enabled and (self.cert is None or self.key is None):
            raise ValueError("it is enabled, but has no certificate or no private key")

    def load(self) -> TlsConfig | None:
        """Read the files; None without TLS.

        Raises:
            ConfigInvalid: One cannot be read, or holds something else.
        """
        if not self.enabled or self.cert is None or self.key is None:
            return None
        return TlsConfig.load(
            self.cert,
            self.key,
            list(self.client_roots),
            require=self.required,
            time_shift_s=self.time_shift_s,
        )

    @property
    def time_shift_s(self) -> float:
        """How long ago it is for who judges clients' certificates."""
        return 0.0


@dataclass(frozen=True, slots=True)
class OrdererServerTls(ServerTls):
    """One server of an orderer: ``General.TLS``, ``Operations.TLS``, ``Admin.TLS``."""

    enabled: bool = flag("Enabled", False, _ENABLED)
    cert: Path | None = optional_file("Certificate", _CERT)
    key: Path | None = optional_file("PrivateKey", _KEY)
    required: bool = flag("ClientAuthRequired", False, _REQUIRED)
    client_roots: tuple[Path, ...] = files("ClientRootCAs", _ROOTS)


@dataclass(frozen=True, slots=True)
class OrdererGeneralTls(OrdererServerTls):
    """``General.TLS``."""

    handshake_shift_s: float = seconds(
        "TLSHandshakeTimeShift",
        0,
        "Clients' and other orderers' certificates are judged as of so long ago.",
    )

    @property
    def time_shift_s(self) -> float:
        """How long ago it is for who judges certificates."""
        return self.handshake_shift_s
