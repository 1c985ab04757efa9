# SPDX-License-Identifier: Apache-2.0
"""What a Go package of GOPATH times consists of (Fabric: ``core/chaincode/platforms/golang``).

Go itself says which packages are imported, wherever they are below GOPATH, and which of their files
count. Where there is no Go, the package's own folder is all that can be told.
"""

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastledger.common import log
from fastledger.common.errors import InputError

LIST_TIMEOUT_S = 180.0

_logger = log.get("chaincode.platform.golang")
_FILES = ("GoFiles", "CFiles", "CgoFiles", "HFiles", "SFiles", "IgnoredGoFiles", "EmbedFiles")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def folders() -> list[Path]:
    """Where Go code lies: ``$GOPATH``, or Go's default."""
    places = os.environ.get("GOPATH") or str(Path.home() / "go")
    return [Path(place) for place in places.split(os.pathsep) if place]


def imported(path: str) -> dict[str, Path] | None:
    """Return the files of a package and of all that it imports, by name in an archive.

    Args:
        path: Its import path.

    Returns:
        None where there is no Go to ask.

    Raises:
        InputError: Go cannot tell, or a package is missing.
    """
    go = shutil.which("go")
    if go is None:
        _logger.warning("Go is not installed: what %s imports from elsewhere is left out", path)
        return None
    here = _ARCHITECTURES.get(platform.machine(), platform.machine())
    files: dict[str, Path] = {}
    for architecture in {"amd64", here}:
        for package in _list(go, path, architecture):
            if package.get("Incomplete"):
                name = package["ImportPath"]
                raise InputError(f"failed to calculate dependencies: incomplete package: {name}")
            if not package.get("Goroot"):
                files |= _files(package)
    return files


def _files(package: dict[str, Any]) -> dict[str, Path]:
    names = (name for kind in _FILES for name in package.get(kind, ()))
    place, folder = package["ImportPath"], Path(package["Dir"])
    return {f"src/{place}/{name}": folder / name for name in names}


def _list(go: str, path: str, architecture: str) -> Iterator[dict[str, Any]]:
    """Ask for a package and what it imports, as it is built for Linux."""
    # Without this, recent Go looks for modules only.
    env = {"GO111MODULE": "off"} | os.environ | {"GOOS": "linux", "GOARCH": architecture}
    try:
        done = subprocess.run(  # noqa: S603 - the user's own Go, on the user's own code
            [go, "list", "-deps", "-json", path],
            env=env,
            capture_output=True,
            timeout=LIST_TIMEOUT_S,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode("utf-8", "replace").strip()
        raise InputError(f"listing deps for package {path} failed: {said}") from error
    except subprocess.TimeoutExpired as error:
        raise InputError(f"listing deps for package {path} took too long") from error
    decoder, rest = json.JSONDecoder(), done.stdout.decode("utf-8", "replace").lstrip()
    while rest:
        package, end = decoder.raw_decode(rest)
        yield package
        rest = rest[end:].lstrip()
