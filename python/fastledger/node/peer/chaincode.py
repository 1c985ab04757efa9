# SPDX-License-Identifier: Apache-2.0
"""How a peer runs chaincodes, by core.yaml's ``chaincode`` section."""

from pathlib import Path

from fastledger.chaincode.config import ChaincodeConfig
from fastledger.chaincode.launcher.builder import Builder, ExternalBuilders, PeerConnection
from fastledger.chaincode.launcher.builds import DEFAULT_TIMEOUT_S
from fastledger.chaincode.launcher.dev import DevLauncher
from fastledger.chaincode.launcher.docker import DockerConfig, DockerLauncher
from fastledger.chaincode.launcher.external import ExternalLauncher
from fastledger.chaincode.launcher.process import ProcessConfig, ProcessLauncher
from fastledger.chaincode.launcher.router import PackageLauncher, Router
from fastledger.chaincode.launcher.sandbox import Kind
from fastledger.chaincode.support import ChaincodeSupport
from fastledger.common import log
from fastledger.common.config import Config
from fastledger.common.errors import ConfigInvalid, FastledgerError
from fastledger.endorser.packages import PackageStore
from fastledger.endorser.services import PeerServices

_logger = log.get("chaincode")


def is_dev_mode(config: Config) -> bool:
    """Whether users start chaincodes by hand (``chaincode.mode: dev``)."""
    mode = config.string("chaincode.mode", "net")
    if mode not in ("net", "dev"):
        raise config.invalid("chaincode.mode", mode, "net or dev")
    return mode == "dev"


def chaincode_support(
    config: Config, services: PeerServices, packages: PackageStore, folder: Path, mspid: str
) -> ChaincodeSupport:
    """Build what runs a peer's chaincodes.

    Raises:
        ConfigInvalid: A setting is out of its range.
    """
    try:
        settings = _settings(config)
    except ValueError as error:
        raise ConfigInvalid(f"{config.file}: {error}") from error
    if is_dev_mode(config):
        address = config.string("peer.chaincodeListenAddress") or "127.0.0.1:7052"
        return ChaincodeSupport(services, DevLauncher(address), settings, dev_mode=True)
    connection = _connection(config, mspid)
    builders = ExternalBuilders(
        folder / "externalBuilds", _builders(config), connection, _install_timeout_s(config)
    )
    runtime = _runtime(config, folder, connection, settings.execute_timeout_s)
    router = Router(packages.package, runtime, ExternalLauncher(), builders)
    return ChaincodeSupport(services, router, settings)


def _runtime(
    config: Config, folder: Path, connection: PeerConnection, execute_timeout_s: float
) -> PackageLauncher:
    """What runs chaincode that no builder takes: sandboxed processes, or Docker."""
    runtime = config.string("chaincode.runtime", "process")
    if runtime == "process":
        return ProcessLauncher(
            ProcessConfig(
                folder=folder / "chaincodeBuilds",
                mspid=connection.mspid,
                sandbox=_sandbox(config),
                build_timeout_s=_install_timeout_s(config),
                execute_timeout_s=execute_timeout_s,
                logging_level=config.string("chaincode.logging.level", "info"),
                logging_shim=config.string("chaincode.logging.shim", "warning"),
            )
        )
    if runtime != "docker":
        raise config.invalid("chaincode.runtime", runtime, "process or docker")
    images = {
        language: config.string(f"chaincode.{key}")
        for language, key in (
            ("golang", "builder"),
            ("node", "node.runtime"),
            ("java", "java.runtime"),
            ("python", "python.runtime"),
        )
    }
    docker = DockerConfig(
        base_images={language: image for language, image in images.items() if image},
        endpoint=config.string("vm.endpoint", "unix:///var/run/docker.sock"),
        network_id=config.string("peer.networkId"),
        peer_id=config.string("peer.id"),
        host_config=_host_config(config),
    )
    return DockerLauncher(docker, connection)


def _install_timeout_s(config: Config) -> float:
    """How long a build may take."""
    timeout_s = config.duration("chaincode.installTimeout", DEFAULT_TIMEOUT_S)
    if timeout_s <= 0:
        raise config.invalid("chaincode.installTimeout", f"{timeout_s:g}s", "more than 0s")
    return timeout_s


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


def _sandbox(config: Config) -> Kind:
    kind = config.string("chaincode.process.sandbox", Kind.AUTO.value)
    try:
        return Kind(kind)
    except ValueError:
        wanted = ", ".join(known.value for known in Kind)
        raise config.invalid("chaincode.process.sandbox", kind, f"one of {wanted}") from None


def _host_config(config: Config) -> dict[str, object]:
    """The settings of ``vm.docker.hostConfig`` that are given."""
    key = "vm.docker.hostConfig"
    given: dict[str, object] = {}
    if network := config.string(f"{key}.NetworkMode"):
        given["NetworkMode"] = network
    if memory := config.integer(f"{key}.Memory"):
        given["Memory"] = memory
    return given


def _connection(config: Config, mspid: str) -> PeerConnection:
    address = config.string("peer.chaincodeAddress") or config.string(
        "peer.chaincodeListenAddress", "127.0.0.1:7052"
    )
    return PeerConnection(address=address, mspid=mspid)


_SERVICES_BUILDER = "ccaas_builder"
"""Is in every core.yaml of Fabric's; what it is for, the peer does by itself."""


def _builders(config: Config) -> list[Builder]:
    """``chaincode.externalBuilders`` that are there; services need none."""
    builders = []
    for entry in config.entries("chaincode.externalBuilders"):
        path = Path(str(entry.get("path", "")))
        builder = Builder(
            str(entry.get("name", path.name)), path, tuple(entry.get("propagateenvironment") or ())
        )
        if builder.program("detect").is_file():
            builders.append(builder)
        elif builder.name != _SERVICES_BUILDER:
            _logger.warning("external builder %s is not at %s: passed over", builder.name, path)
    return builders


def _settings(config: Config) -> ChaincodeConfig:
    defaults = ChaincodeConfig()
    params = "chaincode.runtimeParams"
    return ChaincodeConfig(
        execute_timeout_s=config.duration("chaincode.executetimeout", defaults.execute_timeout_s),
        startup_timeout_s=config.duration("chaincode.startuptimeout", defaults.startup_timeout_s),
        keepalive_s=config.integer("chaincode.keepalive", 0),
        total_query_limit=config.integer(
            "ledger.state.totalQueryLimit", defaults.total_query_limit
        ),
        use_write_batch=config.boolean(f"{params}.useWriteBatch", defaults.use_write_batch),
        max_size_write_batch=config.integer(
            f"{params}.maxSizeWriteBatch", defaults.max_size_write_batch
        ),
        use_get_multiple_keys=config.boolean(
            f"{params}.useGetMultipleKeys", defaults.use_get_multiple_keys
        ),
        max_size_get_multiple_keys=config.integer(
            f"{params}.maxSizeGetMultipleKeys", defaults.max_size_get_multiple_keys
        ),
    )
