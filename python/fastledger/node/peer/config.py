# SPDX-License-Identifier: Apache-2.0
"""core.yaml of a peer as one frozen object, checked when the peer starts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fastledger.client.settings import CommandConfig
from fastledger.comm import ServerLimits, ServiceLimit
from fastledger.comm.client import DEFAULT_TIMEOUT_S
from fastledger.comm.limits import LARGEST_MESSAGE_BYTES, MAX_MESSAGE_BYTES, ClientLimits
from fastledger.comm.tls import read_file
from fastledger.common import settings
from fastledger.common.catalogue import Catalogue, Unheeded
from fastledger.common.config import Config
from fastledger.common.errors import ConfigInvalid
from fastledger.common.settings import (
    entries,
    file,
    flag,
    optional_file,
    seconds,
    section,
    text,
    whole,
)
from fastledger.deliver.handler import TIME_WINDOW_S
from fastledger.discovery.auth import AuthSettings
from fastledger.endorser.filters import AuthFilter
from fastledger.gateway.settings import GatewaySettings
from fastledger.gossip.settings import GossipSettings
from fastledger.ledger.kvledger import MAX_WORKERS
from fastledger.msp.settings import LocalMsp
from fastledger.node.operations_config import PeerOperations
from fastledger.node.peer.chaincode_config import DOCKER, ChaincodeSettings, DockerSettings
from fastledger.node.peer.tls import PeerTls
from fastledger.node.peer.unheeded import UNHEEDED

DEFAULT_CHAINCODE_PORT = 7052

ENDORSER, DELIVER, GATEWAY = "/protos.Endorser", "/protos.Deliver", "/gateway.Gateway"
"""Services whose calls at a time core.yaml bounds."""


@dataclass(frozen=True, slots=True)
class Storage:
    """Where a peer keeps what it has."""

    folder: Path = file(
        "peer.fileSystemPath", "/var/hyperledger/production", "Where ledgers and packages are kept."
    )
    snapshot_folder: Path | None = optional_file(
        "ledger.snapshots.rootDir", "Where snapshots are put; fileSystemPath/snapshots without it."
    )

    @property
    def snapshots(self) -> Path:
        """Where snapshots are put."""
        return self.snapshot_folder or self.folder / "snapshots"


@dataclass(frozen=True, slots=True)
class ServerKeepalive:
    """``peer.keepalive`` of the servers."""

    interval_s: float = seconds(
        "interval", 7200, "A silent client is pinged that often.", zero=False
    )
    timeout_s: float = seconds("timeout", 20, "One that does not answer is given up.", zero=False)


@dataclass(frozen=True, slots=True)
class ClientKeepalive:
    """``peer.keepalive.client`` and ``peer.keepalive.deliveryClient``."""

    interval_s: float = seconds("interval", 60, "A silent node is pinged that often.", zero=False)
    timeout_s: float = seconds("timeout", 20, "One that does not answer is given up.", zero=False)


@dataclass(frozen=True, slots=True)
class Concurrency:
    """``peer.limits.concurrency``: calls at a time, 0 for no limit."""

    endorser: int = whole("endorserService", 0, "Proposals at a time; 0 is no limit.", least=0)
    deliver: int = whole("deliverService", 0, "Streams of blocks at a time.", least=0)
    gateway: int = whole("gatewayService", 0, "Calls of gateway clients at a time.", least=0)

    def of(self, service: str) -> int:
        """Return the limit of a service."""
        return {ENDORSER: self.endorser, DELIVER: self.deliver, GATEWAY: self.gateway}[service]


@dataclass(frozen=True, slots=True)
class AddressOverride:
    """An entry of ``peer.deliveryclient.addressOverrides``.

    Raises:
        ValueError: It names a file that is not there.
    """

    named: str = text("from", "", "Address of an orderer in a configuration.")
    address: str = text("to", "", "Where that orderer is.")
    roots: Path | None = optional_file("caCertsFile", "Certificates trusted for it.")

    def __post_init__(self) -> None:
        """Look for the certificates before they are needed."""
        if self.roots is not None and not self.roots.is_file():
            raise ValueError(f"caCertsFile: there is no file {self.roots}")


@dataclass(frozen=True, slots=True)
class DeliveryClient:
    """``peer.deliveryclient``: where blocks are pulled from."""

    timeout_s: float = seconds(
        "connTimeout", DEFAULT_TIMEOUT_S, "How long an orderer may take to connect.", zero=False
    )
    address_overrides: tuple[AddressOverride, ...] = entries(
        "addressOverrides",
        AddressOverride,
        "Orderers that are elsewhere than configurations say: from, to, caCertsFile.",
    )

    def overridden(self, addresses: Sequence[str]) -> Sequence[str]:
        """Put the addresses that are wanted in the place of those that a channel names."""
        overrides = {each.named: each.address for each in self.address_overrides}
        return [overrides.get(address) or address for address in addresses]

    def roots(self) -> dict[str, bytes]:
        """Read the certificates that are trusted for single addresses.

        Raises:
            ConfigInvalid: A file cannot be read.
        """
        return {
            each.address: read_file(each.roots, "caCertsFile of an address override")
            for each in self.address_overrides
            if each.roots is not None
        }


@dataclass(frozen=True, slots=True)
class DiscoverySettings:
    """``peer.discovery``."""

    enabled: bool = flag("enabled", True, "Serve discovery.")
    members_allowed: bool = flag(
        "orgMembersAllowedAccess", False, "Let members of the organization ask about the peer, too."
    )
    auth: AuthSettings = section("", AuthSettings)


@dataclass(frozen=True, slots=True)
class PeerConfig:
    """Everything that core.yaml says of a peer.

    Raises:
        ValueError: Two settings contradict each other.
    """

    id: str = text("peer.id", "", "The peer's name, and part of its containers' names.")
    network_id: str = text("peer.networkId", "", "Part of its containers' names.")
    listen_address: str = text("peer.listenAddress", "0.0.0.0:7051", "Where the peer serves.")
    address: str = text("peer.address", "", "Where other peers and clients find it.")
    given_chaincode_listen_address: str = text(
        "peer.chaincodeListenAddress",
        "",
        "Where chaincodes dial the peer; only those in containers and those of people do.",
    )
    given_chaincode_address: str = text(
        "peer.chaincodeAddress", "", "Where they find it; chaincodeListenAddress without it."
    )
    storage: Storage = section("", Storage)
    msp_folder: Path = file("peer.mspConfigPath", "msp", "MSP folder of the peer's identity.")
    mspid: str = text("peer.localMspId", "SampleOrg", "Its MSP.")
    msp: LocalMsp = section("peer", LocalMsp)
    tls: PeerTls = section("peer.tls", PeerTls)
    time_window_s: float = seconds(
        "peer.authentication.timewindow",
        TIME_WINDOW_S,
        "How far a request's time may be from the peer's.",
        zero=False,
    )
    max_message_bytes: int = whole(
        "peer.maxRecvMsgSize",
        MAX_MESSAGE_BYTES,
        "Largest message, in bytes.",
        least=1,
        most=LARGEST_MESSAGE_BYTES,
        zero=False,
    )
    keepalive: ServerKeepalive = section("peer.keepalive", ServerKeepalive)
    peer_keepalive: ClientKeepalive = section("peer.keepalive.client", ClientKeepalive)
    orderer_keepalive: ClientKeepalive = section("peer.keepalive.deliveryClient", ClientKeepalive)
    concurrency: Concurrency = section("peer.limits.concurrency", Concurrency)
    auth_filters: tuple[AuthFilter, ...] = entries(
        "peer.handlers.authFilters",
        AuthFilter,
        "What proposals have to pass: names, in their order.",
    )
    deliveryclient: DeliveryClient = section("peer.deliveryclient", DeliveryClient)
    gateway: GatewaySettings = section("peer.gateway", GatewaySettings)
    discovery: DiscoverySettings = section("peer.discovery", DiscoverySettings)
    gossip: GossipSettings = section("peer.gossip", GossipSettings)
    chaincode: ChaincodeSettings = section("", ChaincodeSettings)
    keeps_history: bool = flag(
        "ledger.history.enableHistoryDatabase", True, "Answer queries of keys' histories."
    )
    validator_pool_size: int = whole(
        "peer.validatorPoolSize",
        0,
        "Threads of a channel that verify signatures; 0 takes one per processor.",
        most=MAX_WORKERS,
    )
    operations: PeerOperations = section("", PeerOperations)

    @property
    def chaincode_listen_address(self) -> str:
        """Where chaincodes dial the peer."""
        host = self.listen_address.rpartition(":")[0]
        return self.given_chaincode_listen_address or f"{host}:{DEFAULT_CHAINCODE_PORT}"

    @property
    def chaincode_address(self) -> str:
        """Where chaincodes find the peer."""
        fallback = self.given_chaincode_listen_address or f"127.0.0.1:{DEFAULT_CHAINCODE_PORT}"
        return self.given_chaincode_address or fallback

    @property
    def server_limits(self) -> ServerLimits:
        """What the peer's server lets through."""
        return ServerLimits(
            max_message_bytes=self.max_message_bytes,
            keepalive_s=self.keepalive.interval_s,
            keepalive_timeout_s=self.keepalive.timeout_s,
            # The services themselves refuse whoever has used up what core.yaml says.
            concurrency={
                service: 2 * self.concurrency.of(service)
                for service in (ENDORSER, DELIVER, GATEWAY)
            },
        )

    def client_limits(self, keepalive: ClientKeepalive) -> ClientLimits:
        """Return what the peer's connections to other nodes let through."""
        return ClientLimits(
            max_message_bytes=self.max_message_bytes,
            keepalive_s=keepalive.interval_s,
            keepalive_timeout_s=keepalive.timeout_s,
        )

    def service_limit(self, service: str) -> ServiceLimit:
        """Return the limit of a service's calls, by who makes them."""
        return ServiceLimit(service, self.concurrency.of(service))


CATALOGUE = Catalogue(
    "core",
    (PeerConfig, CommandConfig),
    UNHEEDED,
    guarded=("peer.tls.", "peer.bccsp.", "peer.authentication.", "peer.handlers.", "operations."),
    variables=("CORE_CHAINCODE_ID_NAME", "CORE_TLS_CLIENT_KEY_PATH", "CORE_TLS_CLIENT_CERT_PATH"),
)
"""Every key of core.yaml."""

_NOT_DOCKER = Unheeded(
    "chaincode runs in processes, see chaincode.runtime",
    idle=(
        "$(DOCKER_NS)/fabric-javaenv:$(TWO_DIGIT_VERSION)",
        "$(DOCKER_NS)/fabric-nodeenv:$(TWO_DIGIT_VERSION)",
    ),
)


def read(config: Config) -> PeerConfig:
    """Read core.yaml.

    Raises:
        ConfigInvalid: A setting is wrong; says which, and what it may be.
    """
    made = settings.read(config, PeerConfig)
    leads, elects = "peer.gossip.orgLeader", "peer.gossip.useLeaderElection"
    if config.boolean(leads) and config.boolean(elects):
        raise ConfigInvalid(f"{config.file}: {leads} and {elects} must not both be true")
    try:
        return replace(made, gossip=made.gossip.reachable_at(made.address))
    except ValueError as error:
        raise ConfigInvalid(f"{config.file}: {error}") from error


def remarks(config: Config) -> list[str]:
    """Return what to tell about core.yaml: keys that are set in vain, or unknown.

    Raises:
        ConfigInvalid: What is set must not be ignored.
    """
    dormant = {}
    if settings.read(config, ChaincodeSettings).runtime != DOCKER:
        dormant = dict.fromkeys((key for key, _ in settings.keys(DockerSettings)), _NOT_DOCKER)
    return CATALOGUE.check(config, dormant)
