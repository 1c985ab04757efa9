# SPDX-License-Identifier: Apache-2.0
"""Connection profiles, from which ``peer`` takes where peers are.

Fabric: ``internal/peer/common/networkconfig.go``. Much of a profile is for SDKs alone, but a value
of the wrong kind is refused there as well.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastledger.common import goyaml
from fastledger.common.errors import FastledgerError, InputError
from fastledger.common.goyaml import key


@dataclass(frozen=True, slots=True)
class Pem:
    """A certificate or key, in a file or as it is."""

    path: str = key("path", "")
    pem: str = key("pem", "")


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A key and its certificate."""

    private_key: Pem = key("key", Pem())
    cert: Pem = key("cert", Pem())


@dataclass(frozen=True, slots=True)
class MutualTls:
    """What a certificate authority is reached with."""

    pem: tuple[str, ...] = key("pem", ())
    path: str = key("path", "")
    client: KeyPair = key("client", KeyPair())


@dataclass(frozen=True, slots=True)
class Registrar:
    """Who may register identities."""

    id: str = key("enrollId", "")
    secret: str = key("enrollSecret", "")


@dataclass(frozen=True, slots=True)
class CertificateAuthority:
    """A certificate authority."""

    url: str = key("url", "")
    http_options: dict[str, Any] = key("httpOptions", dict)
    tls_ca_certs: MutualTls = key("tlsCACerts", MutualTls())
    registrar: Registrar = key("registrar", Registrar())
    name: str = key("caName", "")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A peer or an orderer."""

    url: str = key("url", "")
    grpc_options: dict[str, Any] = key("grpcOptions", dict)
    tls_ca_certs: Pem = key("tlsCACerts", Pem())

    @property
    def address(self) -> str:
        """Host and port."""
        return self.url.partition("://")[2] or self.url


@dataclass(frozen=True, slots=True)
class PeerEndpoint(Endpoint):
    """A peer."""

    event_url: str = key("eventUrl", "")


@dataclass(frozen=True, slots=True)
class Organization:
    """An organization."""

    mspid: str = key("mspid", "")
    peers: tuple[str, ...] = key("peers", ())
    crypto_path: str = key("cryptoPath", "")
    certificate_authorities: tuple[str, ...] = key("certificateAuthorities", ())
    admin_private_key: Pem = key("adminPrivateKey", Pem())
    signed_cert: Pem = key("signedCert", Pem())


@dataclass(frozen=True, slots=True)
class ChannelPeer:
    """What a peer does for a channel."""

    endorsing_peer: bool = key("endorsingPeer", False)
    chaincode_query: bool = key("chaincodeQuery", False)
    ledger_query: bool = key("ledgerQuery", False)
    event_source: bool = key("eventSource", False)


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel."""

    orderers: tuple[str, ...] = key("orderers", ())
    peers: dict[str, ChannelPeer] = key("peers", dict)
    chaincodes: tuple[str, ...] = key("chaincodes", ())


@dataclass(frozen=True, slots=True)
class Level:
    """What is logged."""

    level: str = key("level", "")


@dataclass(frozen=True, slots=True)
class Folder:
    """Where something is kept."""

    path: str = key("path", "")


@dataclass(frozen=True, slots=True)
class CredentialStore:
    """Where an SDK keeps identities."""

    path: str = key("path", "")
    crypto_store: Folder = key("cryptostore", Folder())
    wallet: str = key("wallet", "")


@dataclass(frozen=True, slots=True)
class Tls:
    """Whether an SDK uses TLS."""

    enabled: bool = key("enabled", False)


@dataclass(frozen=True, slots=True)
class Client:
    """What an SDK is told about itself."""

    organization: str = key("organization", "")
    logging: Level = key("logging", Level())
    crypto_config: Folder = key("cryptoconfig", Folder())
    tls: Tls = key("tls", Tls())
    credential_store: CredentialStore = key("credentialStore", CredentialStore())


@dataclass(frozen=True, slots=True)
class ConnectionProfile:
    """A whole profile."""

    name: str = key("name", "")
    x_type: str = key("x-type", "")
    description: str = key("description", "")
    version: str = key("version", "")
    channels: dict[str, Channel] = key("channels", dict)
    organizations: dict[str, Organization] = key("organizations", dict)
    peers: dict[str, PeerEndpoint] = key("peers", dict)
    client: Client = key("client", Client())
    orderers: dict[str, Endpoint] = key("orderers", dict)
    certificate_authorities: dict[str, CertificateAuthority] = key("certificateAuthorities", dict)


def load(file: str) -> ConnectionProfile:
    """Read a profile, in YAML or JSON.

    Raises:
        InputError: It cannot be read, or a value is of the wrong kind.
    """
    try:
        return goyaml.load(Path(file), ConnectionProfile, null=False)
    except (OSError, FastledgerError) as error:
        raise InputError(f"error reading connection profile {file}: {error}") from error
