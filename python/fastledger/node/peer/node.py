# SPDX-License-Identifier: Apache-2.0
"""The peer daemon: ``core.yaml`` to listening servers (Fabric: ``internal/peer/node/start.go``).

::

    peer.listenAddress            gRPC: Endorser, Deliver, Gateway, Discovery, Gossip and more
    peer.chaincodeListenAddress   gRPC: ChaincodeSupport, where chaincodes dial the peer
    operations.listenAddress      HTTP: health, version, log levels, metrics
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from fastledger.chaincode.listener import Listener
from fastledger.chaincode.package import ChaincodePackage
from fastledger.channelconfig import Bundle
from fastledger.comm import GrpcServer, ServerLimits, ServiceLimit, TlsConfig
from fastledger.committer.deliverclient import DeliverClient
from fastledger.committer.puller import BlockPuller
from fastledger.common import log
from fastledger.common.config import Config
from fastledger.common.errors import ConfigInvalid, InputError
from fastledger.deliver import DeliverHandler
from fastledger.deliver.handler import TIME_WINDOW_S
from fastledger.discovery.endorsement import EndorsementAnalyzer
from fastledger.endorser.acl import AclProvider
from fastledger.endorser.definitions import Definitions
from fastledger.endorser.distributor import Distributor
from fastledger.endorser.endorser import Endorser, EndorserService
from fastledger.endorser.filters import Filter, filters
from fastledger.endorser.indexfiles import IndexFiles
from fastledger.endorser.installer import Installer
from fastledger.endorser.lifecycle.scc import LifecycleScc
from fastledger.endorser.packages import PackageStore
from fastledger.endorser.services import PeerServices
from fastledger.endorser.syscc.cscc import Cscc
from fastledger.endorser.syscc.lscc import Lscc
from fastledger.endorser.syscc.qscc import Qscc
from fastledger.gateway.service import Gateway
from fastledger.msp import SigningIdentity, check_msp_settings, load_msp
from fastledger.node import process
from fastledger.node.operations import Operations
from fastledger.node.peer.chaincode import build_installed, chaincode_support, is_dev_mode
from fastledger.node.peer.channel import PeerChannel
from fastledger.node.peer.channels import PeerChannels
from fastledger.node.peer.discovery import DiscoverySupport, discovery_service
from fastledger.node.peer.gateway import GatewayFace, Network
from fastledger.node.peer.gossip import PeerGossip
from fastledger.node.peer.orderer_connector import OrdererConnector
from fastledger.node.peer.private import PrivateDataForm
from fastledger.node.peer.services import AdminService, PeerDeliver
from fastledger.node.peer.snapshots import Snapshots
from fastledger.protos.discovery.protocol_pb2_grpc import add_DiscoveryServicer_to_server
from fastledger.protos.gateway.gateway_pb2_grpc import add_GatewayServicer_to_server
from fastledger.protos.peer.admin_pb2_grpc import add_AdminServicer_to_server
from fastledger.protos.peer.peer_pb2_grpc import add_EndorserServicer_to_server
from fastledger.protos.peer.snapshot_pb2_grpc import add_SnapshotServicer_to_server

DEFAULT_FILE_SYSTEM_PATH = "/var/hyperledger/production"
DEFAULT_CHAINCODE_PORT = 7052
STOP_GRACE_S = 1.0
"""Calls and streams get so long to end when the node stops."""

_logger = log.get("nodeCmd")


class PeerNode:
    """One peer process."""

    def __init__(self, config: Config) -> None:
        """Read keys, certificates and settings; no port is open yet.

        Raises:
            ConfigInvalid: A setting is wrong.
            FastledgerError: The identity cannot be used.
        """
        self._config = config
        self._tls = _server_tls(config)
        folder = config.path("peer.fileSystemPath") or Path(DEFAULT_FILE_SYSTEM_PATH)
        msp_folder = config.path("peer.mspConfigPath") or config.folder / "msp"
        mspid = config.string("peer.localMspId", "SampleOrg")
        check_msp_settings(config, "peer")
        self.signer = SigningIdentity.load(msp_folder, mspid)
        self._msp = load_msp(msp_folder, mspid)
        packages = self._packages = PackageStore(folder)
        definitions = Definitions(packages, mspid, dev_mode=is_dev_mode(config))
        self.channels = PeerChannels(
            folder,
            self.signer,
            self._orderers,
            IndexFiles(packages, definitions),
        )
        definitions.installed.subscribe(self.channels.look_for_indexes)
        self._definitions = definitions
        self._acl = AclProvider(self._msp, self._bundle)
        self._services = PeerServices(
            self.channels,
            self._acl,
            definitions,
            keeps_history=config.boolean("ledger.history.enableHistoryDatabase", True),
        )
        self._add_system_chaincodes(packages, definitions, mspid)
        self._support = chaincode_support(config, self._services, packages, folder, mspid)
        self._gossip = PeerGossip(
            config, self._tls, self.signer, self._msp, self.channels, definitions, packages
        )
        self.endorser = Endorser(
            self.channels,
            self._acl,
            self._msp.identity,
            definitions,
            self._services,
            self._support,
            Distributor(self._gossip.eligible),
            self.signer,
            _filters(config),
        )
        self._snapshots = Snapshots(self.channels, self._acl, folder)
        self._server = GrpcServer(
            config.string("peer.listenAddress", "0.0.0.0:7051"),
            self._tls,
            limits=_limits(config),
        )
        self._face: GatewayFace | None = None
        self._building: asyncio.Task[None] | None = None
        self._add_services()
        self._listener = self._chaincode_listener()
        self._operations = Operations.from_config(config)

    def _add_system_chaincodes(
        self, packages: PackageStore, definitions: Definitions, mspid: str
    ) -> None:
        services, channels, acl = self._services, self.channels, self._acl
        services.add("cscc", Cscc(channels, acl))
        services.add("qscc", Qscc(channels, acl))
        installer = Installer(packages, definitions, self._build)
        services.add("lscc", Lscc(channels, acl, packages, definitions, installer))
        lifecycle = LifecycleScc(channels, acl, packages, definitions, mspid, installer)
        services.add("_lifecycle", lifecycle)

    async def _build(self, ccid: str, package: ChaincodePackage | None = None) -> None:
        await self._support.build(ccid, package)

    def _add_services(self) -> None:
        window_s = self._config.duration("peer.authentication.timewindow", TIME_WINDOW_S)
        deliver = DeliverHandler(
            self.channels.channel,
            time_window_s=window_s,
            mutual_tls=self._tls is not None and self._tls.require_client_cert,
            limit=_service_limit(self._config, "/protos.Deliver"),
        )
        endorser = EndorserService(self.endorser, _service_limit(self._config, "/protos.Endorser"))
        admin = AdminService(self._msp)
        self._server.add(lambda server: add_EndorserServicer_to_server(endorser, server))
        self._server.add(lambda server: add_AdminServicer_to_server(admin, server))
        self._server.add(lambda server: add_SnapshotServicer_to_server(self._snapshots, server))
        form = PrivateDataForm(self.channels.channel)
        self._server.add(PeerDeliver(deliver, self._acl, form).register)
        self._server.add(self._gossip.node.register)
        support = self._discovery_support()
        if self._config.boolean("peer.discovery.enabled", True):
            discovery = discovery_service(self._config, support, tls=self._tls is not None)
            self._server.add(lambda server: add_DiscoveryServicer_to_server(discovery, server))
        if self._config.boolean("peer.gateway.enabled", True):
            self._face = self._gateway_face(support)
            gateway = self._gateway(self._face)
            self._server.add(lambda server: add_GatewayServicer_to_server(gateway, server))

    def _discovery_support(self) -> DiscoverySupport:
        allowed = self._config.boolean("peer.discovery.orgMembersAllowedAccess")
        return DiscoverySupport(
            self.channels, self._gossip.node.gossip, self._msp, members_allowed=allowed
        )

    def _gateway_face(self, support: DiscoverySupport) -> GatewayFace:
        config = self._config
        network = Network(
            self._gossip.node.gossip,
            EndorsementAnalyzer(support),
            self._gossip.dialler,
            self.signer.mspid,
            config.string("peer.address"),
            self._definitions.runs,
        )
        return GatewayFace(
            self.channels,
            self.endorser,
            self._acl,
            network,
            lambda channel: OrdererConnector(config, channel),
            self._overrides,
        )

    def _gateway(self, face: GatewayFace) -> Gateway:
        config = self._config
        return Gateway(
            face,
            endorsement_timeout_s=config.duration("peer.gateway.endorsementTimeout", 30),
            broadcast_timeout_s=config.duration("peer.gateway.broadcastTimeout", 30),
            limit=_service_limit(config, "/gateway.Gateway"),
        )

    @property
    def port(self) -> int:
        """Where the peer is served, once started."""
        return self._server.port

    async def start(self) -> None:
        """Open the channels, then serve.

        Raises:
            FastledgerError: A channel, or an address, cannot be used.
        """
        await self.channels.open()
        await self._snapshots.start()
        if self._operations:
            self._operations.add_checker("ledger", self._check)
            await self._operations.start()
        if self._listener:
            await self._listener.start(self._chaincode_address())
        await self._server.start()
        self._gossip.start()
        self._building = asyncio.create_task(build_installed(self._support, self._packages))
        _logger.info(
            "Started peer with ID=[%s], network ID=[%s], address=[%s]",
            self._config.string("peer.id"),
            self._config.string("peer.networkId"),
            self._server.address,
        )

    async def stop(self) -> None:
        """Take no more calls, stop chaincodes, commit what was taken, close everything."""
        await self._gossip.stop()
        await self._server.stop(STOP_GRACE_S)
        if self._listener:
            await self._listener.stop()
        if self._building:
            self._building.cancel()
            await asyncio.wait({self._building})
        await self._support.stop()
        if self._face:
            await self._face.close()
        if self._operations:
            await self._operations.stop()
        await self.channels.close()

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        await process.run(self)

    def _bundle(self, channel_id: str) -> Bundle | None:
        channel = self.channels.channel(channel_id)
        return None if channel is None else channel.bundle

    async def _check(self) -> None:
        if lost := self.channels.lost():
            raise RuntimeError("; ".join(lost))
        for channel_id in self.channels.channel_ids():
            channel = self.channels.channel(channel_id)
            if channel is not None:
                await channel.check()

    def _orderers(self, channel: PeerChannel) -> DeliverClient:
        """Make what brings a channel's blocks."""
        puller = BlockPuller(
            channel.id,
            lambda: self._overrides(channel.bundle.orderer_addresses),
            self.signer,
            OrdererConnector(self._config, channel),
        )
        return DeliverClient(channel.id, puller, channel.intake)

    def _overrides(self, addresses: Sequence[str]) -> Sequence[str]:
        overrides = {
            str(entry.get("from", "")): str(entry.get("to", ""))
            for entry in self._config.entries("peer.deliveryclient.addressOverrides")
        }
        return [overrides.get(address) or address for address in addresses]

    def _chaincode_listener(self) -> Listener | None:
        """Where chaincodes dial: only when an address is given, or users start them by hand."""
        given = self._config.string("peer.chaincodeListenAddress")
        if not given and not is_dev_mode(self._config):
            return None
        return Listener(self._support.serve)

    def _chaincode_address(self) -> str:
        given = self._config.string("peer.chaincodeListenAddress")
        if given:
            return given
        host = self._config.string("peer.listenAddress", "0.0.0.0:7051").rpartition(":")[0]
        return f"{host}:{DEFAULT_CHAINCODE_PORT}"


def _filters(config: Config) -> tuple[Filter, ...]:
    window_s = config.duration("peer.authentication.timewindow", TIME_WINDOW_S)
    try:
        return filters(config.entries("peer.handlers.authFilters"), window_s)
    except InputError as error:
        raise ConfigInvalid(f"{config.file}: {error}") from error


_LIMITED = {
    "/protos.Endorser": "endorserService",
    "/protos.Deliver": "deliverService",
    "/gateway.Gateway": "gatewayService",
}
"""Services whose calls at a time core.yaml bounds, and by which key."""


def _limits(config: Config) -> ServerLimits:
    defaults = ServerLimits()
    return ServerLimits(
        max_message_bytes=config.integer("peer.maxRecvMsgSize", defaults.max_message_bytes),
        keepalive_s=config.duration("peer.keepalive.interval", defaults.keepalive_s),
        keepalive_timeout_s=config.duration("peer.keepalive.timeout", defaults.keepalive_timeout_s),
        concurrency={
            # The services themselves refuse whoever has used up what core.yaml says.
            service: 2 * _concurrency(config, service)
            for service in _LIMITED
        },
    )


def _concurrency(config: Config, service: str) -> int:
    return config.integer(f"peer.limits.concurrency.{_LIMITED[service]}", 0)


def _service_limit(config: Config, service: str) -> ServiceLimit:
    return ServiceLimit(service, _concurrency(config, service))


def _server_tls(config: Config) -> TlsConfig | None:
    if not config.boolean("peer.tls.enabled"):
        return None
    cert, key = config.path("peer.tls.cert.file"), config.path("peer.tls.key.file")
    if cert is None or key is None:
        raise ConfigInvalid(
            f"{config.file}: peer.tls is enabled, but has no cert.file or no key.file"
        )
    require = config.boolean("peer.tls.clientAuthRequired")
    roots = config.paths("peer.tls.clientRootCAs.files") if require else []
    return TlsConfig.load(cert, key, roots, require=require)
