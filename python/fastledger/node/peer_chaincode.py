# SPDX-License-Identifier: Apache-2.0
"""How a peer runs chaincodes, by core.yaml's ``chaincode`` section."""

from pathlib import Path

from fastledger.chaincode.config import ChaincodeConfig
from fastledger.chaincode.launcher.dev import DevLauncher
from fastledger.chaincode.launcher.external import ExternalLauncher
from fastledger.chaincode.launcher.process import ProcessConfig, ProcessLauncher
from fastledger.chaincode.launcher.router import Router
from fastledger.chaincode.support import ChaincodeSupport
from fastledger.common.config import Config
from fastledger.common.errors import ConfigInvalid
from fastledger.endorser.packages import PackageStore
from fastledger.endorser.services import PeerServices


def is_dev_mode(config: Config) -> bool:
    """Whether users start chaincodes by hand (``chaincode.mode: dev``)."""
    return config.string("chaincode.mode", "net") == "dev"


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
    processes = ProcessLauncher(
        ProcessConfig(folder=folder / "chaincodeBuilds", mspid=mspid)
    )
    router = Router(packages.package, processes, ExternalLauncher())
    return ChaincodeSupport(services, router, settings)


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
