# SPDX-License-Identifier: Apache-2.0
"""The orderer daemon: ``orderer.yaml`` to listening servers (Fabric: ``orderer/common/server``).

::

    General.ListenAddress:ListenPort   gRPC: orderer.AtomicBroadcast
    General.Cluster.ListenAddress      gRPC: orderer.Cluster; without it, at the general address
    Admin.ListenAddress                HTTP: channel participation
    Operations.ListenAddress           HTTP: health, version, log levels, metrics
"""

import time

from fastledger.comm import GrpcServer
from fastledger.comm.http import HttpServer
from fastledger.comm.tls import read_file
from fastledger.common import log
from fastledger.common.config import Config
from fastledger.ledger.blockstores import Ledgers
from fastledger.msp import SigningIdentity, check_msp_settings
from fastledger.node.operations import Operations
from fastledger.node.orderer.clusterparts import ClusterParts, own_server
from fastledger.node.orderer.config import (
    Admin,
    Bootstrap,
    General,
    OrdererConfig,
    Throttling,
    read,
)
from fastledger.orderer.channelparticipation.restapi import ChannelParticipation
from fastledger.orderer.cluster import ClusterService
from fastledger.orderer.cluster.expiration import ExpirationCheck, tell_of_own
from fastledger.orderer.consensus.consenters import Consenters
from fastledger.orderer.consensus.kafka import chain as kafka
from fastledger.orderer.multichannel.registrar import Registrar
from fastledger.orderer.replication.replication import Replication
from fastledger.orderer.server import AtomicBroadcast
from fastledger.orderer.throttle import Throttle
from fastledger.protos.msp.identities_pb2 import SerializedIdentity
from fastledger.protoutil.signer import Signer

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
        settings = read(config)
        general = self._general = settings.general
        tls = general.tls.load()
        check_msp_settings(config, "general")
        signer = SigningIdentity.load(general.msp_folder, general.mspid)
        self._parts = ClusterParts.load(settings, tls, signer.serialized) if tls else None
        self._certificates = _certificates(signer, self._parts)
        self.registrar = Registrar(
            Ledgers(settings.location),
            signer,
            _consenters(settings, signer, self._parts),
            check_expirations=not general.ignores_expirations,
        )
        self._bootstrap = _bootstrap_block(general.bootstrap)
        mutual = tls is not None and tls.require_client_cert
        self._server = GrpcServer(
            f"{general.host}:{general.port}",
            tls,
            limits=general.server_limits,
            client_roots=self.registrar.tls_roots if mutual else None,
        )
        self._server.add(self._service(mutual_tls=mutual).register)
        self._cluster_server = self._serve_cluster(general)
        self._admin = self._admin_server(settings.admin)
        self._operations = Operations.of(settings.operations)

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
        tell_of_own(self._certificates, time.time())
        self.registrar.open(self._bootstrap)
        if self._operations:
            self._operations.add_checker("ledger", self._check)
            await self._operations.start()
        if self._admin:
            await self._admin.start()
        if self._cluster_server:
            await self._cluster_server.start()
            _logger.info("Starting cluster listener on %s", self._cluster_server.address)
        await self._server.start()
        _logger.info("Beginning to serve requests at %s", self._server.address)

    async def stop(self) -> None:
        """Have others lead, end streams, write what was taken, close everything."""
        await self.registrar.resign()
        await self._server.stop(STOP_GRACE_S)
        if self._cluster_server:
            await self._cluster_server.stop(STOP_GRACE_S)
        for server in (self._admin, self._operations):
            if server:
                await server.stop()
        await self.registrar.close()
        if self._parts:
            await self._parts.comm.close()

    async def _check(self) -> None:
        self.registrar.check()

    def _service(self, *, mutual_tls: bool) -> AtomicBroadcast:
        general = self._general
        return AtomicBroadcast(
            self.registrar,
            time_window_s=general.time_window_s,
            mutual_tls=mutual_tls,
            check_expirations=not general.ignores_expirations,
            # Else anybody could make up clients, among whom the rate is divided.
            throttle=_throttle(general.throttling) if mutual_tls else None,
        )

    def _serve_cluster(self, general: General) -> GrpcServer | None:
        """Let other orderers in, at a listener of their own, or else at the general one."""
        if self._parts is None:
            return None
        own = own_server(general.cluster, general.server_limits, self.registrar.tls_roots)
        warning_s = general.cluster.warning_s
        service = ClusterService(
            self._parts.comm,
            self.registrar.channel,
            lambda address, end: ExpirationCheck(address, end, warning_s),
        )
        (own or self._server).add(service.register)
        return own

    def _admin_server(self, admin: Admin) -> HttpServer | None:
        if not admin.address:
            return None
        participation = ChannelParticipation(
            self.registrar, enabled=admin.enabled, max_body_bytes=admin.max_body_bytes
        )
        return HttpServer(admin.address, participation.app(), admin.tls.load())


def _certificates(signer: Signer, parts: ClusterParts | None) -> dict[str, bytes]:
    """Return the PEM of this orderer's certificates, by what they are for."""
    enrollment = SerializedIdentity.FromString(signer.serialized).id_bytes
    if parts is None:
        return {"enrollment": enrollment}
    return {
        "enrollment": enrollment,
        "server TLS": parts.certificate,
        "client TLS": parts.pair[0],
    }


def _throttle(throttling: Throttling) -> Throttle | None:
    """Make what ``General.Throttling`` asks for; a rate of 0 asks for nothing."""
    if throttling.rate <= 0:
        return None
    return Throttle(throttling.rate, throttling.inactivity_s)


def _consenters(settings: OrdererConfig, signer: Signer, parts: ClusterParts | None) -> Consenters:
    """Make the kinds of consensus; without TLS there are no other orderers."""
    pulling = settings.general.cluster.replication
    others = {kafka.KIND: kafka.consenter(settings.kafka)}
    if parts is None:
        return Consenters(None, Replication(signer, pulling), others=others)
    replication = Replication(signer, pulling, *parts.pair, parts.time_shift_s)
    return Consenters(parts.certificate, replication, parts.raft, others)


def _bootstrap_block(bootstrap: Bootstrap) -> bytes | None:
    """Return the system channel's genesis block, None where there is no system channel."""
    if bootstrap.method == "file":
        return read_file(bootstrap.block, "block General.BootstrapFile")
    if bootstrap.old_method == "file":
        return read_file(bootstrap.old_block, "block General.GenesisFile")
    return None
