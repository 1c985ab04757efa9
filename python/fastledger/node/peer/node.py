# SPDX-License-Identifier: Apache-2.0
"""The peer daemon: ``core.yaml`` to listening servers (Fabric: ``internal/peer/node/start.go``).

::

    peer.listenAddress            gRPC: Endorser, Deliver, Gateway, Discovery, Gossip and more
    peer.chaincodeListenAddress   gRPC: ChaincodeSupport, where chaincodes dial the peer
    operations.listenAddress      HTTP: health, version, log levels, metrics
"""

import asyncio
from pathlib import Path

from fastledger.chaincode.listener import Listener
from fastledger.chaincode.package import ChaincodePackage
from fastledger.channelconfig import Bundle
from fastledger.comm import GrpcServer
from fastledger.committer.deliverclient import DeliverClient
from fastledger.committer.puller import BlockPuller
from fastledger.common import log
from fastledger.common.config import Config
from fastledger.common.errors import ConfigInvalid, InputError
from fastledger.deliver import DeliverHandler
from fastledger.discovery.endorsement import EndorsementAnalyzer
from fastledger.discovery.service import DiscoveryService
from fastledger.endorser.acl import AclProvider
from fastledger.endorser.definitions import Definitions
from fastledger.endorser.distributor import Distributor
from fastledger.endorser.endorser import Endorser, EndorserService
from fastledger.endorser.filters import Filters, filters
from fastledger.endorser.indexfiles import IndexFiles
from fastledger.endorser.installer import Installer
from fastledger.endorser.lifecycle.scc import LifecycleScc
from fastledger.endorser.packages import PackageStore
from fastledger.endorser.services import PeerServices, SystemChaincode
from fastledger.endorser.syscc.cscc import Cscc
from fastledger.endorser.syscc.lscc import Lscc
from fastledger.endorser.syscc.qscc import Qscc
from fastledger.gateway.service import Gateway
from fastledger.msp import SigningIdentity, check_msp_settings, load_msp
from fastledger.node.operations import Operations
from fastledger.node.peer.chaincode import build_installed, chaincode_support
from fastledger.node.peer.channel import PeerChannel
from fastledger.node.peer.channels import PeerChannels
from fastledger.node.peer.config import DELIVER, ENDORSER, GATEWAY, PeerConfig, read
from fastledger.node.peer.discovery import DiscoverySupport
from fastledger.node.peer.gateway import GatewayFace, Network
from fastledger.node.peer.gossip import PeerGossip
from fastledger.node.peer.orderer_connector import OrdererConnector
from fastledger.node.peer.private import PrivateDataForm
from fastledger.node.peer.services import AdminService, PeerDeliver
from fastledger.node.peer.snapshots import Snapshots
from fastledger.protos.discovery.protocol_pb2_grpc import add_DiscoveryServicer_to_server
from fastledger.protos.gateway.gateway_pb2_grpc import add_GatewayServicer_to_server
from fastledger.protos.peer.admin_pb2_grpc import add_AdminServicer_to_server
from fastledger.protos.peer.snapshot_pb2_grpc import add_SnapshotServicer_to_server

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
        check_msp_settings(config, "peer")
        settings = self._config = read(config)
        self._tls = settings.tls.load()
        self.signer = SigningIdentity.load(settings.msp_folder, settings.mspid)
        self._msp = load_msp(settings.msp_folder, settings.mspid)
        packages = self._packages = PackageStore(settings.storage.folder)
        definitions = Definitions(packages, settings.mspid, dev_mode=settings.chaincode.is_dev)
        self.channels = PeerChannels(
            settings.storage.folder,
            self.signer,
            self._orderers,
            IndexFiles(packages, definitions),
            # As in Fabric, a number that is not positive says nothing.
            workers=max(settings.validator_pool_size, 0),
        )
        definitions.installed.subscribe(self.channels.look_for_indexes)
        self._definitions = definitions
        self._acl = AclProvider(self._msp, self._bundle)
        self._services = PeerServices(
            self.channels, self._acl, definitions, keeps_history=settings.keeps_history
        )
        self._add_system_chaincodes(packages, definitions)
        self._support = chaincode_support(settings, self._services, packages)
        self._gossip = PeerGossip(
            settings, self._tls, self.signer, self._msp, self.channels, definitions, packages
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
            _filters(config.file, settings),
        )
        self._snapshots = Snapshots(self.channels, self._acl, settings.storage.snapshots)
        self._server = GrpcServer(settings.listen_address, self._tls, limits=settings.server_limits)
        self._face: GatewayFace | None = None
        self._building: asyncio.Task[None] | None = None
        self._add_services()
        self._listener = self._chaincode_listener()
        self._operations = Operations.of(settings.operations)

    def _add_system_chaincodes(self, packages: PackageStore, definitions: Definitions) -> None:
        channels, acl, mspid = self.channels, self._acl, self._config.mspid
        installer = Installer(packages, definitions, self._build)
        lifecycle = LifecycleScc(channels, acl, packages, definitions, mspid, installer)
        every: dict[str, SystemChaincode] = {
            "cscc": Cscc(channels, acl),
            "qscc": Qscc(channels, acl),
            "lscc": Lscc(channels, acl, packages, definitions, installer),
            "_lifecycle": lifecycle,
        }
        for name, chaincode in every.items():
            if self._config.chaincode.system.has(name):
                self._services.add(name, chaincode)
            else:
                _logger.info("not deploying chaincode %s as it is not enabled", name)

    async def _build(self, ccid: str, package: ChaincodePackage | None = None) -> None:
        await self._support.build(ccid, package)

    def _add_services(self) -> None:
        config = self._config
        deliver = DeliverHandler(
            self.channels.channel,
            time_window_s=config.time_window_s,
            mutual_tls=self._tls is not None and self._tls.require_client_cert,
            limit=config.service_limit(DELIVER),
        )
        endorser = EndorserService(self.endorser, config.service_limit(ENDORSER))
        admin = AdminService(self._msp)
        self._server.add(endorser.register)
        self._server.add(lambda server: add_AdminServicer_to_server(admin, server))
        self._server.add(lambda server: add_SnapshotServicer_to_server(self._snapshots, server))
        form = PrivateDataForm(self.channels.channel)
        self._server.add(PeerDeliver(deliver, self._acl, form).register)
        self._server.add(self._gossip.node.register)
        support = DiscoverySupport(
            self.channels,
            self._gossip.node.gossip,
            self._msp,
            members_allowed=config.discovery.members_allowed,
        )
        if config.discovery.enabled:
            tls, auth = self._tls is not None, config.discovery.auth
            discovery = DiscoveryService(support, tls=tls, settings=auth)
            self._server.add(lambda server: add_DiscoveryServicer_to_server(discovery, server))
        if config.gateway.enabled:
            self._face = self._gateway_face(support)
            gateway = self._gateway(self._face)
            self._server.add(lambda server: add_GatewayServicer_to_server(gateway, server))

    def _gateway_face(self, support: DiscoverySupport) -> GatewayFace:
        config = self._config
        network = Network(
            self._gossip.node.gossip,
            EndorsementAnalyzer(support),
            self._gossip.dialler,
            self.signer.mspid,
            config.address,
            self._definitions.runs,
        )
        return GatewayFace(
            self.channels,
            self.endorser,
            self._acl,
            network,
            lambda channel: OrdererConnector(config, channel),
            config.deliveryclient.overridden,
        )

    def _gateway(self, face: GatewayFace) -> Gateway:
        settings = self._config.gateway
        return Gateway(
            face,
            endorsement_timeout_s=settings.endorsement_timeout_s,
            broadcast_timeout_s=settings.broadcast_timeout_s,
            limit=self._config.service_limit(GATEWAY),
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
            await self._listener.start(self._config.chaincode_listen_address)
        await self._server.start()
        self._gossip.start()
        self._building = asyncio.create_task(build_installed(self._support, self._packages))
        _logger.info(
            "Started peer with ID=[%s], network ID=[%s], address=[%s]",
            self._config.id,
            self._config.network_id,
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
        overridden = self._config.deliveryclient.overridden
        puller = BlockPuller(
            channel.id,
            lambda: overridden(channel.bundle.orderer_addresses),
            self.signer,
            OrdererConnector(self._config, channel),
        )
        return DeliverClient(channel.id, puller, channel.intake)

    def _chaincode_listener(self) -> Listener | None:
        """Where chaincodes dial: only when an address is given, or users start them by hand."""
        config = self._config
        if not config.given_chaincode_listen_address and not config.chaincode.is_dev:
            return None
        return Listener(self._support.serve)


def _filters(file: Path, config: PeerConfig) -> Filters:
    try:
        return filters(config.auth_filters, config.time_window_s)
    except InputError as error:
        raise ConfigInvalid(f"{file}: {error}") from error
