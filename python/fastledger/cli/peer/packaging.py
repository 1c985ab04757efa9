# SPDX-License-Identifier: Apache-2.0
"""Sources collected into a package's code (Fabric: ``core/chaincode/platforms``).

Sources lie under ``src/``, what the ledger should know under ``META-INF/``. Go code of GOPATH times
keeps its import path, and what it imports comes along; every other folder is taken as it stands,
but for what is built of it. The same folder makes the same bytes as Fabric's own command.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from fastledger.chaincode.gopackage import tar_gz
from fastledger.cli.peer import gopath
from fastledger.common.errors import InputError

MAX_FILES = 50_000
"""As many as a peer unpacks."""

_METADATA = "META-INF/"
_DERIVED = {
    "golang": set[str](),
    "java": {".git", "target", "build", "out"},
    "node": {".git", "node_modules"},
}
"""Folders that are no sources, by language."""

_DERIVED_ELSEWHERE = {"node_modules", "__pycache__", "target", "build", "out"}
_GO_SUFFIXES = {".go", ".c", ".h", ".s"}
"""What a Go package is compiled from."""

_MODULE = re.compile(r"^module\s+(\S+)", re.MULTILINE)
LANGUAGES = {"golang": 1, "node": 2, "car": 3, "java": 4, "python": 1}
"""``ChaincodeSpec.Type`` of each language.

Fabric 1.x has none for Python and deploys nothing without one; the files tell what it is.
"""


def source_code(language: str, path: str) -> tuple[str, bytes]:
    """Return what a package says of its path, and its gzipped tar.

    Raises:
        InputError: There is no such folder, or nothing in it.
    """
    if not path:
        raise InputError("chaincode path must be specified")
    if language == "golang":
        return _golang(path)
    folder = _folder(path)
    return path, _archive(folder, dict(_placed(_files(folder, language), "src")))


def _golang(path: str) -> tuple[str, bytes]:
    folder = Path(path)
    if (folder / "go.mod").is_file():
        match = _MODULE.search((folder / "go.mod").read_text("utf-8"))
        files = _placed(_files(folder, "golang"), "src")
        return match[1] if match else path, _archive(folder, _with_folders(files))
    for place in gopath.folders():
        folder = place / "src" / path
        if folder.is_dir():
            return path, _archive(folder, _with_folders(_of_gopath(folder, path)))
    folder = Path(path)
    if folder.is_dir():
        raise InputError(f"{folder}: no go.mod there, and it is not below GOPATH")
    places = ", ".join(str(place / "src") for place in gopath.folders())
    raise InputError(f"path to chaincode does not exist: {path}, looked for in {places}")


def _of_gopath(folder: Path, path: str) -> Iterator[tuple[str, Path]]:
    """Take what lies in a package's folder, and the packages that it imports."""
    imported = gopath.imported(path)
    if imported is None:
        yield from _placed(_gopath_files(folder), f"src/{path}")
        return
    beside = ((name, file) for name, file in _gopath_files(folder) if _is_beside(name))
    yield from _placed(beside, f"src/{path}")
    yield from imported.items()


def _folder(path: str) -> Path:
    folder = Path(path)
    if not folder.is_dir():
        raise InputError(f"path to chaincode does not exist: {path}")
    return folder


def _files(folder: Path, language: str) -> Iterator[tuple[str, Path]]:
    """Walk through a folder, in each by name."""
    for count, file in enumerate(sorted(folder.rglob("*"))):
        if count > MAX_FILES:
            raise InputError(f"{folder}: more than {MAX_FILES} files; is it the right folder?")
        name = file.relative_to(folder)
        hidden = file.name.startswith(".") and language not in _DERIVED
        left_out = hidden or any(_is_left_out(part, language) for part in name.parts[:-1])
        if file.is_file() and not left_out:
            yield name.as_posix(), file


def _is_left_out(part: str, language: str) -> bool:
    hidden = part.startswith(".") and language not in ("java", "node")
    return hidden or part in _DERIVED.get(language, _DERIVED_ELSEWHERE)


def _gopath_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Take all that lies in a package's folder, and the packages below it."""
    for name, file in _files(folder, "golang"):
        if _is_beside(name) or file.suffix in _GO_SUFFIXES:
            yield name, file


def _is_beside(name: str) -> bool:
    return name.startswith(_METADATA) or ("/" not in name and name not in ("go.mod", "go.sum"))


def _placed(files: Iterable[tuple[str, Path]], place: str) -> Iterator[tuple[str, Path]]:
    for name, file in files:
        if not name.startswith(_METADATA):
            yield f"{place}/{name}", file
        elif not file.name.startswith("."):
            yield name, file


def _with_folders(files: Iterable[tuple[str, Path]]) -> dict[str, Path | None]:
    """Sort files by name, and put the folders that they are in before them."""
    by_name: dict[str, Path | None] = dict(sorted(files, key=lambda file: file[0]))
    folders = {str(parent) for name in by_name for parent in PurePosixPath(name).parents}
    return {f"{name}/": None for name in sorted(folders - {"."})} | by_name


def _archive(folder: Path, files: Mapping[str, Path | None]) -> bytes:
    if not any(name.startswith("src/") for name in files):
        raise InputError(f"{folder}: no source files there")
    return tar_gz({name: file.read_bytes() if file else b"" for name, file in files.items()})
