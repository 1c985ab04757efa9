# SPDX-License-Identifier: Apache-2.0
"""The orderer daemon: ``orderer.yaml`` to listening servers (Fabric: ``orderer/common/server``).

::

    General.ListenAddress:ListenPort   gRPC: orderer.AtomicBroadcast
    Admin.ListenAddress                HTTP: channel participation
    Operations.ListenAddress           HTTP: health, version, log levels, metrics
"""

from pathlib import Path

from fastledger.comm import GrpcServer, ServerLimits, TlsConfig
from fastledger.comm.http import HttpServer
from fastledger.common import log
from fastledger.common.config import Config
from fastledger.common.errors import ConfigInvalid
from fastledger.deliver.handler import TIME_WINDOW_S
from fastledger.ledger.blockstores import Ledgers
from fastledger.msp import SigningIdentity, check_msp_settings
from fastledger.node import process
from fastledger.node.operations import Operations
from fastledger.orderer.channelparticipation.restapi import (
    MAX_REQUEST_BODY_BYTES,
    ChannelParticipation,
)
from fastledger.orderer.consensus.consenters import Consenters
from fastledger.orderer.multichannel.registrar import Registrar
from fastledger.orderer.server import AtomicBroadcast
from fastledger.orderer.throttle import Throttle

DEFAULT_LOCATION = "/var/hyperledger/production/orderer"
STOP_GRACE_S = 0.2
"""Streams get so long to end when the node stops."""

_logger = log.get("orderer.common.server")


class OrdererNode:
    """One orderer process."""

    def __init__(self, config: Config) -> None:
        """Read keys, certificates and settings; nothing is opened yet.

        Raises:
            ConfigInvalid: A setting is wrong.
            FastledgerError: The identity cannot be used.
        """
        self._config = config
        tls = _server_tls(config, "general.tls")
        self._check_expirations = not config.boolean("general.authentication.noExpirationChecks")
        check_msp_settings(config, "general")
        signer = SigningIdentity.load(
            config.path("general.localMSPDir") or config.folder / "msp",
            config.string("general.localMSPID", "SampleOrg"),
        )
        self.registrar = Registrar(
            Ledgers(config.path("fileLedger.location") or Path(DEFAULT_LOCATION)),
            signer,
            Consenters(_cluster_certificate(config, tls)),
            check_expirations=self._check_expirations,
        )
        self._bootstrap = _bootstrap_block(config)
        address = f"{config.string('general.listenAddress')}:{config.integer('general.listenPort')}"
        mutual = tls is not None and tls.require_client_cert
        self._server = GrpcServer(
            address,
            tls,
            limits=_limits(config),
            client_roots=self.registrar.tls_roots if mutual else None,
        )
        self._server.add(self._service(tls).register)
        self._admin = self._admin_server()
        self._operations = Operations.from_config(config)

    @property
    def port(self) -> int:
        """Where AtomicBroadcast is served, once started."""
        return self._server.port

    @property
    def admin_port(self) -> int | None:
        """Where channel participation is served, once started; None where it is not."""
        return self._admin.port if self._admin else None

    async def start(self) -> None:
        """Open the channels, then serve.

        Raises:
            FastledgerError: A channel, or an address, cannot be used.
        """
        self.registrar.open(self._bootstrap)
        if self._operations:
            self._operations.add_checker("ledger", self._check)
            await self._operations.start()
        if self._admin:
            await self._admin.start()
        await self._server.start()
        _logger.info("Beginning to serve requests at %s", self._server.address)

    async def stop(self) -> None:
        """End streams, write what was taken, close everything."""
        await self._server.stop(STOP_GRACE_S)
        for server in (self._admin, self._operations):
            if server:
                await server.stop()
        await self.registrar.close()

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        await process.run(self)

    async def _check(self) -> None:
        self.registrar.check()

    def _service(self, tls: TlsConfig | None) -> AtomicBroadcast:
        window_s = self._config.duration("general.authentication.timeWindow")
        mutual_tls = tls is not None and tls.require_client_cert
        return AtomicBroadcast(
            self.registrar,
            time_window_s=window_s or TIME_WINDOW_S,
            mutual_tls=mutual_tls,
            check_expirations=self._check_expirations,
            # Else anybody could make up clients, among whom the rate is divided.
            throttle=_throttle(self._config) if mutual_tls else None,
        )

    def _admin_server(self) -> HttpServer | None:
        config = self._config
        address = config.string("admin.listenAddress")
        if not address:
            return None
        participation = ChannelParticipation(
            self.registrar,
            enabled=config.boolean("channelParticipation.enabled", True),
            max_body_bytes=config.size(
                "channelParticipation.maxRequestBodySize", MAX_REQUEST_BODY_BYTES
            ),
        )
        return HttpServer(address, participation.app(), _server_tls(config, "admin.tls"))


def _limits(config: Config) -> ServerLimits:
    defaults = ServerLimits()
    return ServerLimits(
        max_message_bytes=config.integer("general.maxRecvMsgSize", defaults.max_message_bytes),
        keepalive_s=config.duration("general.keepalive.serverInterval", defaults.keepalive_s),
        keepalive_timeout_s=config.duration(
            "general.keepalive.serverTimeout", defaults.keepalive_timeout_s
        ),
    )


def _throttle(config: Config) -> Throttle | None:
    """Make what ``General.Throttling`` asks for; a rate of 0 asks for nothing."""
    rate = config.integer("general.throttling.rate", 0)
    if rate <= 0:
        return None
    return Throttle(rate, config.duration("general.throttling.inactivityTimeout", 5))


def _server_tls(config: Config, section: str) -> TlsConfig | None:
    if not config.boolean(f"{section}.enabled"):
        return None
    cert, key = config.path(f"{section}.certificate"), config.path(f"{section}.privateKey")
    if cert is None or key is None:
        raise ConfigInvalid(
            f"{config.file}: {section} is enabled, but has no certificate or no privateKey"
        )
    require = config.boolean(f"{section}.clientAuthRequired")
    return TlsConfig.load(cert, key, config.paths(f"{section}.clientRootCAs"), require=require)


def _cluster_certificate(config: Config, tls: TlsConfig | None) -> bytes | None:
    """Return the certificate by which etcdraft configurations name this node."""
    own = config.path("general.cluster.serverCertificate")
    if own is not None:
        return own.read_bytes()
    return tls.cert if tls else None


def _bootstrap_block(config: Config) -> bytes | None:
    """Return the system channel's genesis block, None where there is no system channel."""
    for kind in ("bootstrap", "genesis"):
        method = config.string(f"general.{kind}Method")
        if method == "file":
            path = config.path(f"general.{kind}File") or config.folder / "genesisblock"
            try:
                return path.read_bytes()
            except OSError as error:
                raise ConfigInvalid(
                    f"{config.file}: general.{kind}File: cannot read {path}: {error.strerror}"
                ) from error
        if method not in ("", "none"):
            raise config.invalid(f"general.{kind}Method", method, "none or file")
    return None
