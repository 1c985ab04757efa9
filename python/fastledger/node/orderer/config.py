# SPDX-License-Identifier: Apache-2.0
"""orderer.yaml as one frozen object, checked when the orderer starts."""

from dataclasses import dataclass
from pathlib import Path

from fastledger.comm import ServerLimits
from fastledger.comm.limits import LARGEST_MESSAGE_BYTES, MAX_MESSAGE_BYTES
from fastledger.common import settings
from fastledger.common.catalogue import Catalogue, Unheeded
from fastledger.common.config import Config
from fastledger.common.settings import (
    file,
    flag,
    seconds,
    section,
    size,
    text,
    whole,
)
from fastledger.deliver.handler import TIME_WINDOW_S
from fastledger.msp.settings import CryptoProvider
from fastledger.node.operations_config import OrdererOperations
from fastledger.node.orderer.cluster import MAX_PORT, Cluster, Consensus, Reconnecting
from fastledger.node.orderer.unheeded import UNHEEDED
from fastledger.node.tls import OrdererGeneralTls, OrdererServerTls
from fastledger.orderer.channelparticipation.restapi import MAX_REQUEST_BODY_BYTES
from fastledger.orderer.consensus.kafka.settings import KafkaSettings

_METHODS = ("none", "file")


@dataclass(frozen=True, slots=True)
class Keepalive:
    """``General.Keepalive``."""

    interval_s: float = seconds(
        "ServerInterval", 7200, "A silent client is pinged that often.", zero=False
    )
    timeout_s: float = seconds(
        "ServerTimeout", 20, "One that does not answer is given up.", zero=False
    )


@dataclass(frozen=True, slots=True)
class Throttling:
    """``General.Throttling``: it takes mutual TLS, by which clients are told apart."""

    rate: int = whole("Rate", 0, "Transactions a second, of all clients; 0 is no limit.")
    inactivity_s: float = seconds(
        "InactivityTimeout", 5, "A client that sends nothing for so long has no share.", zero=False
    )


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """The system channel, where there is one."""

    method: str = text("BootstrapMethod", "none", "file: a system channel begins.", one_of=_METHODS)
    block: Path = file("BootstrapFile", "genesisblock", "Its genesis block, or newest config.")
    old_method: str = text("GenesisMethod", "none", "BootstrapMethod in Fabric 1.", one_of=_METHODS)
    old_block: Path = file("GenesisFile", "genesisblock", "BootstrapFile in Fabric 1.")


@dataclass(frozen=True, slots=True)
class General:
    """``General``."""

    host: str = text("ListenAddress", "127.0.0.1", "Where the orderer serves.")
    port: int = whole("ListenPort", 7050, "Its port; 0 is a free one.", least=0, most=MAX_PORT)
    tls: OrdererGeneralTls = section("TLS", OrdererGeneralTls)
    keepalive: Keepalive = section("Keepalive", Keepalive)
    max_message_bytes: int = whole(
        "MaxRecvMsgSize",
        MAX_MESSAGE_BYTES,
        "Largest message, in bytes.",
        least=1,
        most=LARGEST_MESSAGE_BYTES,
        zero=False,
    )
    bootstrap: Bootstrap = section("", Bootstrap)
    throttling: Throttling = section("Throttling", Throttling)
    cluster: Cluster = section("Cluster", Cluster)
    reconnecting: Reconnecting = section("Backoff", Reconnecting)
    msp_folder: Path = file("LocalMSPDir", "msp", "MSP folder of the orderer's identity.")
    mspid: str = text("LocalMSPID", "SampleOrg", "Its MSP.")
    provider: CryptoProvider = section("", CryptoProvider)
    time_window_s: float = seconds(
        "Authentication.TimeWindow",
        TIME_WINDOW_S,
        "How far a request's time may be from the orderer's.",
        zero=False,
    )
    ignores_expirations: bool = flag(
        "Authentication.NoExpirationChecks", False, "Let in clients whose certificates have ended."
    )

    @property
    def server_limits(self) -> ServerLimits:
        """What the orderer's server lets through."""
        return ServerLimits(
            max_message_bytes=self.max_message_bytes,
            keepalive_s=self.keepalive.interval_s,
            keepalive_timeout_s=self.keepalive.timeout_s,
        )


@dataclass(frozen=True, slots=True)
class Admin:
    """The service of channel participation."""

    address: str = text("Admin.ListenAddress", "", "Where osnadmin is served; nowhere without it.")
    tls: OrdererServerTls = section("Admin.TLS", OrdererServerTls)
    enabled: bool = flag("ChannelParticipation.Enabled", True, "Let channels be joined and left.")
    max_body_bytes: int = size(
        "ChannelParticipation.MaxRequestBodySize", MAX_REQUEST_BODY_BYTES, "Largest request."
    )


@dataclass(frozen=True, slots=True)
class OrdererConfig:
    """Everything that orderer.yaml says."""

    general: General = section("General", General)
    location: Path = file(
        "FileLedger.Location", "/var/hyperledger/production/orderer", "Where blocks are kept."
    )
    consensus: Consensus = section("Consensus", Consensus)
    operations: OrdererOperations = section("", OrdererOperations)
    admin: Admin = section("", Admin)
    kafka: KafkaSettings = section("Kafka", KafkaSettings)


def read(config: Config) -> OrdererConfig:
    """Read orderer.yaml.

    Raises:
        ConfigInvalid: A setting is wrong; says which, and what it may be.
    """
    return settings.read(config, OrdererConfig)


CATALOGUE = Catalogue("orderer", (OrdererConfig,), UNHEEDED, guarded=("",))
"""Every key of orderer.yaml; as for Fabric's orderers, another one in the file is an error."""

_NO_CLIENTS = Unheeded(
    "clients are told apart by certificates: it takes General.TLS with mutual TLS"
)


def remarks(config: Config) -> list[str]:
    """Return what to tell about orderer.yaml: keys that are set in vain.

    Raises:
        ConfigInvalid: A key is unknown.
    """
    tls = settings.read(config, OrdererServerTls, "General.TLS")
    throttling = [f"General.Throttling.{key}" for key, _ in settings.keys(Throttling)]
    told = tls.enabled and tls.required
    return CATALOGUE.check(config, {} if told else dict.fromkeys(throttling, _NO_CLIENTS))
