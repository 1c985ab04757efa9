# SPDX-License-Identifier: Apache-2.0
"""Chaincode in Python on :mod:`fastledger.shim`.

The entry is ``module:Class``, told by ``src/pyproject.toml``::

    [tool.fastledger]
    chaincode = "asset_transfer:AssetTransfer"

Without it the module is ``src/chaincode.py``, or the only one there is, and the class the only
chaincode in it. What ``src/requirements.txt`` asks for is installed from wheels.
"""

import asyncio
import compileall
import sys
import tomllib
import traceback
from pathlib import Path

import fastledger
from fastledger.chaincode.package import ChaincodePackage
from fastledger.chaincode.platforms.platform import Program, run_tool
from fastledger.common.errors import ChaincodeError

_DEPENDENCIES = "site-packages"


class Python:
    """Runs on the peer's own interpreter."""

    def detect(self, names: set[str]) -> bool:
        """A Python file at the top of the sources."""
        return any(name.endswith(".py") and name.count("/") == 1 for name in names)

    async def build(self, package: ChaincodePackage, folder: Path) -> None:
        """Install what is required, and compile ahead: the sandbox is read-only."""
        source = folder / "src"
        _check(source, entry(source, package.label))
        requirements = source / "requirements.txt"
        if requirements.is_file() and _asks_for_something(requirements):
            await run_tool(
                [
                    *(sys.executable, "-m", "pip", "install", "--quiet", "--only-binary", ":all:"),
                    *("--target", str(folder / _DEPENDENCIES), "-r", str(requirements)),
                ],
                source,
            )
        await asyncio.to_thread(compileall.compile_dir, source, quiet=2)

    def program(self, package: ChaincodePackage, folder: Path, memory_bytes: int) -> Program:
        """``python -m fastledger.shim start`` on the entry."""
        del memory_bytes  # Python asks the system for what it needs, and raises MemoryError.
        source = folder / "src"
        ours = Path(fastledger.__file__).parent
        return Program(
            argv=(sys.executable, "-m", "fastledger.shim", "start", entry(source, package.label)),
            env={
                "PYTHONPATH": f"{source}:{folder / _DEPENDENCIES}",
                "PYTHONDONTWRITEBYTECODE": "1",
                "PYTHONUNBUFFERED": "1",
                # Else the core's allocator reserves a gigabyte at once, which the limit counts.
                "MIMALLOC_ARENA_EAGER_COMMIT": "0",
            },
            readonly=(ours, Path(sys.prefix), Path(sys.base_prefix)),
            unix_socket=True,
        )


def entry(source: Path, label: str) -> str:
    """Return what of a folder's sources is the chaincode, ``module:Class`` or a module.

    Raises:
        ChaincodeError: It cannot be told.
    """
    project = source / "pyproject.toml"
    if project.is_file():
        try:
            tool = tomllib.loads(project.read_text("utf-8")).get("tool", {})
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ChaincodeError(f"pyproject.toml of {label!r}: {error}") from error
        told = tool.get("fastledger", {}).get("chaincode")
        if isinstance(told, str):
            return told
    if (source / "chaincode.py").is_file():
        return "chaincode"
    modules = sorted(path.stem for path in source.glob("*.py") if path.stem != "__init__")
    if len(modules) != 1:
        raise ChaincodeError(
            f"cannot tell which module of {label!r} is the chaincode: found "
            f"{', '.join(modules) or 'none'}. Name it chaincode.py, or say "
            '[tool.fastledger] chaincode = "module:Class" in a pyproject.toml beside it'
        )
    return modules[0]


def _check(source: Path, told: str) -> None:
    """Compile the entry's module, which runs none of it.

    Raises:
        ChaincodeError: It has an error of syntax.
    """
    module = told.partition(":")[0].replace(".", "/")
    for name in (f"{module}.py", f"{module}/__init__.py"):
        file = source / name
        if file.is_file():
            try:
                compile(file.read_bytes(), f"src/{name}", "exec", dont_inherit=True)
            except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
                lines = traceback.format_exception_only(error)
                raise ChaincodeError("".join(lines).strip()) from error


def _asks_for_something(requirements: Path) -> bool:
    lines = requirements.read_text("utf-8", "replace").splitlines()
    names = (line.split("#")[0].strip() for line in lines)
    return any(name and not name.startswith("fastledger") for name in names)
