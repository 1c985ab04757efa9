# SPDX-License-Identifier: Apache-2.0
"""Installs chaincode: what is installed has been read whole, and built.

A package is written once it is built, so one that cannot be built is never there; 1.x's are written
first and stay, as Fabric's do. What has been begun is brought to its end though the caller has
gone: his next try finds it done.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol

from fastledger.chaincode import package as formats
from fastledger.chaincode.package import ChaincodePackage
from fastledger.common import log
from fastledger.common.errors import FastledgerError, InputError, InstallFailed
from fastledger.endorser.definitions import Definitions
from fastledger.endorser.packages import LegacyPackage, PackageStore

_logger = log.get("lifecycle")


class Build(Protocol):
    """Builds a chaincode, so that its first transaction need not wait."""

    async def __call__(self, ccid: str, package: ChaincodePackage | None = None) -> object:
        """Build from a package, the installed one when None; raises when it cannot be."""


class Installer:
    """Installs packages of both lifecycles on one peer."""

    def __init__(self, packages: PackageStore, definitions: Definitions, build: Build) -> None:
        """Install into a store, and tell who looks chaincodes up."""
        self._packages = packages
        self._definitions = definitions
        self._build = build
        self._running: dict[str, asyncio.Task[Any]] = {}

    async def install(self, encoded: bytes) -> tuple[str, str]:
        """Install a lifecycle package (Fabric: ``ExternalFunctions.InstallChaincode``).

        Returns:
            Its id and its label.

        Raises:
            FastledgerError: It is no sound package, is installed already, cannot be built or kept;
                nothing is installed then that was not before.
        """
        try:
            package = await asyncio.to_thread(formats.parse_install, encoded)
        except InputError as error:
            raise InstallFailed(
                f"could not parse as a chaincode install package: {error}"
            ) from error
        self._packages.check_name(package.label)
        package_id = formats.package_id(package.label, encoded)
        await self._to_its_end(package_id, self._install(package_id, package, encoded))
        return package_id, package.label

    async def _install(self, package_id: str, package: ChaincodePackage, encoded: bytes) -> None:
        there = await asyncio.to_thread(self._packages.is_installed, package_id)
        try:
            await self._build(package_id, package)
        except FastledgerError as error:
            raise InstallFailed(f"could not build chaincode: {error}") from error
        if there:
            raise InstallFailed(
                f"chaincode already successfully installed (package ID '{package_id}')"
            )
        await asyncio.to_thread(self._packages.install, package.label, encoded)
        _logger.info("Successfully installed chaincode with package ID '%s'", package_id)
        self._definitions.forget()

    async def install_legacy(self, package: LegacyPackage) -> None:
        """Install a 1.x package (Fabric: ``lscc``'s ``executeInstall``).

        Raises:
            FastledgerError: It is installed already or cannot be kept; or it cannot be built, and
                stays installed.
        """
        ccid = f"{package.name}:{package.version}"
        await self._to_its_end(ccid, self._install_legacy(ccid, package))

    async def _install_legacy(self, ccid: str, package: LegacyPackage) -> None:
        await asyncio.to_thread(self._packages.install_legacy, package)
        self._definitions.forget()
        try:
            await self._build(ccid)
        except FastledgerError as error:
            raise InstallFailed(
                f"chaincode installed to peer but could not build chaincode: {error}"
            ) from error

    async def _to_its_end(self, ccid: str, work: Coroutine[Any, Any, None]) -> None:
        """Do the work after what others do with the same chaincode, whoever gives up meanwhile."""
        before = self._running.get(ccid)
        task = asyncio.create_task(_after(before, work))
        self._running[ccid] = task

        def over(done: asyncio.Task[None]) -> None:
            if self._running.get(ccid) is done:
                del self._running[ccid]
            if not done.cancelled():
                # Whoever asked may have gone.
                done.exception()

        task.add_done_callback(over)
        await asyncio.shield(task)


async def _after(before: "asyncio.Task[None] | None", work: Coroutine[Any, Any, None]) -> None:
    if before is not None:
        await asyncio.wait({before})
    await work
