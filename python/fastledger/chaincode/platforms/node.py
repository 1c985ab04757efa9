# SPDX-License-Identifier: Apache-2.0
"""Chaincode in JavaScript or TypeScript on fabric-shim."""

from pathlib import Path

from fastledger.chaincode.package import ChaincodePackage
from fastledger.chaincode.platforms.platform import Program, find_tool, run_tool
from fastledger.common.errors import ChaincodeError

_WHY = "chaincode of type node needs it"


class Node:
    """Builds with npm, runs the package's start script."""

    def detect(self, names: set[str]) -> bool:
        """A package.json at the top of the sources."""
        return "src/package.json" in names

    async def build(self, package: ChaincodePackage, folder: Path) -> None:
        """Install the dependencies as they are locked; no script of any package runs."""
        source = folder / "src"
        if not (source / "package.json").is_file():
            raise ChaincodeError(f"{package.label!r} has no src/package.json")
        npm = find_tool("npm", _WHY)
        locked = any((source / name).is_file() for name in _LOCKS)
        await run_tool(
            [
                *(npm, "ci" if locked else "install", "--omit=dev", "--ignore-scripts"),
                *("--no-audit", "--no-fund", "--loglevel=error"),
            ],
            source,
        )

    def program(self, package: ChaincodePackage, folder: Path) -> Program:
        """``npm start``, as Fabric's node image does."""
        del package
        npm = Path(find_tool("npm", _WHY))
        node = Path(find_tool("node", _WHY))
        source = folder / "src"
        return Program(
            argv=(str(npm), "start", "--prefix", str(source), "--", "--peer.address", "{address}"),
            # A home that can be written: npm keeps its logs and cache there.
            env={"HOME": "/tmp", "npm_config_update_notifier": "false"},  # noqa: S108
            readonly=(_install_root(npm), _install_root(node)),
        )


_LOCKS = ("package-lock.json", "npm-shrinkwrap.json")


def _install_root(tool: Path) -> Path:
    """Where a tool was installed, links followed: /usr for /usr/bin/node."""
    real = tool.resolve()
    for parent in real.parents:
        if parent.name in ("bin", "lib"):
            return parent.parent
    return real.parent
