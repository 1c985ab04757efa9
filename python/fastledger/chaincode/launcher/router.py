# SPDX-License-Identifier: Apache-2.0
"""Chooses how a chaincode is brought to life, by its package (Fabric: ``container.Router``)."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from fastledger.chaincode.launcher.builder import ExternalBuilders
from fastledger.chaincode.launcher.external import ExternalLauncher
from fastledger.chaincode.launcher.instance import Start
from fastledger.chaincode.package import ChaincodePackage
from fastledger.common.errors import ChaincodeError, FastledgerError

PackageProvider = Callable[[str], Awaitable[ChaincodePackage]]
"""Finds an installed package by chaincode id; raises ChaincodeError when it is not installed."""

SERVICE_TYPES = frozenset({"ccaas", "external"})
"""Package types whose code says where the chaincode listens."""


class PackageLauncher(Protocol):
    """Runs chaincode from its package: processes, or Docker containers."""

    async def build(self, ccid: str, package: ChaincodePackage) -> Start:
        """Build if need be, and say how to start it; raises ChaincodeError."""


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

    async def build(self, ccid: str, package: ChaincodePackage | None = None) -> Start:
        """Build a chaincode if need be, and return what starts it.

        Args:
            ccid: The chaincode.
            package: Its package; the installed one when None.

        Raises:
            ChaincodeError: It cannot be; the text says why.
        """
        if package is None:
            package = await self._packages(ccid)
        try:
            return await self._build(ccid, package)
        except ChaincodeError:
            raise
        except FastledgerError as error:
            raise ChaincodeError(str(error)) from error

    async def _build(self, ccid: str, package: ChaincodePackage) -> Start:
        if self._builders is not None:
            try:
                start = await self._builders.build(ccid, package)
            except FastledgerError as error:
                raise ChaincodeError(f"external builder failed: {error}") from error
            if start is not None:
                return start
        if package.type in SERVICE_TYPES:
            return await self._external.build(ccid, package)
        return await self._runtime.build(ccid, package)
