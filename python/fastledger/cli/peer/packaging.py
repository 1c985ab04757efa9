# SPDX-License-Identifier: Apache-2.0
"""Sources collected into a package's code (Fabric: ``core/chaincode/platforms``).

Sources lie under ``src/``, what the ledger should know under ``META-INF/``. Go code of GOPATH times
keeps its import path; every other language's folder is taken as it stands.
"""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from fastledger.chaincode.package import tar_gz
from fastledger.common.errors import InputError

MAX_FILES = 50_000
"""As many as a peer unpacks."""

_LEFT_OUT = {"node_modules", "__pycache__", "target", "build", "out"}
_METADATA = "META-INF"
_GO_SUFFIXES = {".go", ".c", ".h", ".s", ".mod", ".sum", ".yaml", ".json", ".proto"}
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
    return path, _archive(folder, _files(folder))


def _golang(path: str) -> tuple[str, bytes]:
    folder = Path(path)
    if (folder / "go.mod").is_file():
        match = _MODULE.search((folder / "go.mod").read_text("utf-8"))
        return match[1] if match else path, _archive(folder, _go_files(folder))
    for place in _gopath():
        folder = place / "src" / path
        if folder.is_dir():
            files = {f"{path}/{name}": file for name, file in _go_files(folder)}
            return path, _archive(folder, files.items())
    folder = Path(path)
    if folder.is_dir():
        raise InputError(f"{folder}: no go.mod there, and it is not below GOPATH")
    places = ", ".join(str(place / "src") for place in _gopath())
    raise InputError(f"path to chaincode does not exist: {path}, looked for in {places}")


def _gopath() -> list[Path]:
    places = os.environ.get("GOPATH") or str(Path.home() / "go")
    return [Path(place) for place in places.split(os.pathsep) if place]


def _folder(path: str) -> Path:
    folder = Path(path)
    if not folder.is_dir():
        raise InputError(f"path to chaincode does not exist: {path}")
    return folder


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for count, file in enumerate(sorted(folder.rglob("*"))):
        if count > MAX_FILES:
            raise InputError(f"{folder}: more than {MAX_FILES} files; is it the right folder?")
        relative = file.relative_to(folder)
        if file.is_file() and not any(_is_left_out(part) for part in relative.parts):
            yield relative.as_posix(), file


def _go_files(folder: Path) -> Iterator[tuple[str, Path]]:
    for name, file in _files(folder):
        if name.startswith(f"{_METADATA}/") or file.suffix in _GO_SUFFIXES:
            yield name, file


def _is_left_out(part: str) -> bool:
    return part.startswith(".") or part in _LEFT_OUT


def _archive(folder: Path, files: Iterable[tuple[str, Path]]) -> bytes:
    contents: dict[str, bytes] = {}
    metadata: dict[str, bytes] = {}
    for name, file in files:
        place = name.find(f"{_METADATA}/")
        if place == 0 or (place > 0 and name[place - 1] == "/"):
            metadata[name[place:]] = file.read_bytes()
        else:
            contents[f"src/{name}"] = file.read_bytes()
    if not contents:
        raise InputError(f"{folder}: no source files there")
    return tar_gz(contents | metadata)
