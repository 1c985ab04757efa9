# SPDX-License-Identifier: Apache-2.0
"""Chaincode in JavaScript or TypeScript on fabric-shim."""

import json
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
        _check(source)
        npm = find_tool("npm", _WHY)
        locked = any((source / name).is_file() for name in _LOCKS)
        await run_tool(
            [
                *(npm, "ci" if locked else "install", "--omit=dev", "--ignore-scripts"),
                *("--no-audit", "--no-fund", "--loglevel=error"),
            ],
            source,
        )

    def program(self, package: ChaincodePackage, folder: Path, memory_bytes: int) -> Program:
        """``npm start``, as Fabric's node image does."""
        del package
        npm = Path(find_tool("npm", _WHY))
        node = Path(find_tool("node", _WHY))
        source = folder / "src"
        return Program(
            argv=(str(npm), "start", "--prefix", str(source), "--", "--peer.address", "{address}"),
            # A home that can be written: npm keeps its logs and cache there.
            env={"HOME": "/tmp", "npm_config_update_notifier": "false", **_heap(memory_bytes)},  # noqa: S108
            readonly=(_install_root(npm), _install_root(node)),
        )


def _heap(memory_bytes: int) -> dict[str, str]:
    """V8 sizes its heap by the machine's memory; three quarters of the process's leave room."""
    megabytes = memory_bytes * 3 // 4 // 1024**2
    return {"NODE_OPTIONS": f"--max-old-space-size={megabytes}"} if memory_bytes else {}


def _check(source: Path) -> None:
    """See that what ``npm start`` runs is there: nothing compiles TypeScript here, nor in Fabric.

    Raises:
        ChaincodeError: ``package.json`` cannot be read, or names a main file that is not there.
    """
    try:
        described = json.loads((source / "package.json").read_bytes())
        scripts = described.get("scripts") or {}
        main, start = described.get("main"), scripts.get("start")
    except (ValueError, RecursionError, AttributeError) as error:
        raise ChaincodeError(f"src/package.json cannot be read: {error}") from error
    if not isinstance(start, str):
        if not (source / "server.js").is_file():
            raise ChaincodeError(
                "src/package.json has no start script, and npm start is how the chaincode is "
                'started: say "scripts": {"start": "fabric-chaincode-node start"}'
            )
    elif _SHIM in start and not _resolves(source, main if isinstance(main, str) else "index.js"):
        raise ChaincodeError(
            f"src/package.json names {main or 'index.js'!r} as main, which the package does not "
            "have; if it is compiled from TypeScript, run npm run build before packaging"
        )


_SHIM = "fabric-chaincode-node"
"""Loads the package's main file by Node's rules."""


def _resolves(source: Path, main: str) -> bool:
    """Whether Node finds a main file: as it is named, with an ending, or as a folder's index."""
    names = [main, *(main + end for end in _ENDINGS), *(f"{main}/index{end}" for end in _ENDINGS)]
    names += [f"index{end}" for end in _ENDINGS]
    return any((source / name).is_file() for name in names)


_ENDINGS = (".js", ".json", ".node")
_LOCKS = ("package-lock.json", "npm-shrinkwrap.json")


def _install_root(tool: Path) -> Path:
    """Where a tool was installed, links followed: /usr for /usr/bin/node."""
    real = tool.resolve()
    for parent in real.parents:
        if parent.name in ("bin", "lib"):
            return parent.parent
    return real.parent
