# SPDX-License-Identifier: Apache-2.0
"""How a peer runs chaincodes, by core.yaml's ``chaincode`` section."""

from collections.abc import Iterable
from pathlib import Path

from fastledger.chaincode.launcher.builder import Builder, ExternalBuilders, PeerConnection
from fastledger.chaincode.launcher.dev import DevLauncher
from fastledger.chaincode.launcher.docker import DockerConfig, DockerLauncher
from fastledger.chaincode.launcher.external import ExternalLauncher
from fastledger.chaincode.launcher.process import ProcessConfig, ProcessLauncher
from fastledger.chaincode.launcher.router import PackageLauncher, Router
from fastledger.chaincode.launcher.sandbox import Kind
from fastledger.chaincode.support import ChaincodeSupport
from fastledger.common import log
from fastledger.common.errors import FastledgerError
from fastledger.endorser.packages import PackageStore
from fastledger.endorser.services import PeerServices
from fastledger.node.peer.chaincode_config import DOCKER, BuilderEntry
from fastledger.node.peer.config import PeerConfig

_logger = log.get("chaincode")


def chaincode_support(
    config: PeerConfig, services: PeerServices, packages: PackageStore
) -> ChaincodeSupport:
    """Build what runs a peer's chaincodes."""
    settings = config.chaincode
    if settings.is_dev:
        launcher = DevLauncher(config.chaincode_address)
        return ChaincodeSupport(services, launcher, settings.limits, dev_mode=True)
    connection = PeerConnection(address=config.chaincode_address, mspid=config.mspid)
    builders = ExternalBuilders(
        config.storage.folder / "externalBuilds",
        _builders(settings.builders),
        connection,
        settings.install_timeout_s,
    )
    runtime = _runtime(config, connection)
    router = Router(packages.package, runtime, ExternalLauncher(), builders)
    return ChaincodeSupport(services, router, settings.limits)


def _runtime(config: PeerConfig, connection: PeerConnection) -> PackageLauncher:
    """What runs chaincode that no builder takes: sandboxed processes, or Docker."""
    settings = config.chaincode
    if settings.runtime == DOCKER:
        docker = DockerConfig(
            base_images=settings.docker.images,
            endpoint=settings.docker.endpoint,
            network_id=config.network_id,
            peer_id=config.id,
            host_config=settings.docker.host.given(),
        )
        return DockerLauncher(docker, connection)
    return ProcessLauncher(
        ProcessConfig(
            folder=config.storage.folder / "chaincodeBuilds",
            mspid=connection.mspid,
            sandbox=Kind(settings.sandbox),
            build_timeout_s=settings.install_timeout_s,
            execute_timeout_s=settings.limits.execute_timeout_s,
            logging_level=settings.logging_level,
            logging_shim=settings.logging_shim,
        )
    )


async def build_installed(support: ChaincodeSupport, packages: PackageStore) -> None:
    """Build what is installed and not built, one after the other (Fabric: ``custodian.go``).

    What cannot be built is told in the log; who calls it hears of it again.
    """
    ids = [package_id for package_id, _ in packages.installed()]
    for ccid in [*ids, *packages.installed_legacy()]:
        try:
            await support.build(ccid)
        except FastledgerError as error:
            _logger.warning("could not build chaincode '%s': %s", ccid, error)


_SERVICES_BUILDER = "ccaas_builder"
"""Is in every core.yaml of Fabric's; what it is for, the peer does by itself."""


def _builders(entries: Iterable[BuilderEntry]) -> list[Builder]:
    """``chaincode.externalBuilders`` that are there; services need none."""
    builders = []
    for entry in entries:
        builder = Builder(entry.name, Path(entry.path), entry.environment or entry.old_environment)
        if builder.program("detect").is_file():
            builders.append(builder)
        elif builder.name != _SERVICES_BUILDER:
            _logger.warning("external builder %s is not at %s: passed over", entry.name, entry.path)
    return builders
