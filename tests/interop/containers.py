# SPDX-License-Identifier: Apache-2.0
"""A Docker engine without a registry, and an image that Python chaincode runs on."""

import io
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest

import fastledger
from fastledger.chaincode.launcher.docker_engine import Engine
from fastledger.common.errors import ChaincodeError
from waiting import pause

PATIENCE_S = 60
SOCKET = Path("/var/run/docker.sock")
_PACKAGES = ("cryptography", "google", "grpc", "typing_extensions.py", "cffi", "_cffi_backend*")
_LIBRARY = re.compile(r"(/\S+) \(0x")
_LEFT_OUT = {"__pycache__", "site-packages", "test", "idlelib", "lib2to3", "tkinter", "ensurepip"}


@contextmanager
def engine() -> Iterator[str]:
    """Have an engine: the one that runs here, or one of our own; skip the test without."""
    if SOCKET.is_socket() and _answers(f"unix://{SOCKET}"):
        yield f"unix://{SOCKET}"
        return
    dockerd = shutil.which("dockerd")
    if dockerd is None:
        pytest.skip("needs Docker: nothing answers at /var/run/docker.sock, and no dockerd here")
    if os.geteuid() != 0:
        pytest.skip(
            "needs Docker: nothing answers at /var/run/docker.sock, and only root starts it"
        )
    # Short, as paths of sockets have to be.
    folder = Path(tempfile.mkdtemp(prefix="docker-"))
    endpoint = f"unix://{folder / 'sock'}"
    command = [
        *(dockerd, "--host", endpoint, "--data-root", str(folder / "data")),
        *("--exec-root", str(folder / "exec"), "--pidfile", str(folder / "pid")),
        *("--iptables=false", "--bridge=none", "--storage-driver=vfs"),
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not _answers(endpoint):
            if process.poll() is not None or time.monotonic() > deadline:
                said = (folder / "log").read_text("utf-8", "replace").strip().splitlines()[-1:]
                pytest.skip(f"dockerd does not start here: {said}")
            pause(0.1, "before the engine is asked again")
        yield endpoint
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
        # The network of the host, which it leaves mounted.
        subprocess.run(["umount", str(folder / "exec" / "netns" / "default")], capture_output=True)
        shutil.rmtree(folder)


def _answers(endpoint: str) -> bool:
    try:
        Engine(endpoint).ping()
    except ChaincodeError:
        return False
    return True


def import_python_image(endpoint: str, name: str) -> None:
    """Make an image of this interpreter and fastledger's shim: no registry is asked."""
    query = {
        "fromSrc": "-",
        "repo": name,
        "tag": "latest",
        "changes": "ENV PATH=/usr/bin PYTHONPATH=/packages LD_LIBRARY_PATH=/libraries",
    }
    path = f"/images/create?{urlencode(query)}"
    said = Engine(endpoint).call("POST", path, _root_file_system(), "application/x-tar")
    assert b"error" not in said, said


def _root_file_system() -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        interpreter = Path(sys.executable).resolve()
        archive.add(interpreter, str(interpreter))
        _link(archive, "usr/bin/python3", str(interpreter))
        standard = Path(sysconfig.get_path("stdlib"))
        archive.add(standard, str(standard), filter=_wanted)
        site = Path(sysconfig.get_path("purelib"))
        added = [path for pattern in _PACKAGES for path in site.glob(pattern)]
        for path in (*added, Path(fastledger.__file__).parent):
            archive.add(path, f"packages/{path.name}", filter=_wanted)
        folders = (standard, *added, Path(fastledger.__file__).parent)
        modules = [path for folder in folders for path in folder.rglob("*.so")]
        for library in sorted(_libraries([interpreter, *modules])):
            # The loader has to be where programs say; the rest is found by LD_LIBRARY_PATH.
            place = library if library.startswith("/lib64/") else f"libraries/{Path(library).name}"
            archive.add(Path(library).resolve(), place)
        temporary = tarfile.TarInfo("tmp")
        temporary.type, temporary.mode = tarfile.DIRTYPE, 0o1777
        archive.addfile(temporary)
    return plain.getvalue()


def _wanted(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    name = Path(entry.name).name
    return None if name in _LEFT_OUT or name.startswith("config-") else entry


def _link(archive: tarfile.TarFile, name: str, target: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = tarfile.SYMTYPE, target
    archive.addfile(entry)


def _libraries(programs: list[Path]) -> set[str]:
    found: set[str] = set()
    for program in programs:
        listed = subprocess.run(["ldd", str(program)], capture_output=True, text=True)
        found |= set(_LIBRARY.findall(listed.stdout))
    return found
