# SPDX-License-Identifier: Apache-2.0
"""Chooses how a chaincode is brought to life, by its package (Fabric: ``container.Router``)."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from fastledger.chaincode.launcher.builder import ExternalBuilders
from fastledger.chaincode.launcher.external import ExternalLauncher
from fastledger.chaincode.launcher.instance import Instance, Serve
from fastledger.chaincode.package import ChaincodePackage

PackageProvider = Callable[[str], Awaitable[ChaincodePackage]]
"""Finds an installed package by chaincode id; raises ChaincodeError when it is not installed."""

SERVICE_TYPES = frozenset({"ccaas", "external"})
"""Package types whose code says where the chaincode listens."""


class PackageLauncher(Protocol):
    """Starts chaincode from its package: processes, or Docker containers."""

    async def start(self, ccid: str, package: ChaincodePackage, serve: Serve) -> Instance:
        """Build if need be, and start."""


class Router:
    """External builders first, then services, then what the peer runs itself."""

    def __init__(
        self,
        packages: PackageProvider,
        runtime: PackageLauncher,
        external: ExternalLauncher,
        builders: ExternalBuilders | None = None,
    ) -> None:
        """Know all ways.

        Args:
            packages: Where installed packages are.
            runtime: Runs what no builder takes: a ProcessLauncher or DockerLauncher.
            external: Dials chaincode services.
            builders: core.yaml's ``chaincode.externalBuilders``.
        """
        self._packages = packages
        self._runtime = runtime
        self._external = external
        self._builders = builders

    async def start(self, ccid: str, serve: Serve) -> Instance:
        """Start or dial a chaincode.

        Raises:
            ChaincodeError: It cannot be; the text says why.
        """
        package = await self._packages(ccid)
        if self._builders is not None:
            instance = await self._builders.start(ccid, package, serve)
            if instance is not None:
                return instance
        if package.type in SERVICE_TYPES:
            return await self._external.start(ccid, package, serve)
        return await self._runtime.start(ccid, package, serve)
