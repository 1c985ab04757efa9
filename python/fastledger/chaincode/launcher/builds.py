# SPDX-License-Identifier: Apache-2.0
"""Where built chaincodes are kept between starts of the peer.

A build is a cache: it can be made again from its package, so it is believed only as far as it is
what was built. ``build-info.json``, written last, has the hash of each of its files; a build that
lacks it, or is not what it says, is made again.
"""

import asyncio
import hashlib
import json
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fastledger.common import log
from fastledger.common.errors import ChaincodeError, told

DEFAULT_TIMEOUT_S = 300.0
"""``chaincode.installTimeout``."""

MAX_AT_ONCE = 2
"""Builds that run side by side; more wait: a compiler takes all cores by itself."""

_UNSAFE = re.compile(r'[<>:"/\\|?*&]')
_INFO = "build-info.json"
_logger = log.get("chaincode.builds")

Files = dict[str, str]
"""What stands for each file, by its path within the build."""


def sanitize(ccid: str) -> str:
    """Turn a chaincode id into a file name, as Fabric does.

    Example:
        >>> sanitize("basic_1.0:0123abcd")
        'basic_1.0-0123abcd'
    """
    return _UNSAFE.sub("-", ccid)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is to be built, and how."""

    builder: str
    """Name of the platform or external builder."""

    code: str
    """Digest of the code: another one is built anew."""

    make: Callable[[Path], Awaitable[None]]
    """Fills the folder it is given; raises ChaincodeError when it cannot."""


class Builds:
    """The builds of one kind, in a folder of their own."""

    def __init__(
        self, root: Path, timeout_s: float = DEFAULT_TIMEOUT_S, *, closed: bool = True
    ) -> None:
        """Keep builds below a folder.

        Args:
            root: The folder; made when it is needed.
            timeout_s: How long one build may take.
            closed: Whether a build with more files than were built is damaged, too. External
                builders may write into theirs when they run.
        """
        self._root = root
        self._timeout_s = timeout_s
        self._closed = closed
        self._turns = asyncio.Semaphore(MAX_AT_ONCE)

    async def sound(self, ccid: str, code: str) -> str | None:
        """Name the builder of the build that is there; None when it has to be made.

        Args:
            ccid: The chaincode.
            code: Digest of the code that it should be built from.
        """
        folder = self._root / sanitize(ccid)
        info = await asyncio.to_thread(_info, folder)
        if info is None or info.get("code") != code:
            return None
        flaw = await asyncio.to_thread(self._flaw, folder, info.get("files"))
        if flaw is not None:
            _logger.warning("the build of %s is damaged (%s): it is made again", ccid, flaw)
            return None
        return str(info.get("builder_name"))

    async def get(self, ccid: str, recipe: Recipe) -> Path:
        """Return the folder where a chaincode is built, building it unless it is.

        A build that fails leaves nothing.

        Raises:
            ChaincodeError: It cannot be built, or took too long.
        """
        folder = self._root / sanitize(ccid)
        if await self.sound(ccid, recipe.code) == recipe.builder:
            return folder
        async with self._turns:
            _logger.info("building chaincode %s (%s)", ccid, recipe.builder)
            started = time.monotonic()
            try:
                await asyncio.to_thread(_empty, folder)
                async with asyncio.timeout(self._timeout_s):
                    await recipe.make(folder)
                await asyncio.to_thread(_finish, folder, recipe)
            except BaseException as error:
                await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
                raise self._failure(ccid, recipe, error) from error
            _logger.info("built chaincode %s in %.1f s", ccid, time.monotonic() - started)
        return folder

    def _failure(self, ccid: str, recipe: Recipe, error: BaseException) -> BaseException:
        if isinstance(error, TimeoutError):
            return ChaincodeError(
                f"building chaincode {ccid} ({recipe.builder}) took longer than "
                f"{self._timeout_s:g} s (chaincode.installTimeout)"
            )
        if isinstance(error, OSError):
            return ChaincodeError(f"cannot build chaincode {ccid}: {told(error)}")
        return error

    def _flaw(self, folder: Path, recorded: object) -> str | None:
        """Say what is not as it was built; None when all is."""
        if not isinstance(recorded, dict):
            return f"{_INFO} lists no files"
        try:
            found = _files(folder)
        except OSError as error:
            return f"it cannot be read: {told(error)}"
        for path in recorded | found if self._closed else recorded:
            if path not in found:
                return f"{path} is missing"
            if path not in recorded:
                return f"{path} is not of it"
            if found[path] != recorded[path]:
                return f"{path} is not what was built"
        return None


def _info(folder: Path) -> Mapping[str, object] | None:
    try:
        info = json.loads((folder / _INFO).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return info if isinstance(info, dict) else None


def _empty(folder: Path) -> None:
    """Make an empty folder, in place of whatever is there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o755)


def _finish(folder: Path, recipe: Recipe) -> None:
    info = {"builder_name": recipe.builder, "code": recipe.code, "files": _files(folder)}
    with tempfile.NamedTemporaryFile("w", dir=folder.parent, delete=False) as file:
        json.dump(info, file)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(folder / _INFO)


def _files(folder: Path) -> Files:
    """Hash every file of a build: its content and whether it can be run, or where a link leads."""
    found = {}
    for path in folder.rglob("*"):
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            told_of = f"link {path.readlink()}"
        elif stat.S_ISREG(mode):
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            told_of = f"{mode & 0o111:o} {digest}"
        else:
            continue
        found[path.relative_to(folder).as_posix()] = told_of
    found.pop(_INFO, None)
    return found
